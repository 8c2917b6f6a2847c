"""Feature files of real events, against computations done another way."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from pydantic import ValidationError

from jetlens.config.features import FeaturesConfig
from jetlens.config.reading import ReadingConfig
from jetlens.config.skim import SkimConfig
from jetlens.errors import FileError
from jetlens.expressions.feature import MASS_FEATURE, shipped
from jetlens.features import build_features
from jetlens.features.featurefile import FeatureSet
from jetlens.skim import read_skim, skim_file
from jetlens.trained.model import check_features
from tests.conftest import DEMO, ROOT

CONFIG = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def skimmed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("skim")
    skim = SkimConfig.model_validate(CONFIG["skim"])
    for part in ("p", "q"):
        names = folder / f"{part}.parquet", folder / f"{part}.cutflow.json"
        source = str(DEMO / "ttbar_had.root")
        skim_file(source, *names, sample="ttbar_had", part=part, reading=ReadingConfig(), skim=skim)
    return folder


def build(skimmed: Path, output: Path, features: FeaturesConfig) -> FeatureSet:
    build_features(skimmed / "p.parquet", output, features=features, sample="ttbar_had", part="p", label=0)
    return FeatureSet.read(output)


@pytest.fixture(scope="module")
def demo(skimmed: Path) -> FeatureSet:
    return build(skimmed, skimmed / "demo", FeaturesConfig.model_validate(CONFIG["features"]))


def column(features: FeatureSet, stream: str, name: str) -> np.ndarray:
    return features.streams[stream][..., features.metadata.streams[stream].features.index(name)]


def test_shapes_labels_and_units(demo: FeatureSet) -> None:
    assert len(demo) == 594
    assert demo.streams["jet1"].shape == (594, 50, len(CONFIG["features"]["streams"]["jet1"]["features"]))
    assert not demo.label.any()
    for description in [*demo.metadata.streams.values(), demo.metadata.event]:
        assert len(description.units) == len(description.features)
    assert demo.metadata.streams["kinematics"].tokens[2] == "fat_jets[0]+fat_jets[1]"


@pytest.mark.parametrize("jet", [0, 1])
def test_constituents_against_awkward(skimmed: Path, demo: FeatureSet, jet: int) -> None:
    stream = f"jet{jet + 1}"
    events = read_skim(skimmed / "p.parquet")
    for row in range(0, 594, 60):
        axis, own = events.fat_jets[row, jet], events.fat_jets.constituents[row, jet][:50]
        mask = demo.masks[stream][row]
        assert mask.sum() == len(own)
        got = {name: column(demo, stream, name)[row][mask] for name in demo.metadata.streams[stream].features}
        assert np.allclose(got["delta_eta"], own.eta - axis.eta, atol=1e-5)
        assert np.allclose(got["delta_phi"], own.deltaphi(axis), atol=1e-5)
        assert np.allclose(got["delta_r"], own.deltaR(axis), atol=1e-5)
        assert np.allclose(got["log_pt"], np.log(own.pt), atol=1e-5)
        assert np.allclose(got["log_energy"], np.log(own.E), atol=1e-5)
        assert np.allclose(got["log_energy_fraction"], np.log(own.E / axis.E), atol=1e-5)
        assert np.array_equal(got["charge"], own.charge.to_numpy())
        assert (got["is_track"] + got["is_photon"] + got["is_neutral_hadron"] == 1).all()
        assert np.array_equal(got["is_track"] == 1, own.charge.to_numpy() != 0)
    assert np.abs(column(demo, stream, "delta_phi")).max() < np.pi


def test_kinematics_objects_and_event_against_awkward(skimmed: Path, demo: FeatureSet) -> None:
    import awkward as ak

    events = read_skim(skimmed / "p.parquet")
    both = events.fat_jets[:, 0] + events.fat_jets[:, 1]
    assert np.allclose(column(demo, "kinematics", "log_mass")[:, 2], np.log(both.mass), atol=1e-4)
    assert np.allclose(column(demo, "kinematics", "eta")[:, 2], both.eta, atol=1e-3)
    first = events.fat_jets[:, 0]
    assert np.allclose(column(demo, "kinematics", "tau21")[:, 0], first["tau2"] / first["tau1"], atol=1e-5)
    assert np.allclose(column(demo, "kinematics", "n_constituents")[:, 0], first.n_charged + first.n_neutrals)
    near = (events.jets.deltaR(first) < 0.8) & (events.jets.b_tag == 1)
    assert np.array_equal(
        column(demo, "kinematics", "n_matched_b_tags")[:, 0], ak.sum(near, axis=1).to_numpy()
    )
    assert demo.masks["objects"].sum() == sum(
        ak.sum(np.minimum(ak.num(events[name]), most))
        for name, most in CONFIG["features"]["streams"]["objects"]["max_objects"].items()
    )
    event = dict(zip(demo.metadata.event.features, demo.event.T, strict=True))
    assert np.allclose(event["log_mass_jj"], np.log(both.mass), atol=1e-4)
    assert np.allclose(event["delta_phi_jj"], np.abs(first.deltaphi(events.fat_jets[:, 1])), atol=1e-5)
    assert np.array_equal(event["n_b_jets"], ak.sum(events.jets.b_tag, axis=1).to_numpy())


def test_an_alignment_is_recorded_and_a_model_trained_without_it_refuses_it(
    skimmed: Path, demo: FeatureSet, tmp_path: Path
) -> None:
    content = json.loads(json.dumps(CONFIG["features"]))
    content["streams"]["jet1"]["alignment"] = "rotate"
    turned = build(skimmed, tmp_path / "x", FeaturesConfig.model_validate(content))
    aligned = {name: stream.alignment for name, stream in turned.metadata.streams.items()}
    assert aligned == dict.fromkeys(aligned, "none") | {"jet1": "rotate"}
    assert not np.array_equal(column(turned, "jet1", "delta_eta"), column(demo, "jet1", "delta_eta"))
    with pytest.raises(FileError, match="differ; make both with one config"):
        FeatureSet.join([demo, turned])
    manifest = {"variant": "m", "features": demo.metadata.model_dump(mode="json")}
    check_features(manifest, demo.metadata, ["jet1"])
    check_features(manifest, turned.metadata, ["jet2"])
    with pytest.raises(
        FileError, match="stream 'jet1' has alignment 'rotate' where 'm' was trained on 'none'"
    ):
        check_features(manifest, turned.metadata, ["jet1"])


def test_every_feature_there_is(skimmed: Path, tmp_path: Path) -> None:
    """All features of all registers are finite, on jets, leptons and sums, with tokens that are not there."""
    table = {level: list(features) for level, features in shipped().items()}
    table["event"].remove(MASS_FEATURE)  # of the sample, not of the file
    tokens = ["fat_jets[0]", "jets[0]+jets[7]", "muons[0]", "fat_jets[4]"]
    objects = {"fat_jets": 3, "jets": 4, "electrons": 1, "muons": 1}
    streams = {
        "c": {"kind": "constituents", "features": table["constituents"], "alignment": "flip", "jet": 1},
        "absent": {"kind": "constituents", "features": table["constituents"], "jet": 2},
        "k": {"kind": "kinematics", "tokens": tokens, "features": table["tokens"]},
        "o": {"kind": "objects", "max_objects": objects, "features": table["tokens"]},
    }
    config = FeaturesConfig.model_validate({"streams": streams, "event": table["event"]})
    features = build(skimmed, tmp_path / "all", config)
    assert not features.masks["absent"].any()
    assert features.masks["k"].mean(axis=0)[0] == 1
    assert 0 < features.masks["k"].mean(axis=0)[1] < 1


def test_a_part_without_events(skimmed: Path, tmp_path: Path) -> None:
    skim = SkimConfig.model_validate({"cuts": [{"name": "none", "quantity": "num(jets)", "min": 99}]})
    source, parquet, flow = str(DEMO / "qcd_jj.root"), tmp_path / "e.parquet", tmp_path / "e.json"
    skim_file(source, parquet, flow, sample="ttbar_had", part="e", reading=ReadingConfig(), skim=skim)
    config = FeaturesConfig.model_validate(CONFIG["features"])
    build_features(parquet, tmp_path / "e", features=config, sample="ttbar_had", part="e", label=0)
    empty = FeatureSet.read(tmp_path / "e")
    assert len(empty) == 0
    assert empty.streams["jet1"].shape[1:] == (50, len(CONFIG["features"]["streams"]["jet1"]["features"]))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"streams": {"a": {"kind": "constituents", "features": ["log_ptt"]}}}, "did you mean 'log_pt'?"),
        ({"event": ["htt"]}, "did you mean 'ht'?"),
        ({"event": ["ht", "ht"]}, "named twice"),
        ({"split": {"test": [0, 0]}}, "fold 0 is named twice in test"),
        ({"split": {"validation": [2, 3, 2]}}, "fold 2 is named twice in validation"),
    ],
)
def test_unknown_names_are_refused_with_the_configuration(change: dict, expected: str) -> None:
    with pytest.raises(ValidationError) as caught:
        FeaturesConfig.model_validate(CONFIG["features"] | change)
    assert expected in str(caught.value)
