"""Columns of ROOT files by plain uproot: TTree with any branch, std::vector included, and RNTuple.

The second source where :mod:`jetlens.events.sources.tree` does not apply: slower, and the same numbers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jetlens.events.arrays import Index, offsets_from_counts
from jetlens.events.rootopen import by_name, clear_errors
from jetlens.events.sources.base import AwkwardSource, Source, unlist

_NUMBERS = {
    *(f"{u}int{n}" for u in ("", "u") for n in (8, 16, 32, 64)),
    "float",
    "double",
    "bool",
    "int",
    "char",
}
_NUMBERS |= {
    "Float16",
    "Double32",
    "unsignedint",
    "short",
    "unsignedshort",
    "long",
    "unsignedlong",
    "unsignedchar",
}


class PlainSource(AwkwardSource):
    """Columns of a tree or RNTuple, read by uproot."""

    def __init__(self, path: str, file: Any, name: str) -> None:
        """Take over an open file; ``name`` is that of its tree or RNTuple."""
        self.path, self.name, self._file = path, name, file
        with clear_errors(path, f"reading the tree '{name}'"):
            tree = file[name]
            self.entries = int(tree.num_entries)
            self._tuple = None if hasattr(tree, "branches") else tree
            self._columns: dict[str, Any] = by_name(tree) if self._tuple is None else _fields(tree)

    @property
    def names(self) -> list[str]:
        """Names of all branches or fields."""
        return list(self._columns)

    def __contains__(self, name: object) -> bool:
        """Tell whether there is a branch or field of this full name."""
        return name in self._columns

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def shape(self, name: str) -> str:
        """Tell by the type that uproot names."""
        try:
            kind = str((self._columns[name] if self._tuple is None else self._tuple[name]).typename)
        except Exception:  # of classes that uproot does not know, it raises many kinds
            return "other"
        in_tree = kind.count("std::vector<") + kind.count("[]")
        depth = in_tree if self._tuple is None else self._columns[name]
        plain = re.sub(r"std::vector<|[>\[\] ]|std::|_t\b", "", kind)
        if plain not in _NUMBERS:
            return "other"
        return ("numbers", "lists", "nested")[depth] if depth < 3 else "other"

    def sibling(self, name: str) -> Source | None:
        """Return another tree of the same file."""
        return PlainSource(self.path, self._file, name) if name in self._file else None

    def array(self, name: str, start: int, stop: int) -> Any:
        """Read one column as uproot gives it, an awkward array."""
        with clear_errors(self.path, f"reading '{name}'"):
            head, *rest = [name] if self._tuple is None else name.split(".")
            column = self._columns[name] if self._tuple is None else self._tuple[head]
            array = column.array(entry_start=start, entry_stop=stop, library="ak")
            for part in rest:
                array = array[part]
            if len(array) != stop - start:
                raise self.mismatch(name, f"{len(array)} entries of {stop - start}")
            return array

    def vectors(
        self, name: str, start: int, stop: int, counter: str | None = None
    ) -> tuple[Index, NDArray[np.float64]]:
        """Read TLorentzVectors."""
        array = self.array(name, start, stop)
        if array.ndim > 2:
            array = array[:, :, 0]
        parts = [*(array["fP"][f"f{axis}"] for axis in "XYZ"), array["fE"]]
        pairs = [unlist(self.path, name, part, 1) for part in parts]
        return pairs[0][0][0], np.stack([values for _, values in pairs], axis=-1).astype(np.float64)

    def references(
        self, name: str, counts: Index, wanted: Index, start: int, stop: int
    ) -> tuple[Index, NDArray[np.uint32]]:
        """Read the ids of TRefArrays, process bits included."""
        array = self.array(name, start, stop)["refs"]
        (outer, inner), ids = unlist(self.path, name, array, 2)
        self.same_lengths(offsets_from_counts(counts), outer, name)
        number = np.diff(inner)[wanted]
        rows = np.repeat(inner[:-1][wanted] - offsets_from_counts(number)[:-1], number)
        return number, ids[rows + np.arange(len(rows))].view(np.uint32)

    def bytes_per_event(self, names: Sequence[str]) -> float:
        """Mean uncompressed size of these branches in one entry; a guess for RNTuple."""
        sizes = [self._columns[name].member("fTotBytes") for name in names if self._has_size(name)]
        return float(sum(sizes)) / max(self.entries, 1) if sizes else 64.0 * len(names)

    def _has_size(self, name: str) -> bool:
        column = self._columns.get(name)
        return column is not None and hasattr(column, "member") and bool(column.has_member("fTotBytes"))


def _fields(table: Any) -> dict[str, int]:
    """Names in an RNTuple, and how many lists deep each is: fields, and parts of records as ``record.part``.

    From the table's own description: uproot's recursive ``keys`` takes seconds for a thousand fields.
    """
    found: list[tuple[str, int]] = []
    for number, entry in enumerate(table.field_records):
        name, parent, depth = str(entry.field_name), int(entry.parent_field_id), int(entry.struct_role == 1)
        if parent != number:
            above, outer = found[parent]
            name, depth = (
                above if name == "_0" else f"{above}.{name}",
                outer + depth,
            )  # "_0": what a list holds
        found.append((name, depth))
    inner: dict[str, int] = {}
    for name, depth in found:  # what ROOT keeps for itself starts with "_"
        inner |= {} if name.startswith("_") else {name: max(depth, inner.get(name, 0))}
    return inner
