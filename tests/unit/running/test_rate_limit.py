"""Snakemake's limit of jobs per second, which wakes it once a second for every job that has ended."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SNAKEFILE = """
import threading
from jetlens.running import lift_rate_limit

rule all:
    input: expand("{n}.txt", n=range(12))

rule one:
    output: touch("{n}.txt")

onstart:
    {lift}

onsuccess:
    waiting = [t for t in threading.enumerate() if isinstance(t, threading.Timer)]
    print("timers", len(waiting), "limited", workflow.scheduler.job_rate_limiter is not None)
"""


@pytest.mark.parametrize(
    ("lift", "options", "limited"),
    [
        ("lift_rate_limit(workflow)", [], False),
        ("lift_rate_limit(workflow)", ["--max-jobs-per-timespan", "50/1s"], True),
    ],
)
def test_only_the_default_limit_is_lifted(
    tmp_path: Path, lift: str, options: list[str], limited: bool
) -> None:
    (tmp_path / "Snakefile").write_text(SNAKEFILE.replace("{lift}", lift))
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--nolock", *options]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    words = next(line for line in done.stdout.splitlines() if line.startswith("timers")).split()
    assert words[-1] == str(limited)
    assert (int(words[1]) > 0) == limited
