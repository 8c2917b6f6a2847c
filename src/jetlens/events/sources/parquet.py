"""Columns of parquet files: numbers, lists, and lists of lists; ``a.b`` is field b of records a."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import awkward as ak
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from jetlens.events.arrays import Index, offsets_from_counts
from jetlens.events.rootopen import clear_errors
from jetlens.events.sources.base import AwkwardSource


class ParquetSource(AwkwardSource):
    """Columns of a parquet file."""

    def __init__(self, path: str) -> None:
        """Read the footer.

        Raises:
            FileError: if it is no parquet file.
        """
        self.path = path
        with clear_errors(path, "opening"):
            self._file = pq.ParquetFile(path, memory_map=False)
            self.entries = int(self._file.metadata.num_rows)
            sizes = [self._file.metadata.row_group(k).num_rows for k in range(self._file.num_row_groups)]
            self._paths = _paths(self._file.schema)
        self._edges = offsets_from_counts(np.array(sizes, dtype=np.int64))
        self._schema = self._file.schema_arrow  # made anew at every access
        self._columns, self._names = set(self._schema.names), _names(self._schema)

    @property
    def names(self) -> list[str]:
        """Names of all columns."""
        return list(self._names)

    def __contains__(self, name: object) -> bool:
        """Tell whether there is a column of this name."""
        return name in self._names

    def shape(self, name: str) -> str:
        """Tell by the type in the file."""
        kind, depth = self._names[name]
        number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
        return ("numbers", "lists", "nested")[depth] if number and depth < 3 else "other"

    def array(self, name: str, start: int, stop: int) -> Any:
        """Read one column, an awkward array."""
        head, *rest = name.split(".") if name not in self._columns else [name]
        pieces = []
        for group in range(len(self._edges) - 1):
            low, high = int(self._edges[group]), int(self._edges[group + 1])
            if low < stop and high > start:
                with clear_errors(self.path, f"reading '{name}'"):
                    table = self._file.read_row_group(
                        group, columns=[self._paths.get(name, head)], use_threads=False
                    )
                    whole = table.column(head)
                pieces.append(whole.slice(max(start - low, 0), min(stop, high) - max(start, low)))
        if not pieces:
            pieces = [pa.chunked_array([[]], type=self._schema.field(head).type)]
        chunks = [chunk for piece in pieces for chunk in piece.chunks]
        array = ak.from_arrow(pa.chunked_array(chunks, type=pieces[0].type))
        for field in rest:
            array = array[field]
        return array

    def bytes_per_event(self, names: Sequence[str]) -> float:
        """Mean uncompressed size of all columns in one entry."""
        size = sum(self._file.metadata.row_group(k).total_byte_size for k in range(self._file.num_row_groups))
        return float(size) / max(self.entries, 1)

    def edges(self, names: Sequence[str]) -> Index:
        """Entries at which row groups start."""
        return self._edges if len(self._edges) > 1 else np.array([0, self.entries], dtype=np.int64)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _plain(kind: Any) -> Any:
    """The stored type, without awkward's own extension around it."""
    return getattr(kind, "storage_type", kind)


def _names(schema: Any) -> dict[str, tuple[Any, int]]:
    """Columns by name, each with its type and how many lists deep it is; fields of records under ``records.field``."""
    found: dict[str, tuple[Any, int]] = {}

    def add(name: str, kind: Any, depth: int) -> None:
        kind = _plain(kind)
        while pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
            kind, depth = _plain(kind.value_type), depth + 1
        if pa.types.is_struct(kind):
            for child in kind:
                add(f"{name}.{child.name}", child.type, depth)
        else:
            found[name] = kind, depth

    for field in schema:
        add(field.name, field.type, 0)
    return found


def _paths(schema: Any) -> dict[str, str]:
    """Where columns are stored: ``jets.pt`` in ``jets.list.element.pt``, or whatever lists' contents are called."""
    stored = [schema.column(k).path for k in range(len(schema))]
    return {re.sub(r"\.(list|bag)\.\w+", "", path): path for path in stored}
