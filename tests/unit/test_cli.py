"""The command line: what is wrong is said in one line, before Snakemake starts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT


def jetlens(*words: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "jetlens.cli", *words]
    return subprocess.run(
        command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )


@pytest.mark.parametrize("command", ["check", "run"])
def test_a_file_that_is_no_yaml(command: str, tmp_path: Path) -> None:
    """Snakemake itself says neither file nor line."""
    path = tmp_path / "mine.yaml"
    path.write_text("analysis: mine\nskim:\n\tcuts: []\n", encoding="utf-8")
    done = jetlens(command, str(path), "--cores", "1") if command == "run" else jetlens(command, str(path))
    assert done.returncode == 1
    (line,) = done.stdout.splitlines()
    assert line.startswith(f"jetlens: {path}, line 3, column 1: is not valid YAML")
    assert line.endswith("indent with spaces, not tabs")


@pytest.mark.parametrize("files", [["config/config.yaml"], []], ids=["named", "default"])
def test_a_run_gets_the_configuration_and_the_options(files: list[str]) -> None:
    done = jetlens("run", *files, "--dry-run", "--forceall", "--quiet", "host")
    assert done.returncode == 0, done.stdout
    assert "train_network" in done.stdout


def test_a_configuration_on_top_of_another() -> None:
    files = "config/paper.yaml", "config/demonstration.yaml"
    done = jetlens("check", *files)
    assert (done.returncode, done.stdout.startswith(" with ".join(files) + " is valid")) == (0, True), (
        done.stdout
    )


def test_what_goes_on_top_is_checked_before_a_run(tmp_path: Path) -> None:
    (tmp_path / "top.yaml").write_text("inference: {scales: {}}\n", encoding="utf-8")
    done = jetlens("run", "config/paper.yaml", str(tmp_path / "top.yaml"), "--dry-run")
    assert done.returncode == 1
    assert f"{tmp_path / 'top.yaml'}, line 1" in done.stdout
    assert "scales" in done.stdout


def test_a_run_elsewhere(tmp_path: Path) -> None:
    for name in ("config", "resources"):
        (tmp_path / name).symlink_to(ROOT / name)
    done = jetlens("run", folder=tmp_path)
    assert done.returncode == 1
    assert done.stdout.strip().endswith("run this at the top of the jetlens repository")
