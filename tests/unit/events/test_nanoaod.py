"""A real NanoAOD file through the same interface."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from jetlens.config.reading import ReadingConfig
from jetlens.config.skim import SkimConfig
from jetlens.errors import FileError
from jetlens.events import TYPES, open_events
from jetlens.events.kinematics import cartesian, from_cartesian
from jetlens.skim import read_skim, skim_file
from tests.conftest import DEMO, shared_data


@pytest.fixture(scope="module")
def path() -> Path:
    return shared_data("delphes_formats/foreign_nanoaod_v15_200_events.root")


def test_candidates_add_up_to_the_uncorrected_jet(path: Path) -> None:
    import awkward as ak
    import uproot

    tree = uproot.open(path)["Events"]
    factor = 1 - ak.flatten(tree["FatJet_rawFactor"].array()).to_numpy()
    stored = ak.flatten(tree["FatJet_nConstituents"].array()).to_numpy()
    with open_events(str(path), ReadingConfig()) as reader:
        (chunk,) = reader.chunks(10_000)
        jets = chunk.collections["fat_jets"]
        found = chunk.constituents(jets["row"])
        conventions = reader.conventions
    own = found.jets
    assert found.references == found.matched > 1000
    full = own.counts > 0
    assert full.mean() > 0.95  # candidates of a few jets are not stored
    assert np.array_equal(own.counts[full], stored[jets["row"]][full])
    momenta = cartesian(own["pt"], own["eta"], own["phi"], own["mass"])
    pt, _, _, mass = from_cartesian(np.add.reduceat(momenta, own.offsets[:-1][full]))
    raw = factor[jets["row"]][full]
    assert np.abs(pt / (jets["pt"][full] * raw) - 1).max() < 3e-3  # ten bits of mantissa per candidate
    assert np.abs(mass - jets["mass"][full] * raw).max() < 0.5
    assert set(np.unique(own["charge"][own["type"] == TYPES["track"]])) == {-1, 1}
    assert not own["charge"][own["type"] != TYPES["track"]].any()
    assert {"b_tag", "ht", "constituents"} <= set(conventions)


@pytest.mark.parametrize("events", [7, 64])
def test_chunks_do_not_change_what_is_read(path: Path, events: int) -> None:
    sums = []
    for size in (events, 1000):
        with open_events(str(path), ReadingConfig()) as reader:
            total = 0.0
            for chunk in reader.chunks(size):
                leading = chunk.collections["fat_jets"].leading(1)
                own = chunk.constituents(leading["row"]).jets
                total += float(own["pt"].sum(dtype=np.float64)) + float(chunk.met.sum(dtype=np.float64))
            sums.append(total)
    assert np.isclose(*sums, rtol=1e-7)


def test_skim_of_nanoaod(path: Path, tmp_path: Path) -> None:
    skim = SkimConfig.model_validate({"cuts": [{"name": "jet", "quantity": "fat_jets[0].pt", "min": 180}]})
    names = tmp_path / "n.parquet", tmp_path / "n.json"
    skim_file(str(path), *names, sample="s", part="p", reading=ReadingConfig(), skim=skim)
    events = read_skim(names[0])
    flow = json.loads(names[1].read_text(encoding="utf-8"))
    assert 10 < len(events) == flow["cuts"][1]["events"] < 64
    assert flow["cuts"][0]["events"] == 200


def test_wrong_names(path: Path) -> None:
    for config, text in (
        ({"fat_jets": "FatJets"}, "did you mean 'FatJet'?"),
        ({"fat_jets": "Jet"}, "has no 'JetPFCand_pfCandIdx'"),
        ({"missing_energy": "NoMET"}, "has no 'NoMET_pt'"),
        ({"weight_index": 1}, "not supported"),
        ({"format": "delphes"}, "has no tree named Delphes"),
    ):
        with pytest.raises(FileError) as caught:
            open_events(str(path), ReadingConfig.model_validate(config))
        assert text in str(caught.value)
    with pytest.raises(FileError, match="has no tree named Events; it holds: Delphes"):
        open_events(str(DEMO / "qcd_jj.root"), ReadingConfig(format="nanoaod"))
