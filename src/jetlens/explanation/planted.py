"""Planted truth: toy jets whose class depends on constituents that are known, so that explanations have a right answer.

``displaced_track``: signal has one track of large d0 significance. ``mass_pair``: two hard constituents have an
invariant mass of 40 GeV in signal, any other mass in background. ``two_prong``: each of two prongs may hold a displaced
track, and one is enough for signal; the events explained have both, so each stands in for the other: leave-one-out sees
little of either. As in arXiv:2310.06514, what is scored is the share of an explanation on the planted constituents.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jetlens.config.training import TrainingConfig
from jetlens.features.featurefile import FeatureMetadata, FeatureSet, StreamMetadata
from jetlens.trained.model import TrainedModel

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
FEATURES = ["delta_eta", "delta_phi", "log_pt", "d0_significance"]
STREAM = "jet1"
SLOTS = 10
HARD = 3
"""Most hard constituents of a jet."""
SPREAD = 0.25
"""Standard deviation of constituents about the jet's axis in Δη and Δφ."""
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


def displaced_track(number: int, rng: np.random.Generator) -> Toy:
    """Return jets of which signal has one displaced track, 6 to 12 standard deviations."""
    label = _labels(number)
    values, real, order = _jets(label, rng)
    planted = _first(order, label)
    values[..., 3] = np.where(planted, _displaced(real.shape, rng), values[..., 3])
    return _toy(values, real, label, planted)


def mass_pair(number: int, rng: np.random.Generator) -> Toy:
    """Return jets of which signal has two hard constituents with a mass of 40 GeV, and in half of them a third one.

    Background has none to three hard constituents, and no two of a mass within 8 GeV of that. So a signal jet without
    one of its pair is background, and one without its third is signal: neither is new to a network. Nor does a
    constituent of the pair tell by itself, by its pT or its place, that it belongs to one.
    """
    label = _labels(number)
    hard = np.where(label == 1, rng.integers(2, 4, number), rng.integers(0, 4, number))
    values, real, order = _jets(hard, rng)
    place = np.empty((number, HARD, 3))
    todo = np.arange(number)
    while len(todo):
        place[todo] = _hard(label[todo], rng)
        todo = todo[_ambiguous(place[todo], hard[todo], label[todo])]
    rows = np.arange(number)
    for k in range(HARD):
        n = rows[hard > k]
        values[n, order[n, k], :3] = place[n, k]
    return _toy(values, real, label, _first(order, 2 * label))


def two_prong(number: int, rng: np.random.Generator) -> Toy:
    """Return jets of two prongs; signal has a displaced track in one or in both: one is enough."""
    label = _labels(number)
    displaced = label * rng.integers(1, 3, number)
    values, real, order = _jets(displaced, rng)
    planted = _first(order, displaced)
    side = rng.choice([-1, 1], real.shape)
    side[np.arange(number), order[:, 1]] = -side[np.arange(number), order[:, 0]]
    values[..., 0] = 0.3 * side + rng.normal(0, 0.05, real.shape)
    values[..., 3] = np.where(planted, _displaced(real.shape, rng), values[..., 3])
    return _toy(values, real, label, planted)


def pair_mass(a: Floats, b: Floats) -> Floats:
    """Return the mass [GeV] of two massless constituents (..., 3), Δη, Δφ and ln(pT / GeV)."""
    apart = np.cosh(a[..., 0] - b[..., 0]) - np.cos(a[..., 1] - b[..., 1])
    return np.asarray(np.sqrt(2 * np.exp(a[..., 2] + b[..., 2]) * apart))


def _labels(number: int) -> NDArray[np.int64]:
    return np.arange(number) % 2


def _jets(special: NDArray[np.int64], rng: np.random.Generator) -> tuple[Floats, Mask, NDArray[np.int64]]:
    """Return values and real slots of jets with 0 to 7 soft constituents and so many special ones (N,).

    Third: the slots of each jet in random order, real ones first; special constituents take the first of them. Soft
    ones are as many in either class, so that what is left when some are taken away has been seen in training.
    """
    number = len(special)
    real = np.arange(SLOTS) < (special + rng.integers(0, SLOTS - HARD + 1, number))[:, None]
    values = rng.normal(size=(number, SLOTS, 4))
    values[..., :2] *= SPREAD
    values[..., 2] = rng.uniform(0, 2, values.shape[:2])
    return values, real, np.argsort(np.where(real, rng.random(real.shape), 2), axis=1)


def _first(order: NDArray[np.int64], number: NDArray[np.int64]) -> Mask:
    """Return the mask of the first so many slots of an order."""
    chosen = np.zeros(order.shape, dtype=bool)
    np.put_along_axis(chosen, order, np.arange(order.shape[1]) < number[:, None], axis=1)
    return chosen


def _hard(label: NDArray[np.int64], rng: np.random.Generator) -> Floats:
    """Return Δη, Δφ, ln pT (N, 3, 3) of three hard constituents, of signal the first two with the planted mass."""
    number = len(label)
    pt = rng.uniform(60, 90, (number, HARD))
    mass, turn = rng.normal(MASS, 1, number), rng.uniform(0, 2 * np.pi, number)
    place = np.stack([*rng.normal(0, SPREAD, (2, number, HARD)), np.log(pt)], axis=-1)
    apart = np.stack([np.cos(turn), np.sin(turn)], axis=-1)
    for _ in range(3):  # m grows nearly as the distance
        placed = place.copy()
        middle = place[:, :2, :2].mean(axis=1)
        placed[:, 0, :2], placed[:, 1, :2] = middle + apart / 2, middle - apart / 2
        apart *= (mass / pair_mass(placed[:, 0], placed[:, 1]))[:, None]
    return np.where((label == 1)[:, None, None], placed, place)


def _ambiguous(place: Floats, hard: NDArray[np.int64], label: NDArray[np.int64]) -> Mask:
    """Return which jets have a hard pair, but for the planted one, with about the planted mass."""
    found = np.zeros(len(place), dtype=bool)
    for i, j in ((0, 1), (0, 2), (1, 2)):
        near = np.abs(pair_mass(place[:, i], place[:, j]) - MASS) < 8
        found |= near & (hard > j) & ~((label == 1) & (j == 1))
    return found


def _displaced(shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    return np.asarray(rng.uniform(6, 12, shape) * rng.choice([-1, 1], shape))


TOYS: dict[str, Callable[[int, np.random.Generator], Toy]] = {
    "displaced_track": displaced_track,
    "mass_pair": mass_pair,
    "two_prong": two_prong,
}
FOLDS = 10
"""Of toy jets; the networks are stopped on the first one."""


def network(options: Any) -> Any:
    """Return the options of one of the pipeline's networks for toy jets: one stream, no event vector.

    Symmetries are left out of its training: toys lack what jets are turned by, and more of them can be drawn.
    """
    content = options.model_dump()
    content |= {"streams": [STREAM]} if "streams" in content else {"stream": STREAM}
    content["training"] |= {"augmentation": []}
    return type(options).model_validate(content | {"use_event": False})


def train(toy: Toy, options: Any, training: TrainingConfig, seed: int = 1) -> TrainedModel:
    """Train a network on toy jets as the training stage does, early stopping included.

    Args:
        toy: the jets.
        options: of the network, see :func:`network`.
        training: settings of the loop.
        seed: of the training.
    """
    from jetlens.trained import load_model
    from jetlens.training import job

    with TemporaryDirectory() as folder:
        features, output = Path(folder) / "toy" / "toy", Path(folder) / "training"
        toy.features.write(features)
        job.train([features], output, variant="toy", options=options, training=training, seed=seed)
        return load_model(output)


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


def _toy(values: NDArray[Any], real: Mask, label: NDArray[np.int64], planted: Mask) -> Toy:
    number = len(label)
    metadata = FeatureMetadata(
        sample="toy",
        part="toy",
        streams={STREAM: StreamMetadata(kind="constituents", features=FEATURES, units=["", "rad", "", ""])},
        event=StreamMetadata(kind="event", features=["none"], units=[""]),
        folds=FOLDS,
        test_folds=[],
        validation_folds=[0],
    )
    features = FeatureSet(
        streams={STREAM: (values * real[..., None]).astype(np.float32)},
        masks={STREAM: real},
        event=np.zeros((number, 1), np.float32),
        label=label.astype(np.int8),
        weight=np.ones(number),
        event_number=np.arange(number, dtype=np.int64),
        fold=(np.arange(number) // 2 % FOLDS).astype(np.uint8),
        metadata=metadata,
    )
    return Toy(features, planted)
