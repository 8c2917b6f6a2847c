"""The terminal shows a line per step, the steps' progress, and the reasons of failures last."""

from __future__ import annotations

import io
import time
from pathlib import Path

import pytest

from jetlens.running.progress import Publisher
from jetlens.running.terminal import Terminal, plain, useful_line


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        ("2026 TensorFlow says\njetlens: a.root: is truncated\nnoise\n", "a.root: is truncated"),
        ("Traceback (most recent call last):\n  File x\nValueError: too bad\n\n", "ValueError: too bad"),
        (
            "half a line",
            "it ended without a message; it may have been killed, for instance for want of memory",
        ),
    ],
)
def test_the_one_useful_line(tmp_path: Path, log: str, expected: str) -> None:
    path = tmp_path / "step.log"
    path.write_text(log, encoding="utf-8")
    assert useful_line(path) == expected


def test_a_log_that_is_not_there(tmp_path: Path) -> None:
    assert "without a message" in useful_line(tmp_path / "none.log")


def test_an_error_of_ours_is_shown_alone() -> None:
    message = 'WorkflowError in file "start.smk", line 3:\njetlens: x.yaml: no\njetlens: 2\n  File "a", line 1, in b'
    assert plain(message) == "jetlens: x.yaml: no\njetlens: 2"
    assert plain("MissingInputException: x") == "MissingInputException: x"


def test_progress_is_shown_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where lines stay, a step has one in ``every`` seconds, however much it tells."""
    monkeypatch.setenv("JETLENS_PROGRESS", str(tmp_path / "progress"))
    stream = io.StringIO()
    terminal = Terminal(stream, tmp_path / "progress", lambda: None, every=1.0)
    publisher = Publisher(every=0.0)
    start = time.monotonic()
    number = 0
    while time.monotonic() - start < 2.8:
        number += 1
        publisher.say(f"network, seed 1: epoch {number}/9  loss 0.5")
        time.sleep(0.02)
    publisher.close()
    terminal.finish()
    lines = stream.getvalue().splitlines()
    assert 1 <= len(lines) <= 3, lines
    assert all(line.startswith("    network, seed 1: epoch ") for line in lines)


def test_nothing_is_published_where_nobody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JETLENS_PROGRESS", raising=False)
    publisher = Publisher()
    publisher.say("anything")
    publisher.close()
    assert publisher.file is None
