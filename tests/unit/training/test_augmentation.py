"""Augmentation applies symmetries: what a symmetry leaves alone stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from jetlens.config import Config
from jetlens.config.features import LEVELS, ConstituentStream, FeaturesConfig, KinematicStream, ObjectStream
from jetlens.config.load import load
from jetlens.errors import ConfigError
from jetlens.expressions.feature import Feature, shipped
from jetlens.expressions.symmetry import SIGNIFICANCE_MAX
from jetlens.features import build_features
from jetlens.features.batches import join
from jetlens.features.featurefile import FeatureMetadata, FeatureSet, StreamMetadata
from jetlens.skim import skim_file
from jetlens.training.augmentation import augment, check, turn
from jetlens.training.data import Dataset
from tests.conftest import DEMO, ROOT

STREAMS = ["jet1", "jet2", "kinematics", "objects"]


def described(kind: str, features: list[str], alignment: str = "none") -> StreamMetadata:
    table = shipped()[LEVELS[kind]]
    return StreamMetadata.of(kind, [table.get(f, Feature(f, f)) for f in features], alignment=alignment)


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
        moving = {"delta_eta", "delta_phi", "eta", "tanh_dz", "dz_significance", "sin_phi", "cos_phi"}
        if kind == "rotate_constituents":
            moving |= {s for s in a if "d0" in s or "dz" in s or "log_energy" in s}
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


def displaced(jet_eta: Any, eta: Any, phi: Any) -> tuple[Any, Any]:
    """d0 and dz of straight tracks from a point 1 mm along the jet, which is at φ = 0: exact geometry."""
    point = np.stack([1 / np.cosh(jet_eta), 0 * jet_eta, np.tanh(jet_eta)], axis=-1)
    way = np.stack([np.cos(phi), np.sin(phi), np.sinh(eta)], axis=-1)  # per unit of transverse length
    nearest = point - (point[..., :2] * way[..., :2]).sum(axis=-1, keepdims=True) * way
    x, y, z = np.moveaxis(nearest, -1, 0)
    return x * np.sin(phi) - y * np.cos(phi), z


@pytest.mark.parametrize("form", ["{}", "tanh_{}"])
def test_impact_parameters_and_energies_turn_as_those_of_a_turned_jet(form: str) -> None:
    """Tracks of one displaced decay: what is turned equals what the turned directions give by exact geometry."""
    rng = np.random.default_rng(1)
    jet = rng.uniform(-2.4, 2.4, (500, 1))
    place = rng.uniform(-0.02, 0.02, (2, 500, 12))
    angle = rng.uniform(-np.pi, np.pi, (500, 1))
    c, s = np.cos(angle), np.sin(angle)
    turned = np.stack([c * place[0] - s * place[1], s * place[0] + c * place[1]])
    pt = rng.uniform(1, 100, place[0].shape)
    names = [
        "delta_eta",
        "delta_phi",
        "log_pt",
        "log_energy",
        form.format("d0"),
        form.format("dz"),
        "delta_r",
    ]
    expected, found = (
        np.stack(
            [
                x,
                y,
                np.log(pt),
                np.log(np.hypot(pt * np.cosh(jet + x), 0.14)),
                *displaced(jet, jet + x, y),
                0 * x,
            ],
            axis=-1,
        )
        for x, y in (turned, place)
    )
    if form != "{}":
        found[..., 4:6] = np.tanh(found[..., 4:6])
    stream = described("constituents", names)
    turn(found, np.ones(pt.shape, bool), stream, angle)
    if form != "{}":
        found[..., 4:6] = np.arctanh(found[..., 4:6])
    np.testing.assert_allclose(found[..., :3], expected[..., :3], atol=1e-12)
    np.testing.assert_allclose(found[..., 3], expected[..., 3], atol=2e-3)
    difference = found[..., 4:6] - expected[..., 4:6]
    # dz is L Δη, d0 L sin θ Δφ, up to terms of second order in the distance from the axis: 0.028 at most
    assert np.sqrt(np.mean(difference**2)) < 0.02 * np.sqrt(np.mean(expected[..., 4:6] ** 2))


def test_significances_turn_with_the_values_over_their_own_errors() -> None:
    rng = np.random.default_rng(1)
    names = [
        "delta_eta",
        "delta_phi",
        "log_pt",
        "log_energy",
        "d0",
        "dz",
        "d0_significance",
        "dz_significance",
    ]
    values = rng.normal(0, 0.1, (50, 8, len(names)))
    values[..., 3] = values[..., 2] + 0.5
    error = rng.uniform(0.01, 0.02, (50, 8, 2))
    values[..., 6:] = values[..., 4:6] / error
    stream = described("constituents", names)
    before = values.copy()
    turn(values, np.ones((50, 8), bool), stream, rng.uniform(-3, 3, (50, 1)))
    assert np.abs(values - before)[..., 4:].min() > 0
    np.testing.assert_allclose(
        values[..., 6:], np.clip(values[..., 4:6] / error, -SIGNIFICANCE_MAX, SIGNIFICANCE_MAX), rtol=1e-9
    )


def test_the_sign_of_d0_goes_on_telling_the_side_of_the_axis(files: list[Path]) -> None:
    """On real jets: tracks of decays lean away from the axis on the side that d0's sign tells; dz likewise."""
    data = Dataset(files, STREAMS, "training")
    before = join(list(data.buffers())).inputs
    after = augment(before, data.metadata, ["rotate_constituents"], np.random.default_rng(3))
    signs = []
    for inputs in (before, after):
        k = columns(data, inputs, "jet1")
        for impact, place in (("tanh_d0", "delta_phi"), ("tanh_dz", "delta_eta")):
            signs.append(np.mean(np.sign(k[impact] * k[place])[np.abs(k[impact]) > 0.1]))
    d0, dz, turned_d0, turned_dz = signs
    assert d0 > 0.07
    assert dz < -0.03
    # turned at random, d0 and dz tell the same, and as much as before
    np.testing.assert_allclose([turned_d0, -turned_dz], (d0 - dz) / 2, atol=0.03)


def test_energies_fit_the_turned_directions_of_real_jets(data: Dataset) -> None:
    before = join(list(data.buffers())).inputs
    after = augment(before, data.metadata, ["rotate_constituents"], np.random.default_rng(3))
    jet = columns(data, before, "kinematics")["eta"][:, :1]
    k, was = columns(data, after, "jet1"), columns(data, before, "jet1")
    pt = np.exp(k["log_pt"])
    mass = np.exp(2 * was["log_energy"]) - (pt * np.cosh(jet + was["delta_eta"])) ** 2
    expected = 0.5 * np.log((pt * np.cosh(jet + k["delta_eta"])) ** 2 + np.maximum(mass, 0))
    real = before["jet1_mask"]
    difference = np.abs(k["log_energy"] - expected)[real]
    assert np.quantile(difference, 0.99) < 3e-3  # left alone, they were off by 0.8
    assert difference.max() < 0.05
    np.testing.assert_allclose(
        (k["log_energy"] - was["log_energy"])[real],
        (k["log_energy_fraction"] - was["log_energy_fraction"])[real],
        atol=1e-5,
    )


@pytest.mark.parametrize(
    ("augmentation", "kind", "features", "alignment", "names"),
    [
        ("rotate_constituents", "constituents", ["delta_eta", "delta_phi"], "flip", "flip"),
        ("rotate_constituents", "constituents", ["delta_eta", "delta_phi"], "rotate", "rotate"),
        ("rotate_constituents", "constituents", ["delta_eta", "log_pt"], "none", "delta_phi"),
        (
            "rotate_constituents",
            "constituents",
            ["delta_eta", "delta_phi", "log_pt", "log_energy", "tanh_d0"],
            "none",
            "dz or tanh_dz",
        ),
        (
            "rotate_constituents",
            "constituents",
            ["delta_eta", "delta_phi", "d0", "dz"],
            "none",
            "log_pt, log_energy",
        ),
        ("rotate_constituents", "constituents", ["unheard_of"], "none", "declares no symmetry"),
        ("mirror_eta", "kinematics", ["unheard_of"], "none", "declares no symmetry"),
        ("rotate_phi", "event", ["sin_met_phi"], "none", "cosine of met_phi"),
    ],
)
def test_what_cannot_follow_is_refused(
    augmentation: str, kind: str, features: list[str], alignment: str, names: str
) -> None:
    stream = described(kind, features, alignment)
    none = StreamMetadata(kind="event", features=[], units=[])
    streams = {} if kind == "event" else {"s": stream}
    metadata = FeatureMetadata.model_construct(streams=streams, event=stream if kind == "event" else none)
    with pytest.raises(ConfigError, match=f"{augmentation}.*{names}"):
        check(metadata, list(streams), [augmentation])


def test_the_configuration_is_refused_at_once() -> None:
    content = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    content["features"]["streams"]["jet2"]["features"] = ["delta_eta", "delta_phi", "log_pt", "tanh_d0"]
    with pytest.raises(
        ValueError, match=r"rotate_constituents of '.*': in features.streams.jet2, feature 'tanh_d0'"
    ):
        Config.model_validate(content)


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
    facts = pq.read_metadata(part).metadata[b"jetlens"]
    table = pq.read_table(part).slice(0, 200).combine_chunks().replace_schema_metadata({b"jetlens": facts})
    moved = tmp_path / "moved.parquet"
    columns = [turned_and_mirrored(name, table[name].chunk(0)) for name in table.column_names]
    pq.write_table(pa.Table.from_arrays(columns, schema=table.schema), moved)
    pq.write_table(table, part)
    tokens = ["fat_jets[0]", "fat_jets[1]", "fat_jets[0]+fat_jets[1]"]
    features = FeaturesConfig(
        streams={
            "jet1": ConstituentStream(kind="constituents", features=list(shipped()["constituents"])),
            "kinematics": KinematicStream(
                kind="kinematics", tokens=tokens, features=list(shipped()["tokens"])
            ),
            "objects": ObjectStream(
                kind="objects", max_objects={"jets": 6}, features=list(shipped()["tokens"])
            ),
        },
        event=[name for name in shipped()["event"] if "hypothesis" not in name],  # no number of the event
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
