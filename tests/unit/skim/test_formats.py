"""Samples that share a file, apart by an expression on its own columns; sums of what was generated."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from jetlens.config.reading import ReadingConfig
from jetlens.config.samples import read_samples
from jetlens.config.skim import SkimConfig
from jetlens.errors import ConfigError
from jetlens.skim import read_skim, skim_file
from tests.conftest import ROOT, shared_data

TABLE = "sample\tprocess\trole\tfiles\tcross_section_pb\twhere\n"


def run(source: Path, folder: Path, where: str = "", **reading: object) -> tuple[object, dict]:
    names = folder / "a.parquet", folder / "a.json"
    config = ReadingConfig.model_validate(reading)
    skim = SkimConfig.model_validate({"cuts": [{"name": "hard", "cut": "fat_jets[0].pt > 20"}]})
    skim_file(str(source), *names, sample="s", part="p", reading=config, skim=skim, where=where)
    return read_skim(names[0]), json.loads(names[1].read_text(encoding="utf-8"))


def test_two_classes_in_one_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    jets = np.stack(
        [rng.exponential(20, (40, 6)), *rng.normal(0, 0.3, (2, 40, 6)), np.full((40, 6), 22)], axis=2
    )
    label = rng.integers(0, 2, 40)
    np.savez(tmp_path / "qg.npz", X=jets, y=label)
    schema = str(ROOT / "config" / "schemas" / "energyflow.yaml")
    counts = {}
    for where, wanted in (("is_quark", label == 1), ("~is_quark", label == 0)):
        events, flow = run(tmp_path / "qg.npz", tmp_path, where, format=schema)
        hard = jets[..., 0].sum(axis=1) > 20  # not the vector sum, but close to it
        assert flow["cuts"][0]["events"] == wanted.sum()
        assert abs(flow["cuts"][1]["events"] - (wanted & hard).sum()) <= 2
        counts[where] = set(np.asarray(events.event_number).tolist())
    assert not counts["is_quark"] & counts["~is_quark"]


def test_the_table_says_which_events_belong(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros(3))
    table = tmp_path / "s.tsv"
    line = f"{{0}}\t{{0}}\t{{1}}\t{tmp_path}/a.npz\t1\t{{2}}\n"
    table.write_text(
        TABLE + line.format("q", "signal", "is_quark") + line.format("g", "background", "~is_quark")
    )
    assert [s.where for s in read_samples(table).values()] == ["is_quark", "~is_quark"]
    for wheres, words in (
        (("is_quark", "is_quark"), "is named twice"),
        (("is_quark >", "~is_quark"), "where: "),
    ):
        table.write_text(
            TABLE + line.format("q", "signal", wheres[0]) + line.format("g", "background", wheres[1])
        )
        with pytest.raises(ConfigError, match=words):
            read_samples(table)


def test_sums_of_all_generated_events_come_from_the_file(tmp_path: Path) -> None:
    source = shared_data("foreign_formats/nano_dy.root")
    _, flow = run(source, tmp_path, leading_jets=0)
    assert flow["cuts"][0] == {
        "name": "all events",
        "events": 850098,
        "sum_weights": pytest.approx(15166686735.858717),
        "sum_weights_squared": pytest.approx(588798921139442.8),
    }
    assert "generated events" in flow["conventions"]
