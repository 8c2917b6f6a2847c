"""What every source offers: named columns of a file, for a range of its entries, as numpy arrays.

A source knows how a file stores columns, and nothing of what they mean; a schema knows the latter only.
"""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from jetlens.errors import DamagedFileError, FileError, did_you_mean
from jetlens.events.arrays import Column, Index, offsets_from_counts


class Source(abc.ABC):
    """Columns of one file.

    Attributes:
        path: what was opened, a path or a URL.
        name: name of the tree, table or group; empty where there is none.
        entries: number of entries.
    """

    path: str
    name: str = ""
    entries: int

    @property
    @abc.abstractmethod
    def names(self) -> list[str]:
        """Names of all columns."""

    @abc.abstractmethod
    def __contains__(self, name: object) -> bool:
        """Tell whether there is a column of this name."""

    def shape(self, name: str) -> str:
        """Tell, without reading it, what a column holds: ``numbers``, ``lists``, ``nested`` lists, or ``other``."""
        return "other"

    @abc.abstractmethod
    def numbers(self, names: Sequence[str], start: int, stop: int) -> dict[str, Column]:
        """Read columns with one number, or a fixed-size array, per entry: (stop − start, …) each."""

    @abc.abstractmethod
    def lists(
        self, names: Sequence[str], start: int, stop: int, counter: str | None = None
    ) -> tuple[Index, dict[str, Column]]:
        """Read columns with a list per entry, all of the same lengths.

        Args:
            names: columns; may be empty if there is a counter.
            start, stop: entries.
            counter: column with the lengths, where the file has one.

        Returns:
            offsets, int64 (stop − start + 1,), and the joined values, (offsets[-1], …) each.

        Raises:
            FileError: if a column holds something else.
            DamagedFileError: if lengths disagree.
        """

    def nested(self, names: Sequence[str], start: int, stop: int) -> tuple[Index, Index, dict[str, Column]]:
        """Read columns with a list of lists per entry: outer offsets, inner offsets, joined values."""
        raise FileError(f"{self.path}: this kind of file holds no lists of lists, as '{names[0]}' should be")

    def vectors(
        self, name: str, start: int, stop: int, counter: str | None = None
    ) -> tuple[Index, NDArray[np.float64]]:
        """Read stored four-vectors, one (or the first of several) per object: offsets, and (n, 4) px, py, pz, E."""
        raise FileError(f"{self.path}: this kind of file holds no four-vectors, as '{name}' should be")

    def references(
        self, name: str, counts: Index, wanted: Index, start: int, stop: int
    ) -> tuple[Index, NDArray[np.uint32]]:
        """Read the references of some objects to others.

        Args:
            name: the column.
            counts: objects per entry, (stop − start,).
            wanted: flat indices of the objects, (K,).
            start, stop: entries.

        Returns:
            references per wanted object, (K,), and their ids, joined.
        """
        raise FileError(f"{self.path}: this kind of file holds no references, as '{name}' should be")

    def bytes_per_event(self, names: Sequence[str]) -> float:
        """Mean size in memory of these columns in one entry."""
        return 8.0 * len(names)

    def edges(self, names: Sequence[str]) -> Index:
        """Entries at which the file can be cut so that nothing is read twice."""
        return np.array([0, self.entries], dtype=np.int64)

    def sibling(self, name: str) -> Source | None:
        """Return another tree of the same file, None if there is none of this name; it is closed with this one."""
        return None

    @abc.abstractmethod
    def close(self) -> None:
        """Close the file."""

    def require(self, names: Sequence[str], what: str) -> str:
        """Return the first of these columns that is there.

        Raises:
            FileError: if none is, naming what it is for and the closest name found.
        """
        for name in names:
            if name in self:
                return name
        wanted = names[0]
        head = wanted.split(".")[0].split("_")[0]
        nearby = [name for name in self.names if name.startswith(head) and name != head]
        hint = did_you_mean(wanted, nearby or self.names)
        tree = f"tree '{self.name}' " if self.name else ""
        raise FileError(
            f"{self.path}: {tree}has no branch '{wanted}', needed for {what}{hint if len(hint) < 300 else ''}"
        )

    def mismatch(self, name: str, found: str) -> DamagedFileError:
        """Return the error for a column that does not fit its counter or its neighbours."""
        return DamagedFileError(
            f"{self.path}: branch '{name}' does not fit its counter ({found}); the file is damaged"
        )

    def same_lengths(self, offsets: Index | None, own: Index, name: str) -> Index:
        """Compare a column's offsets with those known so far.

        Raises:
            DamagedFileError: if they differ.
        """
        if offsets is not None and not np.array_equal(offsets, own):
            raise self.mismatch(name, f"{own[-1]} values where {offsets[-1]} belong")
        return own if offsets is None else offsets


class AwkwardSource(Source):
    """Columns that come as awkward arrays, whole."""

    @abc.abstractmethod
    def array(self, name: str, start: int, stop: int) -> Any:
        """Read one column."""

    def numbers(self, names: Sequence[str], start: int, stop: int) -> dict[str, Column]:
        """Read columns with one number, or a fixed-size array, per entry; Delphes keeps lists of one."""
        found = {}
        for name in names:
            array = self.array(name, start, stop)
            if array.ndim > 1 and "var" in str(ak.type(array)):
                offsets, values = unlist(self.path, name, array, 1)
                self.same_lengths(np.arange(stop - start + 1), offsets[0], name)
            else:
                _, values = unlist(self.path, name, array, 0)
            found[name] = values
        return found

    def lists(
        self, names: Sequence[str], start: int, stop: int, counter: str | None = None
    ) -> tuple[Index, dict[str, Column]]:
        """Read columns with a list per entry."""
        offsets: Index | None = None
        found = {}
        for name in names:
            own, found[name] = unlist(self.path, name, self.array(name, start, stop), 1)
            offsets = self.same_lengths(offsets, own[0], name)
        if offsets is None:
            assert counter is not None
            counts = self.numbers([counter], start, stop)[counter]
            offsets = offsets_from_counts(counts.astype(np.int64))
        return offsets, found

    def nested(self, names: Sequence[str], start: int, stop: int) -> tuple[Index, Index, dict[str, Column]]:
        """Read columns with a list of lists per entry, such as std::vector<std::vector<float>>."""
        outer: Index | None = None
        inner: Index | None = None
        found = {}
        for name in names:
            own, found[name] = unlist(self.path, name, self.array(name, start, stop), 2)
            outer, inner = self.same_lengths(outer, own[0], name), self.same_lengths(inner, own[1], name)
        assert outer is not None
        assert inner is not None
        return outer, inner, found


def unlist(path: str, name: str, array: Any, depth: int) -> tuple[list[Index], Column]:
    """Take an awkward array of ``depth`` levels of lists apart: offsets of each level, and the joined numbers.

    Raises:
        FileError: if it holds something else.
    """
    if "?" in str(ak.type(array)):
        array = ak.fill_none(array, np.nan, axis=-1)
    layout = ak.to_layout(array).to_packed()
    offsets: list[Index] = []
    for _ in range(depth):
        if isinstance(layout, ak.contents.NumpyArray) and layout.data.ndim > 1:
            layout = layout.to_RegularArray()
        if layout.is_option and layout.content.is_list:  # a list that is not there is an empty one
            lists = ak.Array(layout)
            offsets.append(offsets_from_counts(np.asarray(ak.fill_none(ak.num(lists, axis=1), 0))))
            layout = ak.flatten(lists[~ak.is_none(lists)], axis=1).layout.to_packed()
            continue
        if not layout.is_list:
            raise FileError(f"{path}: '{name}' holds {ak.type(array)}; expected {depth} level(s) of lists")
        layout = layout.to_ListOffsetArray64(True)
        offsets.append(np.asarray(layout.offsets.data, dtype=np.int64))
        layout = layout.content
    try:
        values = np.asarray(ak.to_numpy(ak.Array(layout), allow_missing=False))
    except (ValueError, TypeError) as error:
        raise FileError(f"{path}: '{name}' holds {ak.type(array)}; expected plain numbers") from error
    if values.dtype.kind not in "biuf":
        raise FileError(f"{path}: '{name}' holds {ak.type(array)}; expected plain numbers")
    return offsets, values
