"""Planted truth: toy jets whose class depends on constituents that are known, so that explanations have a right answer.

``displaced_track``: signal has one track of large d0 significance. ``mass_pair``: two hard constituents have an
invariant mass of 40 GeV in signal, any other mass in background. ``two_prong``: each of two prongs may hold a displaced
track, and one is enough for signal; the events explained have both, so each stands in for the other: leave-one-out sees
little of either. As in arXiv:2310.06514, what is scored is the share of an explanation on the planted constituents.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jetlens.features.featurefile import FeatureMetadata, FeatureSet, StreamMetadata
from jetlens.trained.model import TrainedNetwork

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
FEATURES = ["delta_eta", "delta_phi", "log_pt", "d0_significance"]
STREAM = "jet1"
SLOTS = 10
MASS = 40.0
"""Mass of the planted pair [GeV]."""


@dataclass(frozen=True)
class Toy:
    """Toy jets.

    Attributes:
        features: N events, half of them signal.
        planted: (N, T) the constituents that the class depends on; none in background.
    """

    features: FeatureSet
    planted: Mask


def _jets(number: int, rng: np.random.Generator) -> tuple[Floats, Mask, NDArray[np.int8]]:
    label = (np.arange(number) % 2).astype(np.int8)
    real = np.arange(SLOTS) < rng.integers(6, SLOTS + 1, number)[:, None]
    values = rng.normal(size=(number, SLOTS, 4))
    values[..., :2] *= 0.25
    values[..., 2] = rng.uniform(0, 2, values.shape[:2])
    return values, real, label


def displaced_track(number: int, rng: np.random.Generator) -> Toy:
    """Return jets of which signal has one displaced track, 6 to 12 standard deviations, in a random slot."""
    values, real, label = _jets(number, rng)
    slot = rng.integers(0, 6, number)
    size = rng.uniform(6, 12, number) * rng.choice([-1, 1], number)
    signal = np.flatnonzero(label == 1)
    values[signal, slot[signal], 3] = size[signal]
    return _toy(values, real, label, _at(label, slot))


def mass_pair(number: int, rng: np.random.Generator) -> Toy:
    """Return jets with two hard constituents, whose mass is 40 GeV in signal and outside of 30 to 50 in background."""
    values, real, label = _jets(number, rng)
    first = rng.integers(0, 6, number)
    second = (first + rng.integers(1, 6, number)) % 6
    other = np.where(rng.random(number) < 0.5, rng.uniform(15, 28, number), rng.uniform(52, 75, number))
    mass = np.where(label == 1, MASS + rng.normal(0, 1, number), other)
    pt = rng.uniform(60, 90, (2, number))
    # 2 pT pT' (cosh Δη − 1) of a pair along η, which is then turned
    apart = np.arccosh(1 + mass**2 / (2 * pt[0] * pt[1]))
    rows = np.arange(number)
    for slot, p, side in ((first, pt[0], 0.5), (second, pt[1], -0.5)):
        values[rows, slot, 2] = np.log(p)
        values[rows, slot, 0] = side * apart
        values[rows, slot, 1] = rng.normal(0, 0.005, number)
    return _toy(values, real, label, _at(label, first, second))


def two_prong(number: int, rng: np.random.Generator) -> Toy:
    """Return jets of two prongs; signal has a displaced track in one or in both: one is enough."""
    values, real, label = _jets(number, rng)
    values[..., 0] = np.where(np.arange(SLOTS) % 2, 0.3, -0.3) + rng.normal(0, 0.05, values.shape[:2])
    slots = 2 * rng.integers(0, 3, (2, number)) + np.array([[0], [1]])
    both, which = rng.random(number) < 0.5, rng.integers(0, 2, number)
    planted = np.zeros(real.shape, dtype=bool)
    for prong in (0, 1):
        here = np.flatnonzero((label == 1) & (both | (which == prong)))
        planted[here, slots[prong][here]] = True
    size = rng.uniform(6, 12, real.shape) * rng.choice([-1, 1], real.shape)
    values[..., 3] = np.where(planted, size, values[..., 3])
    return _toy(values, real, label, planted)


TOYS: dict[str, Callable[[int, np.random.Generator], Toy]] = {
    "displaced_track": displaced_track,
    "mass_pair": mass_pair,
    "two_prong": two_prong,
}
OPTIONS: dict[str, Any] = {
    "kind": "self_attention",
    "stream": STREAM,
    "encoder": {"layers": 1, "heads": 2, "feed_forward": 32},
    "width": 16,
    "embedding": [32],
    "head": [16],
    "dropout": 0.0,
    "pooling": "class_attention",
    "pair_embedding": [16, 16],
}
"""A small network that can see single constituents and pairs of them."""


def train(toy: Toy, epochs: int, seed: int = 1, options: dict[str, Any] = OPTIONS) -> TrainedNetwork:
    """Train a network on toy jets, in memory."""
    from pydantic import TypeAdapter

    from jetlens.config.models import ModelOptions
    from jetlens.trained import runtime

    runtime.configure_default("tensorflow")
    import keras

    from jetlens.models.layers import Standardisation
    from jetlens.models.registry import build_model

    keras.utils.set_random_seed(seed)
    parsed = TypeAdapter(ModelOptions).validate_python(options)
    features = toy.features
    network = build_model(parsed, features.metadata)
    values = features.streams[STREAM][features.masks[STREAM]]
    for layer in network.layers:
        if isinstance(layer, Standardisation):
            layer.set_weights([values.mean(axis=0), values.std(axis=0)])
    network.compile(keras.optimizers.Adam(0.004), keras.losses.BinaryCrossentropy(from_logits=True))
    inputs = {STREAM: features.streams[STREAM], f"{STREAM}_mask": features.masks[STREAM]}
    network.fit(inputs, features.label.astype(np.float32), batch_size=128, epochs=epochs, verbose=0)
    manifest = {
        "variant": "toy",
        "parameters": network.count_params(),
        "seed": seed,
        "features": features.metadata.model_dump(),
    }
    return TrainedNetwork(network, manifest, parsed)


def score(value: Floats, planted: Mask, mask: Mask) -> dict[str, list[float]]:
    """Return how much of an explanation lies on the planted constituents, with standard errors over events.

    Args:
        value: (N, T) in favour of signal, of signal events.
        planted: (N, T).
        mask: (N, T).

    Returns:
        ``mass``: the share of what speaks for signal; ``rank_accuracy``: of the k planted constituents, the share
        among the k most relevant.
    """
    positive = np.where(mask, np.maximum(value, 0), 0)
    total = positive.sum(axis=1)
    share = np.where(total > 0, (positive * planted).sum(axis=1) / np.where(total > 0, total, 1), 0)
    order = np.argsort(-np.where(mask, value, -np.inf), axis=1, kind="stable")
    number = planted.sum(axis=1)
    first = np.arange(value.shape[1]) < number[:, None]
    found = (np.take_along_axis(planted, order, axis=1) & first).sum(axis=1) / np.maximum(number, 1)
    return {
        name: [float(x.mean()), float(x.std(ddof=1) / np.sqrt(len(x)))]
        for name, x in (("mass", share), ("rank_accuracy", found))
    }


def _at(label: NDArray[np.int8], *slots: NDArray[np.int64]) -> Mask:
    planted = np.zeros((len(label), SLOTS), dtype=bool)
    for slot in slots:
        planted[np.arange(len(label)), slot] = label == 1
    return planted


def _toy(values: NDArray[Any], real: Mask, label: NDArray[np.int8], planted: Mask) -> Toy:
    number = len(label)
    metadata = FeatureMetadata(
        sample="toy",
        part="toy",
        streams={STREAM: StreamMetadata(kind="constituents", features=FEATURES, units=["", "rad", "", ""])},
        event=StreamMetadata(kind="event", features=["none"], units=[""]),
        folds=1,
        test_folds=[0],
        validation_folds=[],
    )
    features = FeatureSet(
        streams={STREAM: (values * real[..., None]).astype(np.float32)},
        masks={STREAM: real},
        event=np.zeros((number, 1), np.float32),
        label=label,
        weight=np.ones(number),
        event_number=np.arange(number, dtype=np.int64),
        fold=np.zeros(number, np.uint8),
        metadata=metadata,
    )
    return Toy(features, planted)
