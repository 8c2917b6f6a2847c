"""Features that an input file lacks, and tracks of another resolution, are refused by training and by scoring."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from jetlens.config.models import ModelOptions
from jetlens.config.reading import ReadingConfig
from jetlens.config.skim import SkimConfig
from jetlens.config.training import TrainingConfig
from jetlens.errors import FileError
from jetlens.events import load_schema
from jetlens.features.build import build_stream
from jetlens.features.constituents import CONSTITUENTS as CONSTITUENT_FEATURES
from jetlens.features.event import EVENT
from jetlens.features.featurefile import FeatureSet
from jetlens.features.objects import KINEMATICS
from jetlens.features.objects import OBJECTS as OBJECT_FEATURES
from jetlens.features.presence import CONSTITUENTS, OBJECTS, TRACKS, lacking
from jetlens.skim import skim_file
from jetlens.trained.presence import check_presence
from jetlens.training import train
from tests.conftest import ROOT, shared_data


def test_every_column_that_readers_fill_is_known_by_its_features() -> None:
    objects: set[str] = set()
    constituents: set[str] = set()
    for schema in (load_schema("delphes"), load_schema("nanoaod")):
        for name, field in schema.columns().items():
            if field.fill is not None and name.count("."):
                (constituents if ".constituents." in name else objects).add(name.rpartition(".")[2])
    unused = {"mass", "tau5", "isolation", "tau_tag", "b_score", "b_tag_bit1", "b_tag_bit2"}  # of no feature
    unused |= {"d0", "d0_error", "dz", "dz_error"}  # of tracks
    assert objects - unused == set(OBJECTS)
    assert constituents - {"mass", "type"} == set(CONSTITUENTS)
    registries = (CONSTITUENT_FEATURES, KINEMATICS, OBJECT_FEATURES, EVENT)
    known = {name for registry in registries for name in registry.names}
    assert {f for table in (CONSTITUENTS, OBJECTS) for made in table.values() for f in made} <= known
    assert {name for name in known if "d0" in name or "dz" in name} == TRACKS


def test_only_streams_made_of_the_collection_lack_it() -> None:
    features = ["pt", "charge", "d0_significance", "n_constituents", "n_displaced_d0"]
    why = "0, as X is missing"
    assert lacking("constituents", features, {"electrons.charge": why}) == {}
    assert lacking("objects", features, {"fat_jets.constituents.charge": why}) == {}
    assert lacking("constituents", features, {"fat_jets.constituents.charge": why}).keys() == {"charge"}
    found = lacking("kinematics", features, {"fat_jets.constituents.d0_error": why})
    assert found.keys() == {"d0_significance", "n_displaced_d0"}
    assert lacking("kinematics", features, {"fat_jets.n_neutrals": why})["n_constituents"].endswith(why)


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
        FileError, match=r"'signal_H1000' and 'qcd_4b' .*differ in how well tracks are measured"
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
    other = {"jet1": metadata.impact_parameters["jet1"] | {"kind": "truth"}}
    with pytest.raises(FileError, match="not measured like those"):
        check_presence(manifest, ["jet1"], metadata.model_copy(update={"impact_parameters": other}), "f.root")


def test_a_real_file_without_impact_parameters(tmp_path: Path) -> None:
    """From the file's branches to the metadata of a stream."""
    from jetlens.config.load import load

    names = tmp_path / "nano.parquet", tmp_path / "nano.json"
    reading = ReadingConfig(branches=dict.fromkeys(("jets", "electrons", "muons", "met")))
    source = str(shared_data("delphes_formats/foreign_nanoaod_v15_200_events.root"))
    skim_file(source, *names, sample="s", part="nano", reading=reading, skim=SkimConfig())
    stream = load(ROOT / "config" / "config.yaml").features.streams["jet1"]
    build_stream(names[0], tmp_path / "jet1.npz", stream=stream, sample="s", part="nano")
    from jetlens.features.archive import Archive
    from jetlens.features.featurefile import SCHEMA_VERSION, TokenMetadata

    about = Archive(tmp_path / "jet1.npz", ["values"]).metadata(TokenMetadata, SCHEMA_VERSION)
    assert about.lacks["tanh_d0"] == "fat_jets.constituents.d0 is taken as 0, as PFCand_d0 is missing"
