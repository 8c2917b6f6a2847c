"""Jagged collections as flat numpy columns and offsets: what readers hand out and selections work on.

``columns[c][offsets[i]:offsets[i + 1]]`` are the values of column ``c`` in event ``i``. Everything below is vectorised;
no Python loop runs over events or objects.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Column = NDArray[Any]
Index = NDArray[np.int64]
Mask = NDArray[np.bool_]


def offsets_from_counts(counts: NDArray[Any]) -> Index:
    """Return the N + 1 offsets that belong to N counts."""
    offsets = np.zeros(len(counts) + 1, dtype=np.int64)
    np.cumsum(counts, out=offsets[1:])
    return offsets


def ranges(starts: Index, counts: Index) -> Index:
    """Concatenate ``arange(start, start + count)`` for all pairs of ``starts`` and ``counts``."""
    offsets = offsets_from_counts(counts)
    return np.repeat(starts - offsets[:-1], counts) + np.arange(offsets[-1])


@dataclass(frozen=True)
class Jagged:
    """Records of variable number per event (or per jet).

    Attributes:
        offsets: int64 (N + 1,), where each event's records start; the last one is their total number.
        columns: flat arrays by name, each of the length ``offsets[-1]``.
    """

    offsets: Index
    columns: Mapping[str, Column]

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.offsets) - 1

    def __getitem__(self, column: str) -> Column:
        """Return one flat column."""
        return self.columns[column]

    @property
    def counts(self) -> Index:
        """Records per event, int64 (N,)."""
        return np.diff(self.offsets)

    @property
    def events(self) -> Index:
        """The event of each record, int64 (offsets[-1],)."""
        return np.repeat(np.arange(len(self)), self.counts)

    def take_events(self, mask: Mask) -> Jagged:
        """Keep the events where ``mask``, bool (N,), is true."""
        if mask.all():
            return self
        counts = self.counts[mask]
        rows = ranges(self.offsets[:-1][mask], counts)
        return Jagged(
            offsets_from_counts(counts), {name: values[rows] for name, values in self.columns.items()}
        )

    def select(self, mask: Mask) -> Jagged:
        """Keep the records where ``mask``, bool (offsets[-1],), is true; the number of events stays."""
        if mask.all():
            return self
        kept = np.concatenate([[0], np.cumsum(mask)])
        return Jagged(kept[self.offsets], {name: values[mask] for name, values in self.columns.items()})

    def sorted_by(self, column: str) -> Jagged:
        """Order each event's records by falling ``column``; equal ones keep their order."""
        values = self.columns[column]
        falls = np.ones(len(values), dtype=bool)
        falls[1:] = values[1:] <= values[:-1]
        falls[self.offsets[:-1][self.counts > 0]] = True
        if falls.all():
            return self
        order = np.lexsort((-values, self.events))
        return Jagged(self.offsets, {name: content[order] for name, content in self.columns.items()})

    def leading(self, number: int) -> Jagged:
        """Keep the first ``number`` records of each event."""
        counts = np.minimum(self.counts, number)
        rows = ranges(self.offsets[:-1], counts)
        return Jagged(
            offsets_from_counts(counts), {name: values[rows] for name, values in self.columns.items()}
        )

    def padding(self, number: int) -> tuple[Index, Mask]:
        """Where each event's first ``number`` records are.

        Returns:
            rows: int64 (N, number) into the flat columns; 0 where there is no record.
            mask: bool (N, number), true where there is one.
        """
        steps = np.arange(number)
        mask = steps < self.counts[:, np.newaxis]
        return np.where(mask, self.offsets[:-1, np.newaxis] + steps, 0), mask

    def padded(self, column: str, number: int) -> tuple[Column, Mask]:
        """Return a column as (N, number), zero where an event has fewer records, and the mask of real ones."""
        rows, mask = self.padding(number)
        values = self.columns[column]
        if len(values) == 0:
            return np.zeros((len(self), number, *values.shape[1:]), dtype=values.dtype), mask
        padded = values[rows]
        padded[~mask] = 0
        return padded, mask

    def to_awkward(self) -> Any:
        """Return the collection as an awkward array of records, N * var * {…}."""
        import awkward as ak

        layout = ak.contents.ListOffsetArray(
            ak.index.Index64(self.offsets),
            ak.contents.RecordArray(
                [ak.contents.NumpyArray(np.ascontiguousarray(values)) for values in self.columns.values()],
                list(self.columns),
                length=int(self.offsets[-1]),
            ),
        )
        return ak.Array(layout)
