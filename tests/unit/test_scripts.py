"""What the workflow's scripts share."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from jetlens.errors import ConfigError
from tests.conftest import ROOT

STAGE = ROOT / "scripts" / "_stage.py"


def job(mem_mb: int, overhead_mb: int = 2000) -> SimpleNamespace:
    """What ``memory_gb`` reads of Snakemake's object."""
    resources, params = SimpleNamespace(mem_mb=mem_mb), SimpleNamespace(overhead_mb=overhead_mb)
    return SimpleNamespace(rule="train_network", resources=resources, params=params)


def test_a_job_holds_what_libraries_leave() -> None:
    assert runpy.run_path(str(STAGE))["memory_gb"](job(3000)) == 1.0


@pytest.mark.parametrize("mem_mb", [0, 1500, 2000, 2099])
def test_too_little_memory_is_one_clear_line(mem_mb: int) -> None:
    with pytest.raises(ConfigError) as error:
        runpy.run_path(str(STAGE))["memory_gb"](job(mem_mb))
    text = str(error.value)
    assert text.startswith(f"rule train_network: resource mem_mb is {mem_mb}, of which libraries take 2000")
    assert "at least 2100 is needed" in text
    assert "\n" not in text


def test_the_last_line_of_an_invalid_value_says_what_is_wrong(tmp_path: Path) -> None:
    script = f"""
import sys; sys.path.insert(0, {str(ROOT / "scripts")!r})
from types import SimpleNamespace
from _stage import stage
with stage(SimpleNamespace(threads=1, log=[{str(tmp_path / "log")!r}])):
    from jetlens.config.reading import ReadingConfig
    ReadingConfig(memory_gb=0)
"""
    environment = {key: text for key, text in os.environ.items() if key != "JETLENS_PROGRESS"}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 1
    assert (tmp_path / "log").read_text() == done.stderr
    assert done.stderr.splitlines()[-1].strip().startswith("Input should be greater than 0")
