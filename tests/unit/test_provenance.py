"""The manifest of a run."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from jetlens.config.load import load
from jetlens.files import read_json
from jetlens.provenance import stage_costs, write_manifest
from tests.conftest import DEMO, ROOT


def test_a_manifest_says_what_a_repetition_needs(tmp_path: Path) -> None:
    config = load(ROOT / "config" / "config.yaml").model_dump(mode="json")
    source = str(DEMO / "qcd_jj.root")
    write_manifest(
        tmp_path / "manifest.json", config=config, sources=[source], results=[], benchmarks=tmp_path / "none"
    )
    manifest = read_json(tmp_path / "manifest.json")
    assert manifest["inputs"][source]["sha256"] == hashlib.sha256(Path(source).read_bytes()).hexdigest()
    assert manifest["packages"]["numpy"] == np.__version__
    assert manifest["config"] == config
    assert manifest["seeds"] == {"split": 1, "training": config["training"]["seeds"]}
    assert set(manifest["host"]) == {"system", "cpu", "cores"}


def test_time_and_memory_are_summed_per_stage(tmp_path: Path) -> None:
    for name, seconds, memory in (("a", "1.5", "100.0"), ("b", "2.0", "-")):
        path = tmp_path / "skim" / f"{name}.tsv"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"s\th:m:s\tmax_rss\n{seconds}\t0:00:01\t{memory}\n")
    assert stage_costs(tmp_path) == {"skim": {"jobs": 2, "seconds": 3.5, "peak_memory_mb": 100.0}}
