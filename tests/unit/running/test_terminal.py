"""The terminal shows a line per step, the steps' progress, and the reasons of failures last."""

from __future__ import annotations

import io
import logging
import time
from pathlib import Path

import pytest
from snakemake_interface_logger_plugins.common import LogEvent

from jetlens.progress import Publisher
from jetlens.running.terminal import Terminal, plain, useful_line


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        ("2026 TensorFlow says\njetlens: a.root: is truncated\nnoise\n", "a.root: is truncated"),
        ("Traceback (most recent call last):\n  File x\nValueError: too bad\n\n", "ValueError: too bad"),
        (
            "Traceback (most recent call last):\nx\n  Input should be > 0\n    For further information visit https://x",
            "Input should be > 0",
        ),
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


def record(
    message: str, event: LogEvent | None = None, level: int = logging.INFO, **about: object
) -> logging.LogRecord:
    made = logging.LogRecord("snakemake", level, "", 0, message, None, None)
    made.__dict__.update(about, event=event)
    return made


def test_a_failed_step_is_explained_last(tmp_path: Path) -> None:
    log = tmp_path / "skim.log"
    log.write_text("jetlens: a.root: is truncated\n", encoding="utf-8")
    stream = io.StringIO()
    terminal = Terminal(stream, tmp_path / "progress", lambda: None)
    step = {"jobid": 3, "rule_name": "skim", "rule_msg": "Selecting events of a", "output": ["a.parquet"]}
    terminal.emit(record("", LogEvent.WORKFLOW_STARTED))
    terminal.emit(record("", LogEvent.RUN_INFO, stats={"skim": 2, "all": 1, "total": 3}))
    terminal.emit(record("Select jobs to execute..."))
    terminal.emit(record("", LogEvent.JOB_INFO, **step))
    terminal.emit(record("", LogEvent.JOB_INFO, **step | {"jobid": 4, "rule_msg": "Selecting events of b"}))
    terminal.emit(record("", LogEvent.JOB_ERROR, logging.ERROR, **step | {"log": [f"{log} (check log)"]}))
    terminal.emit(record("At least one job did not complete successfully.", LogEvent.ERROR, logging.ERROR))
    terminal.finish()
    shown = [line[10:] if line[2:3] == ":" else line for line in stream.getvalue().splitlines()]
    assert shown == [
        "jetlens: 2 steps to do",
        "1/2  Selecting events of a",
        "2/2  Selecting events of b",
        "failed: Selecting events of a",
        "",
        "jetlens: a.root: is truncated",
        f"    in: Selecting events of a; log: {log}",
    ]


def test_a_step_that_succeeds_when_tried_again_is_not_called_failed(tmp_path: Path) -> None:
    stream = io.StringIO()
    terminal = Terminal(stream, tmp_path / "progress", lambda: None)
    step = {"jobid": 3, "rule_name": "skim", "rule_msg": "Selecting", "output": ["a"], "log": []}
    for event in (LogEvent.JOB_INFO, LogEvent.JOB_ERROR, LogEvent.JOB_INFO):
        terminal.emit(record("", event, **step))
    terminal.finish()
    assert stream.getvalue().splitlines()[-1].endswith("1/0  Selecting")


def test_without_a_run_snakemake_answers(tmp_path: Path) -> None:
    stream = io.StringIO()
    terminal = Terminal(stream, tmp_path / "progress", lambda: None)
    terminal.emit(record("Unlocked working directory."))
    terminal.finish()
    assert stream.getvalue() == "Unlocked working directory.\n"
