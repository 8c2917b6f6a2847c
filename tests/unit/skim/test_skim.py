from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from jetlens.config.reading import ReadingConfig
from jetlens.config.skim import SkimConfig
from jetlens.errors import FileError
from jetlens.skim import read_skim, skim_file
from tests.conftest import DEMO, ROOT

EXPECTED = {
    "signal_H1000_hh_4b": (1000, 1000, 918, 918.0),
    "qcd_4b": (700, 700, 396, 360.982),
    "qcd_3b": (350, 350, 200, 219.752),
    "qcd_2b": (600, 600, 298, 298.0),
    "qcd_jj": (700, 700, 334, 334.0),
    "ttbar_had": (900, 900, 594, 594.0),
    "ttbar_had_lo": (138, 138, 82, 82.0),
}


def demo_skim() -> SkimConfig:
    content = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))
    return SkimConfig.model_validate(content["skim"])


def run(source: Path, folder: Path, reading: ReadingConfig, skim: SkimConfig) -> tuple[Path, dict]:
    parquet, cutflow = folder / "part.parquet", folder / "part.cutflow.json"
    skim_file(str(source), parquet, cutflow, sample="s", part="p", reading=reading, skim=skim)
    return parquet, json.loads(cutflow.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", EXPECTED)
def test_demo_cutflow(name: str, tmp_path: Path) -> None:
    """Events and sums of weights, counted independently of this package with uproot and awkward."""
    parquet, flow = run(DEMO / f"{name}.root", tmp_path, ReadingConfig(), demo_skim())
    events = {cut["name"]: cut["events"] for cut in flow["cuts"]}
    counted = (events["all events"], events["≥ 2 fat jets"], events["|Δη(J1, J2)| < 2.5"])
    assert counted == EXPECTED[name][:3]
    assert flow["cuts"][-1]["sum_weights"] == pytest.approx(EXPECTED[name][3], abs=0.001)
    assert flow["constituents"]["unmatched"] == 0
    assert flow["constituents"]["references"] == flow["constituents"]["matched"] > 5_000
    skimmed = read_skim(parquet)
    assert len(skimmed) == flow["cuts"][-1]["events"]


def test_what_a_skim_file_holds(tmp_path: Path) -> None:
    import awkward as ak

    parquet, _ = run(DEMO / "ttbar_had.root", tmp_path, ReadingConfig(), demo_skim())
    events = read_skim(parquet)
    assert ak.all(ak.num(events.fat_jets) >= 2)
    constituents = events.fat_jets[:, :2].constituents
    assert not ak.any(ak.num(events.fat_jets.constituents, axis=2)[:, 2:])
    assert ak.all(events.jets.pt >= 20)
    sums, jets = ak.sum(constituents, axis=-1), events.fat_jets[:, :2]
    assert np.max(np.abs(sums.pt / jets.pt - 1)) < 1e-5
    assert np.max(np.abs(sums.mass - jets.mass)) < 1e-3
    pt = constituents.pt
    assert ak.all(pt[..., 1:] <= pt[..., :-1])
    assert ak.all(ak.num(constituents, axis=2)[:, 0] > 0)


def test_chunks_do_not_change_the_result(tmp_path: Path) -> None:
    for number, budget in enumerate((1.0, 0.01)):
        (tmp_path / str(number)).mkdir()
        run(DEMO / "ttbar_had.root", tmp_path / str(number), ReadingConfig(memory_gb=budget), demo_skim())
    one, many = (pq.read_table(tmp_path / str(k) / "part.parquet") for k in (0, 1))
    assert len(one) > 100
    assert one.equals(many)
    flows = [(tmp_path / str(k) / "part.cutflow.json").read_text(encoding="utf-8") for k in (0, 1)]
    assert flows[0] == flows[1]


def test_a_part_without_selected_events_is_valid(tmp_path: Path) -> None:
    skim = SkimConfig.model_validate({"cuts": [{"name": "impossible", "quantity": "num(jets)", "min": 1000}]})
    parquet, flow = run(DEMO / "ttbar_had.root", tmp_path, ReadingConfig(), skim)
    assert len(read_skim(parquet)) == 0
    assert [cut["events"] for cut in flow["cuts"]] == [900, 0]


def test_broken_files(tmp_path: Path) -> None:
    broken = tmp_path / "broken.root"
    broken.write_bytes((DEMO / "ttbar_had.root").read_bytes()[:100_000])
    with pytest.raises(FileError, match="truncated"):
        run(broken, tmp_path, ReadingConfig(), demo_skim())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["broken.root"]
    parquet, flow = run(broken, tmp_path, ReadingConfig(broken_files="skip"), demo_skim())
    assert "truncated" in flow["skipped"]
    assert flow["cuts"][0]["events"] == 0
    assert len(read_skim(parquet)) == 0


@pytest.mark.parametrize(
    "mistake",
    [
        {"branches": {"jets": "Jett"}},
        {"constituents": ["EFlowTracks"]},
        {"constituents": ["EFlowTrack"]},
        {"weight_index": 3},
        {"tree": "Events"},
    ],
)
def test_mistakes_in_the_configuration_are_no_broken_files(mistake: dict, tmp_path: Path) -> None:
    reading = ReadingConfig.model_validate({"broken_files": "skip", **mistake})
    with pytest.raises(FileError):
        run(DEMO / "qcd_jj.root", tmp_path, reading, demo_skim())
    assert not list(tmp_path.iterdir())


def test_reading_something_else(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="run the skim stage first"):
        read_skim(tmp_path / "none.parquet")
    (tmp_path / "text.parquet").write_text("hello")
    with pytest.raises(FileError, match="not a readable parquet file"):
        read_skim(tmp_path / "text.parquet")
