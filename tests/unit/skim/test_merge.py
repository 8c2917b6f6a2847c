"""Merged cutflows are the sums of their parts."""

from __future__ import annotations

from pathlib import Path

import pytest

from jetlens.config.load import load
from jetlens.config.samples import Sample
from jetlens.errors import FileError
from jetlens.files import read_json, write_json
from jetlens.skim import skim_file
from jetlens.skim.cutflow import write_cutflow_table
from jetlens.skim.merge import merge_cutflows
from tests.conftest import DEMO, ROOT


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    config = load(ROOT / "config" / "config.yaml")
    folder = tmp_path_factory.mktemp("parts")
    found = []
    for part in ("qcd_4b", "qcd_jj"):
        found.append(folder / f"{part}.json")
        skim_file(
            str(DEMO / f"{part}.root"),
            folder / f"{part}.parquet",
            found[-1],
            sample="qcd",
            part=part,
            reading=config.reading,
            skim=config.skim,
        )
    return found


def test_events_weights_and_references_add_up(parts: list[Path], tmp_path: Path) -> None:
    merge_cutflows(parts, tmp_path / "qcd.json")
    merged = read_json(tmp_path / "qcd.json")
    flows = [read_json(path) for path in parts]
    assert [cut["events"] for cut in merged["cuts"]][:2] == [1400, 1400]
    for key in ("sum_weights", "sum_weights_squared"):
        assert merged["cuts"][-1][key] == sum(flow["cuts"][-1][key] for flow in flows)
    assert merged["constituents"]["references"] == sum(flow["constituents"]["references"] for flow in flows)
    assert merged["skipped"] is None
    assert merged["parts"] == 2


def test_the_table_takes_merged_cutflows(parts: list[Path], tmp_path: Path) -> None:
    sample = Sample("qcd", "QCD", "background", {}, 10.0)
    tables = []
    merge_cutflows(parts, tmp_path / "merged.json")
    for name, flows in (("parts", parts), ("merged", [tmp_path / "merged.json"])):
        write_cutflow_table(flows, [sample], 100.0, tmp_path / f"{name}.csv")
        tables.append((tmp_path / f"{name}.csv").read_text())
    assert tables[0] == tables[1]


def test_a_merged_cutflow_can_be_merged_or_read_like_a_part(parts: list[Path], tmp_path: Path) -> None:
    merge_cutflows(parts, tmp_path / "once.json")
    merge_cutflows([tmp_path / "once.json"], tmp_path / "twice.json")
    once, twice = read_json(tmp_path / "once.json"), read_json(tmp_path / "twice.json")
    assert once["cuts"] == twice["cuts"]


def test_parts_with_different_cuts_are_refused(parts: list[Path], tmp_path: Path) -> None:
    other = read_json(parts[0])
    other["cuts"].pop()
    write_json(tmp_path / "other.json", other)
    with pytest.raises(FileError, match="differ in sample or cuts"):
        merge_cutflows([parts[1], tmp_path / "other.json"], tmp_path / "merged.json")
