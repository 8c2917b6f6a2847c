"""What a run shows, and what is left after one that was killed: with real Snakemakes, really killed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time

import psutil
import pytest

from tests.workflow.conftest import Workspace

pytestmark = [pytest.mark.workflow]


def test_a_run_takes_about_a_line_per_step(finished: Workspace) -> None:
    text = re.sub(r"\x1b\[\d*[A-Z]", "\n", finished.transcript)
    steps = re.findall(r"(\d+)/(\d+)  \S", text)
    assert steps
    total = int(steps[-1][1])
    assert steps[-1] == (str(total), str(total)), "every step has its line"
    kept = [line for line in text.splitlines() if line.strip() and not line.startswith("    ")]
    assert len(kept) <= total + 6, text
    assert "Select jobs" not in text
    assert "mini is done. Start with results/mini/index.html" in kept[-2]


def test_a_training_is_seen_on_the_terminal(finished: Workspace) -> None:
    shown = re.findall(
        r"    cross_attention_three_stream, seed 1: epoch \d/2  loss \S+  .*AUC 0\.\d+  \d+ events/s .* s left",
        finished.transcript,
    )
    assert shown, finished.transcript


@pytest.fixture
def long_training(finished: Workspace) -> Workspace:
    """The finished analysis with a training more, which takes minutes."""
    before = finished.config
    trees = before["models"]["gradient_boosting"]
    finished.config = before | {
        "models": before["models"] | {"many_trees": trees | {"iterations": 100_000, "patience": 100_000}},
        "training": before["training"] | {"variants": [*before["training"]["variants"], "many_trees"]},
    }
    yield finished
    finished.config = before


def trainings(run: subprocess.Popen[str]) -> list[psutil.Process]:
    """The processes of a running step, once it has started."""
    for _ in range(600):
        found = [p for p in psutil.Process(run.pid).children(recursive=True) if "python" in p.name()]
        if found:
            return found
        assert run.poll() is None, run.communicate()[0]
        time.sleep(0.1)
    pytest.fail("the training did not start")


def test_a_killed_run_is_gone_on_with(long_training: Workspace) -> None:
    """Locks of who lives are left alone; steps end with their Snakemake; Ctrl-C leaves no traceback."""
    workspace = long_training
    target = "results/mini/training/many_trees/seed1/manifest.json"
    first = workspace.start(target)
    steps = trainings(first)
    time.sleep(2)
    locks = sorted((workspace.folder / ".snakemake" / "locks").iterdir())
    assert locks

    refused = workspace.snakemake(target)
    assert refused.returncode != 0
    last = refused.stdout.strip().splitlines()[-1]
    assert f"jetlens: another Snakemake is making these files (process {first.pid} on " in last
    assert f"end it: kill {first.pid}" in last
    assert sorted((workspace.folder / ".snakemake" / "locks").iterdir()) == locks

    first.kill()
    first.wait()
    _, alive = psutil.wait_procs(steps, timeout=20)
    assert not alive, "the training outlived its Snakemake"
    left = workspace.results("training", "many_trees", "seed1", ".model.unfinished-abc.npz")
    left.write_bytes(b"half")

    again = workspace.start(target)
    steps = trainings(again)
    time.sleep(2)
    os.killpg(again.pid, signal.SIGINT)
    text = again.communicate(timeout=60)[0]
    assert f"a run was killed here (process {first.pid} on " in text
    assert not left.exists()
    assert again.returncode != 0
    assert "Traceback" not in text
    assert not psutil.wait_procs(steps, timeout=20)[1]
    assert not list((workspace.folder / ".snakemake" / "locks").glob("*"))
    assert not list((workspace.folder / ".snakemake" / "jetlens").glob("*.json"))


def test_what_is_said_of_a_part(finished: Workspace) -> None:
    """No report is promised to who asks for a table."""
    table = finished.results("skim", "cutflow.csv")
    table.unlink()
    done = finished.snakemake(table.relative_to(finished.folder).as_posix())
    assert done.returncode == 0, done.stdout
    assert "index.html" not in done.stdout
    assert "what was asked for is done" in done.stdout
