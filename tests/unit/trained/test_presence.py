"""Features that an input file lacks, and tracks of another resolution, are refused by training and by scoring."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from jetlens.config.consistency import columns_of
from jetlens.config.features import ConstituentStream, KinematicStream, ObjectStream, StreamRecipe
from jetlens.config.load import load
from jetlens.config.models import ModelOptions
from jetlens.config.reading import ReadingConfig
from jetlens.config.skim import SkimConfig
from jetlens.config.training import TrainingConfig
from jetlens.errors import FileError
from jetlens.features.build import build_stream
from jetlens.features.featurefile import FeatureSet
from jetlens.features.presence import lacking, uses_impact_parameters
from jetlens.skim import skim_file
from jetlens.trained.presence import check_presence
from jetlens.training import train
from tests.conftest import ROOT, shared_data


def test_only_features_made_of_a_column_lack_it() -> None:
    config = load(ROOT / "config" / "config.yaml")
    names = columns_of(config)
    why = "0, as X is missing"
    features = ["pt", "charge", "d0_significance", "tanh_d0"]
    stream = ConstituentStream(kind="constituents", features=features)
    plan = StreamRecipe(stream=stream).plan(names)
    assert lacking(plan, {"electrons.charge": why}) == {}
    assert lacking(plan, {"fat_jets.constituents.charge": why}).keys() == {"charge"}
    assert lacking(plan, {"fat_jets.constituents.d0_error": why}).keys() == {"d0_significance"}
    assert lacking(plan, {"fat_jets.constituents.d0": why}).keys() == {"d0_significance", "tanh_d0"}
    assert uses_impact_parameters(plan)
    features = ["pt", "tau21", "n_constituents", "n_displaced_d0", "n_matched_b_tags"]
    stream = KinematicStream(kind="kinematics", tokens=["fat_jets[0]"], features=features)
    plan = StreamRecipe(stream=stream).plan(names)
    for topic, feature in (
        ("fat_jets.n_neutrals", "n_constituents"),
        ("fat_jets.tau2", "tau21"),
        ("jets.b_tag", "n_matched_b_tags"),
        ("fat_jets.constituents.d0_error", "n_displaced_d0"),
    ):
        assert lacking(plan, {topic: why}).keys() == {feature}, topic
    assert (
        lacking(plan, {"fat_jets.tau5": why, "fat_jets.b_tag": why, "fat_jets.constituents.charge": why})
        == {}
    )
    assert uses_impact_parameters(plan)
    simple = ObjectStream(kind="objects", max_objects={"jets": 3}, features=["log_pt", "b_tag"])
    assert not uses_impact_parameters(StreamRecipe(stream=simple).plan(names))


def start(parts: list[Path], folder: Path) -> None:
    options = TypeAdapter(ModelOptions).validate_python(
        {"kind": "gradient_boosting", "streams": ["kinematics"], "iterations": 5}
    )
    settings = TrainingConfig(variants=["trees"], seeds=[1])
    train(parts, folder, variant="trees", options=options, training=settings, seed=1)


def changed(folder: Path, target: Path, **about: object) -> Path:
    """The same features in files that say something else of themselves."""
    features = FeatureSet.read(folder)
    dataclasses.replace(features, metadata=features.metadata.model_copy(update=about)).write(target)
    return target


def test_what_one_sample_lacks_is_not_learnt_from(demo_features: dict[str, Path], tmp_path: Path) -> None:
    signal, background, *_ = demo_features.values()
    why = "fat_jets.constituents.d0 is taken as 0, as EFlowTrack.D0 is missing"
    poor = changed(background, tmp_path / "poor", lacks={"kinematics": {"n_displaced_d0": why}})
    with pytest.raises(
        FileError, match=r"sample 'qcd_4b' has no 'n_displaced_d0' .* while sample 'signal_H1000' has it"
    ):
        start([signal, poor], tmp_path / "model")
    start(
        [changed(signal, tmp_path / "also", lacks={"kinematics": {"n_displaced_d0": why}}), poor],
        tmp_path / "model",
    )
    other = changed(background, tmp_path / "other", lacks={"objects": {"b_tag": "0"}})  # of a stream not read
    start([signal, other], tmp_path / "model")


def test_tracks_of_another_resolution_are_not_learnt_from(
    demo_features: dict[str, Path], tmp_path: Path
) -> None:
    signal, background, *_ = demo_features.values()
    about = FeatureSet.read(background).metadata.impact_parameters
    assert about["kinematics"]["kind"] == "measured"
    truth = changed(
        background,
        tmp_path / "truth",
        impact_parameters={"kinematics": about["kinematics"] | {"kind": "truth"}},
    )
    with pytest.raises(
        FileError,
        match=r"'(signal_H1000' and 'qcd_4b|qcd_4b' and 'signal_H1000)' .*differ in how well tracks are measured",
    ):
        start([signal, truth], tmp_path / "model")
    start([signal, background], tmp_path / "model")


def test_scoring_refuses_the_same(demo_features: dict[str, Path]) -> None:
    metadata = FeatureSet.read(demo_features["qcd_4b"]).metadata
    manifest = {
        "variant": "m",
        "features": metadata.model_dump(mode="json"),
        "options": {"use_event": True},
        "constant_features": {"jet1": ["charge"]},
    }
    check_presence(manifest, ["jet1"], metadata, "f.root")
    for lacks, refused in (({"jet1": {"tanh_d0": "x"}}, True), ({"jet1": {"charge": "x"}}, False)):
        poor = metadata.model_copy(update={"lacks": lacks})
        if refused:
            with pytest.raises(FileError, match=r"f\.root: 'm' learnt from 'tanh_d0'"):
                check_presence(manifest, ["jet1"], poor, "f.root")
        else:
            check_presence(manifest, ["jet1"], poor, "f.root")
    calculated = {"event": {"log_ht": "ht is taken as sum of pt over jets, as the format has none"}}
    alike = metadata.model_copy(update={"lacks": calculated})
    with pytest.raises(FileError, match=r"f\.root: 'm' learnt from 'log_ht'"):
        check_presence(manifest, ["jet1"], alike, "f.root")
    own = manifest | {"features": alike.model_dump(mode="json")}
    check_presence(own, ["jet1"], alike, "f.root")  # as in the files that it learnt from
    other = {"jet1": metadata.impact_parameters["jet1"] | {"kind": "truth"}}
    with pytest.raises(FileError, match="not measured like those"):
        check_presence(manifest, ["jet1"], metadata.model_copy(update={"impact_parameters": other}), "f.root")


def test_a_real_file_without_impact_parameters(tmp_path: Path) -> None:
    """From the file's branches to the metadata of a stream."""
    names = tmp_path / "nano.parquet", tmp_path / "nano.json"
    reading = ReadingConfig(branches=dict.fromkeys(("jets", "electrons", "muons", "met")))
    source = str(shared_data("delphes_formats/foreign_nanoaod_v15_200_events.root"))
    skim_file(source, *names, sample="s", part="nano", reading=reading, skim=SkimConfig())
    stream = load(ROOT / "config" / "config.yaml").features.streams["jet1"]
    build_stream(names[0], tmp_path / "jet1.npz", recipe=StreamRecipe(stream=stream), sample="s", part="nano")
    from jetlens.features.archive import Archive
    from jetlens.features.featurefile import SCHEMA_VERSION, TokenMetadata

    about = Archive(tmp_path / "jet1.npz", ["values"]).metadata(TokenMetadata, SCHEMA_VERSION)
    assert about.lacks["tanh_d0"] == "fat_jets.constituents.d0 is taken as 0, as PFCand_d0 is missing"
