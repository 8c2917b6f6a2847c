"""A small analysis on the demo's real files, run once through Snakemake, for all workflow tests to look at."""

from __future__ import annotations

import contextlib
import csv
import os
import pty
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT


@dataclass
class Workspace:
    """A working directory with a configuration of its own, in which Snakemake runs this repository's workflow."""

    folder: Path
    config: dict[str, Any]
    rows: list[dict[str, str]]
    transcript: str = ""

    def write(self) -> None:
        """Write configuration and sample table."""
        (self.folder / "config").mkdir(exist_ok=True)
        self.config["samples"] = "config/samples.tsv"
        text = yaml.safe_dump(self.config, allow_unicode=True, sort_keys=False)
        (self.folder / "config" / "mini.yaml").write_text(text, encoding="utf-8")
        with (self.folder / "config" / "samples.tsv").open("w", encoding="utf-8", newline="") as stream:
            table = csv.DictWriter(stream, list(self.rows[0]), delimiter="\t", lineterminator="\n")
            table.writeheader()
            table.writerows(self.rows)

    def command(self, *words: str) -> list[str]:
        """Write the configuration as it stands, and return the command that runs Snakemake on it."""
        self.write()
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
        command += [
            "--directory",
            str(self.folder),
            "--configfile",
            str(self.folder / "config" / "mini.yaml"),
        ]
        if "--cores" not in words and "--workflow-profile" not in words:
            command += ["--cores", "2"]
        return [*command, *words]

    def snakemake(self, *words: str, timeout: float = 500) -> subprocess.CompletedProcess[str]:
        """Run Snakemake; output and errors come together in ``stdout``."""
        return subprocess.run(
            self.command(*words),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": ""},
        )

    def start(self, *words: str, terminal: int | None = None) -> subprocess.Popen[str]:
        """Start Snakemake in a process group of its own; its output goes to a pipe, or to a terminal."""
        return subprocess.Popen(
            self.command(*words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if terminal is None else terminal,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": "", "TERM": "xterm", "COLUMNS": "200"},
            start_new_session=True,
            preexec_fn=_interruptible,
        )

    def results(self, *parts: str) -> Path:
        """Return a path under the results folder."""
        return self.folder.joinpath("results", self.config["analysis"], *parts)


def _interruptible() -> None:
    """Take Ctrl-C, though the tests be a background job of a script, which is deaf to it and so are its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def small_config() -> dict[str, Any]:
    """The demo's configuration with small networks, trained for two epochs with one seed."""
    config: dict[str, Any] = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))
    config["analysis"] = "mini"
    config["training"] |= {
        "variants": ["cross_attention_three_stream", "gradient_boosting"],
        "seeds": [1],
        "epochs": 2,
    }
    config["explanation"] |= {
        "variants": ["cross_attention_three_stream"],
        "events": 20,
        "test_events": 4,
    }
    config["evaluation"] |= {"bootstrap": 50, "unlock": True}
    config["inference"]["variants"] = ["gradient_boosting"]
    histograms = config["figures"]["kinematics"]
    config["figures"]["kinematics"] = {name: histograms[name] for name in ("pt_j1", "met")}
    block = {"layers": 1, "heads": 2, "feed_forward": 16}
    options = config["models"]["cross_attention_three_stream"]
    options |= {"width": 16, "embedding": [16], "head": [16], "cross": block}
    options["encoders"] = {name: dict(block) for name in options["encoders"]}
    options["training"] = {}
    return config


def demo_rows() -> list[dict[str, str]]:
    """Four lines of the demo's sample table, with absolute paths: each further sample costs a dozen jobs."""
    with (ROOT / "config" / "samples.tsv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader((line for line in stream if not line.startswith("#")), delimiter="\t"))
    chosen = [row for row in rows if row["sample"] in ("signal_H1000", "qcd_4b", "qcd_jj", "ttbar_had")]
    return [row | {"files": str(ROOT / row["files"])} for row in chosen]


def application_row(folder: Path) -> dict[str, str]:
    """A sample that is only scored: known events in a file of another name, of unknown cross section."""
    shutil.copy(ROOT / "resources" / "demo" / "ttbar_had.root", folder / "recorded.root")
    row = dict.fromkeys(demo_rows()[0], "")
    return row | {"sample": "recorded", "process": "Data", "role": "application", "files": "recorded.root"}


@pytest.fixture(scope="session")
def new_workspace(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Workspace]:
    """Make a fresh working directory with the small analysis."""

    def make() -> Workspace:
        folder = tmp_path_factory.mktemp("analysis")
        return Workspace(folder, small_config(), [*demo_rows(), application_row(folder)])

    return make


@pytest.fixture(scope="session")
def finished(new_workspace: Callable[[], Workspace]) -> Workspace:
    """The small analysis, run to its end on a terminal, whose ``transcript`` is kept."""
    workspace = new_workspace()
    leader, follower = pty.openpty()
    run = workspace.start(terminal=follower)
    os.close(follower)
    with contextlib.suppress(OSError):  # the terminal's other end is closed
        while text := os.read(leader, 65536):
            workspace.transcript += text.decode("utf-8", errors="replace")
    os.close(leader)
    assert run.wait() == 0, workspace.transcript
    return workspace
