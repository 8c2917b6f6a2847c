from __future__ import annotations

import pytest

from jetlens.config.load import load
from jetlens.config.samples import Sample
from jetlens.errors import FileError
from jetlens.events import delphes, nanoaod
from jetlens.features.build import describe
from jetlens.features.constituents import CONSTITUENTS
from jetlens.features.event import EVENT
from jetlens.features.objects import KINEMATICS, OBJECTS
from jetlens.training.presence import FILLED, check_presence
from tests.conftest import ROOT


def test_every_column_that_readers_fill_is_known_by_its_features() -> None:
    filled = {*delphes._IMPACT, *nanoaod._IMPACT, "area", "soft_drop_mass", "tau", "b_tag"}
    for optional in (delphes._OPTIONAL, nanoaod._OPTIONAL):
        filled |= {column for columns in optional.values() for column in columns}
    assert filled - {"mass", "tau5"} == set(FILLED)  # leptons have their own mass; no feature is made of tau5
    known = [name for registry in (CONSTITUENTS, KINEMATICS, OBJECTS, EVENT) for name in registry.names]
    assert {feature for features in FILLED.values() for feature in features} <= set(known)


def test_only_streams_made_of_the_collection_are_refused() -> None:
    features = load(ROOT / "config" / "config.yaml").features
    metadata = describe(features, Sample("s", "p", "signal", {}, 1.0), "a").model_dump(mode="json")
    metadata["streams"]["jet1"]["features"] = ["pt", "charge", "d0_significance"]
    metadata["streams"]["kinematics"]["features"] = ["pt", "n_constituents"]
    manifest = {"variant": "m", "features": metadata, "options": {"use_event": True}}
    streams = ["jet1", "kinematics"]
    check_presence(manifest, streams, {"electrons.charge": "0, as Electron.Charge is missing"}, "f.root")
    check_presence(manifest, streams, {"constituents.charge": "from the file"}, "f.root")
    for topic, feature in (
        ("constituents.charge", "charge"),
        ("constituents.d0_error", "d0_significance"),
        ("fat_jets.n_neutrals", "n_constituents"),
    ):
        with pytest.raises(
            FileError, match=f"learnt from '{feature}'.*{topic} is taken as 0, as X is missing"
        ):
            check_presence(manifest, streams, {topic: "0, as X is missing"}, "f.root")
