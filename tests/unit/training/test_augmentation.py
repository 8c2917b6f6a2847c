"""Augmentation applies symmetries: what a symmetry leaves alone stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jetlens.config.features import ConstituentStream, FeaturesConfig, KinematicStream, ObjectStream
from jetlens.config.load import load
from jetlens.features import build_features
from jetlens.features.constituents import CONSTITUENTS
from jetlens.features.event import EVENT
from jetlens.features.featurefile import FeatureSet
from jetlens.features.objects import KINEMATICS, OBJECTS
from jetlens.skim import skim_file
from jetlens.training.augmentation import augment
from jetlens.training.data import Dataset, join
from tests.conftest import DEMO, ROOT

STREAMS = ["jet1", "jet2", "kinematics", "objects"]


@pytest.fixture(scope="module")
def data(files: list[Path]) -> Dataset:
    return Dataset(files, STREAMS, "validation")


def columns(data: Dataset, inputs: dict[str, Any], stream: str) -> dict[str, Any]:
    features = data.metadata.event.features if stream == "event" else data.metadata.streams[stream].features
    return {name: inputs[stream][..., i].astype(float) for i, name in enumerate(features)}


@pytest.mark.parametrize("kind", ["rotate_constituents", "mirror_eta", "rotate_phi"])
def test_invariants_stay_and_something_moves(data: Dataset, kind: str) -> None:
    before = join(list(data.buffers())).inputs
    kept = {name: array.copy() for name, array in before.items()}
    after = augment(before, data.metadata, [kind], np.random.default_rng(1))
    assert all(np.array_equal(before[name], kept[name]) for name in kept)
    assert any(not np.array_equal(after[name], before[name]) for name in STREAMS)
    for stream in STREAMS:
        a, b = columns(data, before, stream), columns(data, after, stream)
        assert np.array_equal(after[f"{stream}_mask"], before[f"{stream}_mask"])
        assert not after[stream][~after[f"{stream}_mask"]].any()
        moving = {"delta_eta", "delta_phi", "eta", "dz", "tanh_dz", "dz_significance", "sin_phi", "cos_phi"}
        for name in set(a) - moving:
            assert np.array_equal(a[name], b[name]), name
        if "delta_eta" in a:
            radius = [np.hypot(c["delta_eta"], c["delta_phi"]) for c in (a, b)]
            np.testing.assert_allclose(*radius, atol=1e-5)
        if "sin_phi" in a:
            np.testing.assert_allclose(
                b["sin_phi"] ** 2 + b["cos_phi"] ** 2, a["sin_phi"] ** 2 + a["cos_phi"] ** 2, atol=1e-5
            )
            np.testing.assert_allclose(np.abs(b["eta"]), np.abs(a["eta"]))


def test_the_whole_event_turns_together(data: Dataset) -> None:
    """Angles between objects are what they were: one rotation and one mirror per event."""
    before = join(list(data.buffers())).inputs
    after = augment(before, data.metadata, ["mirror_eta", "rotate_phi"], np.random.default_rng(2))
    for inputs in (before, after):
        k = columns(data, inputs, "kinematics")
        phi = np.arctan2(k["sin_phi"], k["cos_phi"])
        cosine = np.cos(phi[:, 0] - phi[:, 1])
        product = k["eta"][:, 0] * k["eta"][:, 1]
        if inputs is before:
            expected = cosine, product
    np.testing.assert_allclose(cosine, expected[0], atol=1e-4)
    np.testing.assert_allclose(product, expected[1], rtol=1e-6)


def test_nothing_asked_nothing_done(data: Dataset) -> None:
    before = join(list(data.buffers())).inputs
    assert augment(before, data.metadata, [], np.random.default_rng(1)) is before


ANGLE = 2.1


class OneTurnAndAMirror(np.random.Generator):
    """Draws that turn every event by the same angle and mirror it."""

    def __init__(self) -> None:
        super().__init__(np.random.PCG64(1))

    def choice(self, a: Any, size: int) -> Any:  # type: ignore[override]
        return np.full(size, -1, np.float32)

    def uniform(self, low: float, high: float, size: int) -> Any:  # type: ignore[override]
        return np.full(size, ANGLE)


def turned_and_mirrored(name: str, array: pa.Array) -> pa.Array:
    """A column of a skim file after φ → φ + ANGLE, z → −z."""
    if isinstance(array, pa.LargeListArray):
        inner = turned_and_mirrored(name, array.values)
        return pa.LargeListArray.from_arrays(array.offsets, inner, type=array.type)
    if isinstance(array, pa.StructArray):
        fields = list(array.type)
        moved = [turned_and_mirrored(field.name, array.field(field.name)) for field in fields]
        return pa.StructArray.from_arrays(moved, fields=fields)
    values = array.to_numpy(zero_copy_only=False)
    if name in ("eta", "dz"):
        values = -values
    elif name in ("phi", "met_phi"):
        values = (np.pi - (np.pi - values.astype(float) - ANGLE) % (2 * np.pi)).astype(np.float32)
    return pa.array(values, array.type)


def test_every_feature_is_that_of_the_turned_and_mirrored_event(tmp_path: Path) -> None:
    """Augmented features equal those of an event turned and mirrored before any feature was computed."""
    config = load(ROOT / "config" / "config.yaml")
    part, cutflow = tmp_path / "part.parquet", tmp_path / "part.json"
    source = str(DEMO / "signal_H1000_hh_4b.root")
    skim_file(source, part, cutflow, sample="s", part="part", reading=config.reading, skim=config.skim)
    table = pq.read_table(part).slice(0, 200).combine_chunks()
    moved = tmp_path / "moved.parquet"
    columns = [turned_and_mirrored(name, table[name].chunk(0)) for name in table.column_names]
    pq.write_table(pa.Table.from_arrays(columns, schema=table.schema), moved)
    pq.write_table(table, part)
    tokens = ["fat_jets[0]", "fat_jets[1]", "fat_jets[0]+fat_jets[1]"]
    features = FeaturesConfig(
        streams={
            "jet1": ConstituentStream(kind="constituents", features=CONSTITUENTS.names),
            "kinematics": KinematicStream(kind="kinematics", tokens=tokens, features=KINEMATICS.names),
            "objects": ObjectStream(kind="objects", max_objects={"jets": 6}, features=OBJECTS.names),
        },
        event=EVENT.names,
    )
    sets: list[FeatureSet] = []
    for parquet in (part, moved):
        output = parquet.with_suffix("")
        build_features(parquet, output, features=features, sample="s", part="part", label=1)
        sets.append(FeatureSet.read(output))
    original, expected = sets
    inputs = {
        **original.streams,
        **{f"{k}_mask": v for k, v in original.masks.items()},
        "event": original.event,
    }
    found = augment(inputs, original.metadata, ["mirror_eta", "rotate_phi"], OneTurnAndAMirror())
    for name, wanted in {**expected.streams, "event": expected.event}.items():
        described = original.metadata.event if name == "event" else original.metadata.streams[name]
        for index, feature in enumerate(described.features):
            difference = np.abs(found[name][..., index] - wanted[..., index])
            if feature in ("phi", "met_phi"):
                difference = np.minimum(difference, 2 * np.pi - difference)
            assert difference.max() < 1e-3, f"{name}: {feature} is off by {difference.max()}"
