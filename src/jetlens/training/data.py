"""Events for training: chosen by fold, weighted, shuffled, bucketed by length, trimmed, and streamed if need be."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from jetlens.config.folds import roles
from jetlens.errors import FileError, NoEventsError
from jetlens.features.batches import Batch, join, pack, trim
from jetlens.features.featurefile import FeatureMetadata, Part
from jetlens.features.normalisation import Normalisation

Role = Literal["training", "validation", "test"]

POOL = 20
"""Batches among which events are sorted by length: enough to save padding, few enough to stay random."""


class Events(Protocol):
    """What the training loop reads: events in batches, and what their features are."""

    metadata: FeatureMetadata

    def __len__(self) -> int:
        """Return the number of events."""

    def batches(self, size: int, rng: np.random.Generator | None = None) -> Iterator[Batch]:
        """Yield all events; ``rng`` shuffles them."""


class Dataset:
    """The events of one role in all parts, held in memory where they fit, streamed otherwise.

    Args:
        folders: of the parts' feature files, one or more per sample.
        streams: streams to read.
        role: which folds, as the files' metadata name them.
        weights: ``unit`` or ``physics``: how events of one class count against each other. In both cases weights are
            then scaled so that either class sums to N/2 and the mean is one (class balance): the loss knows nothing of
            the signal's cross section.
        memory_gb: hold events in memory up to this size.
        folds: (validation, test) folds to use in place of the metadata's (cross-validation).
        rotation: of these, for k-fold training; see :func:`jetlens.features.split.roles`.
        normalisation: what a generator weight stands for; with ``physics`` weights only.
        permute: seed of a permutation of the labels, after which they tell nothing; None: none.

    Raises:
        FileError: if files disagree in streams, features or folds.
        NoEventsError: if a class has no event.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        streams: Sequence[str],
        role: Role,
        weights: Literal["unit", "physics"] = "unit",
        memory_gb: float = 1.0,
        folds: tuple[list[int], list[int]] | None = None,
        rotation: int = 0,
        normalisation: Normalisation | None = None,
        permute: int | None = None,
    ) -> None:
        """Look up which rows of which file are wanted; inputs are read later."""
        # in an order of their own: that of files and of the sample table changes no batch
        self.parts = sorted((Part(folder, streams) for folder in folders), key=_place)
        if not self.parts:
            raise NoEventsError("training: no feature file given; run the features stage first")
        self.metadata: FeatureMetadata = self.parts[0].metadata
        _same(self.parts)
        self.role = role
        validation, test = folds or (self.metadata.validation_folds, self.metadata.test_folds)
        self.folds = roles(self.metadata.folds, test, validation, rotation, self.metadata.locked_folds)
        self._rows = [
            np.flatnonzero(np.isin(part.per_event("fold"), self.folds[role])) for part in self.parts
        ]
        labels = [part.per_event("label")[rows] for part, rows in zip(self.parts, self._rows, strict=True)]
        if permute is not None:
            labels = _permuted(labels, permute)
        raw = [
            _weights(part, weights, normalisation)[rows]
            for part, rows in zip(self.parts, self._rows, strict=True)
        ]
        self._weights = _balanced(labels, raw, role)
        self._labels = labels
        self._trimmed = [n for n in streams if self.metadata.streams[n].kind != "kinematics"]
        budget = int(memory_gb * 2**30)
        row_bytes = max(part.row_bytes() for part in self.parts)
        self.events = sum(len(rows) for rows in self._rows)
        self.streamed = self.events * row_bytes > budget
        # streaming: half the budget is a shuffle buffer, filled from small contiguous chunks of all files
        self._chunk = max(1, min(2048, budget // (16 * row_bytes)))
        self._buffer_rows = max(1, budget // (2 * row_bytes))
        self._held: Batch | None = None

    def __len__(self) -> int:
        """Return the number of events."""
        return self.events

    def counts(self) -> dict[str, int]:
        """Return the number of events of each class."""
        signal = int(sum(int(label.sum()) for label in self._labels))
        return {"signal": signal, "background": self.events - signal}

    def buffers(self, rng: np.random.Generator | None = None) -> Iterator[Batch]:
        """Yield all events in large pieces; with ``rng``, pieces are put together at random.

        In memory there is one piece, always the same; the caller shuffles within it.
        """
        if not self.streamed:
            if self._held is None:
                self._held = join([self._load(*chunk) for chunk in self._chunks()])
            yield self._held
            return
        chunks = self._chunks()
        order = np.arange(len(chunks)) if rng is None else rng.permutation(len(chunks))
        gathered: list[Batch] = []
        for index in order:
            gathered.append(self._load(*chunks[index]))
            if sum(map(len, gathered)) >= self._buffer_rows:
                yield join(gathered)
                gathered = []
        if gathered:
            yield join(gathered)

    def batches(
        self, size: int, rng: np.random.Generator | None = None, trim: bool = True
    ) -> Iterator[Batch]:
        """Yield batches of like length, trimmed to their longest real token.

        Args:
            size: events per batch; the last one may be smaller.
            rng: shuffles events and batches; None: the order of the files, for scoring.
            trim: cut token axes to the longest event of the batch.
        """
        for buffer in self.buffers(rng):
            for index in _batch_indices(self._lengths(buffer), size, rng):
                batch = buffer.take(index)
                yield self._trim(batch) if trim else batch

    def _lengths(self, buffer: Batch) -> NDArray[np.int64]:
        lengths = np.zeros(len(buffer), dtype=np.int64)
        for name in self._trimmed:
            lengths += buffer.inputs[f"{name}_mask"].sum(axis=1)
        return lengths

    def _trim(self, batch: Batch) -> Batch:
        return Batch(trim(batch.inputs, self._trimmed), batch.label, batch.weight)

    def _chunks(self) -> list[tuple[int, int, int]]:
        """Return (shard, first, last): groups of wanted rows that lie within a limited stretch of a file."""
        chunks = []
        for number, rows in enumerate(self._rows):
            edges = np.searchsorted(rows, np.arange(0, self.parts[number].events + self._chunk, self._chunk))
            chunks += [(number, int(a), int(b)) for a, b in itertools.pairwise(edges) if b > a]
        return chunks

    def _load(self, number: int, first: int, last: int) -> Batch:
        rows = self._rows[number][first:last]
        start = int(rows[0])
        arrays = self.parts[number].rows(start, int(rows[-1]) + 1)
        inputs = {name: array[rows - start] for name, array in arrays.items()}
        for name in self._trimmed:
            inputs[name], inputs[f"{name}_mask"] = pack(inputs[name], inputs[f"{name}_mask"])
        label = self._labels[number][first:last].astype(np.float32)
        return Batch(inputs, label, self._weights[number][first:last])


def _batch_indices(
    lengths: NDArray[np.int64], size: int, rng: np.random.Generator | None
) -> Iterator[NDArray[np.int64]]:
    """Yield indices of batches: shuffled, sorted by length within pools of batches, batches shuffled again."""
    number = len(lengths)
    if rng is None:
        yield from (np.arange(i, min(i + size, number)) for i in range(0, number, size))
        return
    order = rng.permutation(number)
    for first in range(0, number, POOL * size):
        pool = order[first : first + POOL * size]
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        batches = [pool[i : i + size] for i in range(0, len(pool), size)]
        yield from (batches[i] for i in rng.permutation(len(batches)))


def _place(part: Part) -> tuple[str, str]:
    return part.metadata.sample, part.metadata.part


def _same(parts: list[Part]) -> None:
    first = parts[0]
    for other in parts[1:]:
        for key in ("streams", "event", "folds", "test_folds", "validation_folds", "locked_folds"):
            if getattr(other.metadata, key) != getattr(first.metadata, key):
                raise FileError(
                    f"{other.path}: its {key} differ from those of {first.path}; make both with one config"
                )


def _permuted(labels: list[NDArray[Any]], seed: int) -> list[NDArray[Any]]:
    """Return the labels of all parts in random order: as many of each, of other events."""
    shuffled = np.random.default_rng(seed).permutation(np.concatenate(labels))
    return np.split(shuffled, np.cumsum([len(label) for label in labels])[:-1])


def _weights(part: Part, weights: str, normalisation: Normalisation | None) -> NDArray[np.float64]:
    """Weights of all events of a part, (N,), before classes are balanced."""
    if weights == "unit":
        return np.ones(part.events)
    if normalisation is None:
        raise FileError(f"{part.path}: training.weights: physics needs features/normalisation.json")
    scale = normalisation.of_sample(part.metadata.sample).scale
    return np.asarray(part.per_event("weight") * scale, dtype=np.float64)


def _balanced(
    labels: list[NDArray[Any]], raw: list[NDArray[np.float64]], role: str
) -> list[NDArray[np.float32]]:
    total = sum(len(label) for label in labels)
    factor = {}
    for value, name in ((1, "signal"), (0, "background")):
        weight = float(sum(w[label == value].sum() for w, label in zip(raw, labels, strict=True)))
        if not weight > 0:
            raise NoEventsError(
                f"training: the {role} folds hold no {name} event (or only ones of weight zero); add events, "
                "loosen the selection, or change features.split"
            )
        factor[value] = total / (2.0 * weight)
    return [
        (w * np.where(label == 1, factor[1], factor[0])).astype(np.float32)
        for w, label in zip(raw, labels, strict=True)
    ]
