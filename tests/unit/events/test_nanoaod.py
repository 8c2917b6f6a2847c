"""A real NanoAOD file through the same interface."""

from __future__ import annotations

import json
from pathlib import Path

import awkward as ak
import numpy as np
import pytest

from jetlens.config.reading import ReadingConfig
from jetlens.config.skim import SkimConfig
from jetlens.errors import FileError
from jetlens.events.schema import TYPES
from jetlens.skim import read_skim, skim_file
from tests.conftest import DEMO, shared_data


@pytest.fixture(scope="module")
def path() -> Path:
    return shared_data("delphes_formats/foreign_nanoaod_v15_200_events.root")


def test_candidates_add_up_to_the_uncorrected_jet(path: Path) -> None:
    columns = ["fat_jets", "fat_jets.constituents", "fat_jets.rawFactor", "fat_jets.nConstituents"]
    with ReadingConfig(leading_jets=100).open(str(path), columns=columns) as file:
        batch = next(file.batches())
        events, found = batch.resolve(batch.events)
        assumed = file.assumed
    assert found["fat_jets"].references == found["fat_jets"].matched > 1000
    jets = ak.flatten(events.fat_jets)
    full = jets[ak.num(jets.constituents) > 0]
    assert len(full) / len(jets) > 0.95  # candidates of a few jets are not stored
    assert ak.all(ak.num(full.constituents) == full.nConstituents)
    total, raw = ak.sum(full.constituents, axis=1), 1 - full.rawFactor
    assert ak.max(np.abs(total.pt / (full.pt * raw) - 1)) < 3e-3  # ten bits of mantissa per candidate
    assert ak.max(np.abs(total.mass - full.mass * raw)) < 0.5
    own = ak.flatten(full.constituents)
    assert set(np.unique(own.charge[own["type"] == TYPES["track"]])) == {-1, 1}
    assert not ak.any(own.charge[own["type"] != TYPES["track"]])
    assert assumed["constituents"] == "PFCand"


def test_impact_parameters_in_mm_with_the_sign_of_delphes() -> None:
    import uproot

    path = shared_data("foreign_formats/pfnano.root")
    with ReadingConfig(leading_jets=100).open(str(path)) as file:
        tracks = ak.flatten(ak.flatten(next(iter(file)).fat_jets.constituents))
    stored = ak.flatten(uproot.open(path)["Events"]["PFCands_d0"].array()).to_numpy()
    measured = tracks.d0[tracks.d0_error > 0].to_numpy()
    assert len(measured) > 100
    assert np.isin((-measured / 10).astype(np.float32).round(6), stored.round(6)).mean() > 0.99
    assert not ak.any(tracks.d0[tracks.d0_error == 0])  # -1 in the file: not measured


def test_skim_of_nanoaod(path: Path, tmp_path: Path) -> None:
    skim = SkimConfig.model_validate({"cuts": [{"name": "jet", "quantity": "fat_jets[0].pt", "min": 180}]})
    names = tmp_path / "n.parquet", tmp_path / "n.json"
    skim_file(str(path), *names, sample="s", part="p", reading=ReadingConfig(), skim=skim)
    events = read_skim(names[0])
    flow = json.loads(names[1].read_text(encoding="utf-8"))
    assert 10 < len(events) == flow["cuts"][1]["events"] < 64
    assert flow["cuts"][0]["events"] == 200


def test_weights_of_the_generator(path: Path) -> None:
    """Nine of scales, relative to the nominal one in their middle; 103 of parton densities."""
    names = ["scale_weights", "pdf_weights"]
    with ReadingConfig(also=names).open(str(path), columns=names) as file:
        events = next(iter(file))
    assert ak.all(ak.num(events.scale_weights) == 9)
    assert ak.all(events.scale_weights.value[:, 4] == 1)
    assert ak.all(ak.num(events.pdf_weights) == 103)


def test_wrong_names(path: Path) -> None:
    for config, text in (
        ({"branches": {"fat_jets": "FatJets"}}, "did you mean 'FatJet'?"),
        ({"branches": {"fat_jets": "Jet"}}, "has no 'JetPFCand_pfCandIdx'"),
        ({"branches": {"met": "NoMET"}}, "has no branch 'NoMET_pt'"),
        ({"weight_index": 1}, "has no branch 'Weight.Weight'"),
        ({"format": "delphes"}, "has no tree named Delphes"),
    ):
        with pytest.raises(FileError) as caught:
            ReadingConfig.model_validate(config).open(str(path))
        assert text in str(caught.value)
    with pytest.raises(FileError, match="has no tree named Events; it holds: Delphes"):
        ReadingConfig(format="nanoaod").open(str(DEMO / "qcd_jj.root"))
