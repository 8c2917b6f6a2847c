"""The workflow as a module of somebody else's, as the Snakemake catalogue describes it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.conftest import ROOT
from tests.workflow.conftest import Workspace

pytestmark = [pytest.mark.workflow]

OUTER = """
configfile: "config/mini.yaml"

module jetlens:
    snakefile: "{snakefile}"
    config: config

use rule * from jetlens as jetlens_*

rule mine:
    default_target: True
    input:
        rules.jetlens_all.input,
"""


def test_another_workflow_can_use_this_one(new_workspace: Callable[[], Workspace]) -> None:
    workspace = new_workspace()
    workspace.write()
    (workspace.folder / "Snakefile").write_text(OUTER.format(snakefile=ROOT / "workflow" / "Snakefile"))
    target = f"results/{workspace.config['analysis']}/skim/cutflow.csv"
    command = [sys.executable, "-m", "snakemake", "--cores", "2"]
    planned = subprocess.run(
        [*command, "--dry-run"], cwd=workspace.folder, capture_output=True, text=True, check=False
    )
    assert planned.returncode == 0, planned.stdout + planned.stderr
    assert "jetlens_train_network" in planned.stdout + planned.stderr
    done = subprocess.run(
        [*command, target], cwd=workspace.folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (workspace.folder / target).is_file()
