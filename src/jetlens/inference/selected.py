"""The events that templates are filled from, ``inference/events/<variant>/<sample>[@<variation>].parquet``.

A row is an event, or with tag weights one of its drawn tag patterns. Columns: ``event``, ``fold``, ``weight`` (the
generator's, times the probability of the pattern), the score, or one per mass hypothesis (``score_m<mass>``), and the
observables of the configuration.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from jetlens.errors import FileError
from jetlens.inference.templates import Events

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Selected:
    """Events of one sample, N rows.

    Attributes:
        number: what tells the sample's events apart, int64 (N,): equal for all rows of an event, in all variations.
        fold: of the split, uint8 (N,).
        weight: float64 (N,).
        columns: score and observables by name, float64 (N,).
    """

    number: NDArray[np.int64]
    fold: NDArray[np.uint8]
    weight: Floats
    columns: Mapping[str, Floats] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.weight)

    def take(self, chosen: NDArray[np.bool_]) -> Selected:
        """Return some of the rows."""
        return Selected(
            self.number[chosen],
            self.fold[chosen],
            self.weight[chosen],
            {name: values[chosen] for name, values in self.columns.items()},
        )

    def times(self, factor: float | Floats) -> Selected:
        """Return the rows with their weights multiplied."""
        return replace(self, weight=self.weight * factor)

    def of_event(self) -> Floats:
        """Weight of each row's whole event, all of its rows added, float64 (N,)."""
        _, event = np.unique(self.number, return_inverse=True)
        return np.bincount(event, self.weight).astype(np.float64)[event] if len(self) else self.weight

    def event_weight(self) -> float:
        """Return Σw²/Σ|w| over events: what one more of them would weigh; 0 without any."""
        total = float(np.abs(self.weight).sum())
        return float((self.weight * self.of_event()).sum()) / total if total > 0 else 0.0

    def events(self, observable: str) -> Events:
        """Return what a template of an observable is filled from."""
        return Events(self.columns[observable], self.weight, self.number)


def read_selected(path: str | os.PathLike[str], observables: Collection[str]) -> Selected:
    """Read a file; ``observables`` are the columns that it must have besides a score.

    Raises:
        FileError: if it cannot be read, or a column is missing or has no numbers.
    """
    own = ("event", "fold", "weight", *observables)
    try:
        found = pq.read_schema(path).names
        scores = [name for name in found if name == "score" or name.startswith("score_m")]
        wanted = [name for name in found if name in (*own, *scores)]
        table = pq.read_table(path, columns=wanted)
    except (OSError, pa.ArrowException) as error:
        raise FileError(f"{path}: is no file of selected events: {error}; make it again") from error
    for name in own:
        if name not in wanted:
            raise FileError(f"{path}: has no column '{name}', found: {', '.join(found)}; make it again")
    arrays = {name: table[name].to_numpy() for name in wanted}
    if bad := int((~np.isfinite(arrays["weight"])).sum()):
        raise FileError(f"{path}: 'weight' is not finite in {bad} rows")
    return Selected(
        arrays["event"].astype(np.int64, copy=False),
        arrays["fold"].astype(np.uint8, copy=False),
        arrays["weight"].astype(np.float64, copy=False),
        {name: arrays[name].astype(np.float64, copy=False) for name in (*scores, *observables)},
    )


def passing(events: Selected, condition: str) -> NDArray[np.bool_]:
    """Evaluate a condition on score and observables: bool (N,), false where what it needs is missing."""
    if not condition:
        return np.ones(len(events), dtype=bool)
    return np.asarray(_evaluator(events).mask(_checked(events, condition, "cut")), dtype=bool)


def values(events: Selected, expression: str) -> Floats:
    """Evaluate a number per row: float64 (N,), NaN where it is missing."""
    return np.asarray(_evaluator(events).numbers(_checked(events, expression, "number")), dtype=np.float64)


def _checked(events: Selected, text: str, expect):  # type: ignore[no-untyped-def]
    from jetlens.expressions import Namespace, check

    return check(text, Namespace(scalars=dict.fromkeys(events.columns, "number")), expect)


def _evaluator(events: Selected):  # type: ignore[no-untyped-def]
    import awkward as ak  # here: many analyses have no condition, and it takes a while to load

    from jetlens.expressions.evaluate import Evaluator

    return Evaluator(ak.zip({name: ak.from_numpy(column) for name, column in events.columns.items()}))


def joined(parts: Sequence[Selected]) -> Selected:
    """Return the rows of several samples; rows of one event still have one number, which means nothing else."""
    numbers, first = [], 0
    for part in parts:
        events, own = np.unique(part.number, return_inverse=True)
        numbers.append(own + first)
        first += len(events)
    return Selected(
        np.concatenate(numbers).astype(np.int64),
        np.concatenate([part.fold for part in parts]),
        np.concatenate([part.weight for part in parts]),
        {name: np.concatenate([part.columns[name] for part in parts]) for name in parts[0].columns},
    )


def weight_of_one(features: Sequence[Path]) -> float:
    """Return Σw²/Σ|w| of all of a sample's selected events, whatever their fold; 0 without any.

    Args:
        features: folders of its feature files, all parts.
    """
    squared = total = 0.0
    for folder in features:
        with np.load(folder / "event.npz", allow_pickle=False) as file:
            weight = file["weight"]
        squared, total = squared + float((weight**2).sum()), total + float(np.abs(weight).sum())
    return squared / total if total > 0 else 0.0


def elsewhere(parts: Sequence[Selected]) -> list[Floats]:
    """Return the weight that the event of each row has in the other parts, which are of one sample: (N,) each."""
    numbers = np.concatenate([part.number for part in parts])
    _, event = np.unique(numbers, return_inverse=True)
    of_part = np.split(event, np.cumsum([len(part) for part in parts])[:-1])
    size = int(event.max(initial=-1)) + 1
    sums = [np.bincount(own, part.weight, size) for own, part in zip(of_part, parts, strict=True)]
    total = np.sum(sums, axis=0)
    return [np.asarray((total - own)[at]) for own, at in zip(sums, of_part, strict=True)]


def share_of_folds(features: Sequence[Path], folds: Collection[int]) -> float:
    """Return Σw of all of a sample's selected events over Σw of those in some folds.

    Args:
        features: folders of its feature files, all parts.
        folds: those that templates are filled from.

    Raises:
        FileError: if no event is in them.
    """
    total = used = 0.0
    for folder in features:
        with np.load(folder / "event.npz", allow_pickle=False) as file:
            weight, fold = file["weight"], file["fold"]
        total += float(weight.sum())
        used += float(weight[np.isin(fold, list(folds))].sum())
    if not used and not folds:
        return 1.0  # of a small sample none may lie in the validation folds
    if not used:
        raise FileError(f"{features[0].parent}: no event in folds {sorted(folds)}; give more events or folds")
    return total / used
