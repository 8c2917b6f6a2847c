"""Augmentation applies symmetries: what a symmetry leaves alone stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jetlens.training.augmentation import augment
from jetlens.training.data import Dataset, join

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
        moving = {"delta_eta", "delta_phi", "eta", "dz", "dz_significance", "sin_phi", "cos_phi"}
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
