"""Columns of a TTree straight from its baskets, wherever they are plain numbers; by plain uproot elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from jetlens.errors import FileError
from jetlens.events.arrays import Column, Index, offsets_from_counts
from jetlens.events.references import parse_reference_arrays
from jetlens.events.rootfile import RootTree
from jetlens.events.sources.base import Source
from jetlens.events.sources.plain import PlainSource

_VECTOR_BYTES = 64  # a TLorentzVector: two headers of 16 bytes, x, y, z, E in double precision


class TreeSource(Source):
    """Columns of a tree: the fast way of :class:`RootTree` where it applies."""

    def __init__(self, tree: RootTree) -> None:
        """Take over an open tree."""
        self.path, self.name, self.entries = tree.path, tree.name, tree.entries
        self._tree = tree
        self._slow: PlainSource | None = None
        self._is_fast: dict[str, bool] = {}

    @property
    def names(self) -> list[str]:
        """Full names of all branches and leaves."""
        return self._tree.names

    def __contains__(self, name: object) -> bool:
        """Tell whether the tree has a leaf or branch of this full name."""
        return name in self._tree

    def close(self) -> None:
        """Close the file."""
        self._tree.close()

    def shape(self, name: str) -> str:
        """Tell by the type that uproot names."""
        return self._plain().shape(name)

    def sibling(self, name: str) -> Source | None:
        """Return another tree of the same file."""
        return self._plain().sibling(name)

    def _plain(self) -> PlainSource:
        if self._slow is None:
            self._slow = PlainSource(self.path, self._tree.file, self.name)
        return self._slow

    def _fast(self, name: str) -> bool:
        if name not in self._is_fast:
            self._is_fast[name] = self._tree.is_plain(name)
        return self._is_fast[name]

    def numbers(self, names: Sequence[str], start: int, stop: int) -> dict[str, Column]:
        """Read columns with one number, or a fixed-size array, per entry; Delphes keeps lists of one."""
        fast = [name for name in names if self._fast(name)]
        ones = np.ones(stop - start, dtype=np.int64)
        found = self._tree.columns(fast, ones, start, stop) if fast else {}
        rest = [name for name in names if name not in found]
        return found | (self._plain().numbers(rest, start, stop) if rest else {})

    def lists(
        self, names: Sequence[str], start: int, stop: int, counter: str | None = None
    ) -> tuple[Index, dict[str, Column]]:
        """Read columns with a list per entry."""
        counter = counter if counter is not None and counter in self else self._counter(names)
        fast = [name for name in names if counter is not None and self._fast(name)]
        rest = [name for name in names if name not in fast]
        offsets: Index | None = None
        found: dict[str, Column] = {}
        if counter is not None and (fast or not names):
            counts = self._tree.counts(counter, start, stop)
            offsets = offsets_from_counts(counts)
            found = self._tree.columns(fast, counts, start, stop) if fast else {}
        if rest:
            own, further = self._plain().lists(rest, start, stop)
            offsets = self.same_lengths(offsets, own, rest[0])
            found |= further
        if offsets is None:
            raise FileError(f"{self.path}: tree '{self.name}' has no counter for these objects")
        return offsets, found

    def _counter(self, names: Sequence[str]) -> str | None:
        counters = {self._counter_of(name) for name in names}
        return counters.pop() if len(counters) == 1 else None

    def _counter_of(self, name: str) -> str | None:
        """The counter of a leaf: of a split TClonesArray ``Weight.Weight`` the branch ``Weight`` itself."""
        whole = name.split(".")[0]
        counter = whole if "." in name and whole in self._tree else self._tree.counter_of(name)
        return counter if counter is not None and self._fast(counter) else None

    def nested(self, names: Sequence[str], start: int, stop: int) -> tuple[Index, Index, dict[str, Column]]:
        """Read columns with a list of lists per entry."""
        return self._plain().nested(names, start, stop)

    def vectors(
        self, name: str, start: int, stop: int, counter: str | None = None
    ) -> tuple[Index, NDArray[np.float64]]:
        """Read TLorentzVectors, one or (the first of) five per object."""
        if counter is None:
            return self._plain().vectors(name, start, stop)
        number = 5 if name.endswith("[5]") else 1
        counts = self._tree.counts(counter, start, stop)
        offsets = offsets_from_counts(counts)
        data, edges = self._tree.raw(name, start, stop)
        if not np.array_equal(edges, offsets * (_VECTOR_BYTES * number)):
            raise self.mismatch(name, f"{edges[-1]} bytes")
        return offsets, data.view(">f8").reshape(-1, 8 * number)[:, 4:8].astype(np.float64)

    def references(
        self, name: str, counts: Index, wanted: Index, start: int, stop: int
    ) -> tuple[Index, NDArray[np.uint32]]:
        """Read the ids of TRefArrays, process bits included."""
        data, edges = self._tree.raw(name, start, stop)
        return parse_reference_arrays(data, edges, counts, wanted, f"{self.path}: branch '{name}'")

    def bytes_per_event(self, names: Sequence[str]) -> float:
        """Mean uncompressed size of these leaves in one event."""
        return self._tree.bytes_per_event(names)

    def edges(self, names: Sequence[str]) -> Index:
        """Entries at which a basket of any of these leaves starts."""
        return self._tree.cluster_edges(names)
