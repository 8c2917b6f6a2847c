"""Columns of numpy files (.npz, .npy) and of HDF5, pandas' tables included.

A column is an array over the entries, (N, …). ``name[k]`` is element k of its last axis, so that an array (N, P, F)
holds F columns of P slots. Nothing is ever unpickled: not numpy's object arrays, and not the column names that pandas
pickles into the attributes of its tables, which are read as text.
"""

from __future__ import annotations

import abc
import pickletools
import re
import zipfile
from collections.abc import Sequence
from typing import IO, Any

import h5py
import numpy as np

from jetlens.errors import DamagedFileError, FileError
from jetlens.events.arrays import Column, Index, offsets_from_counts
from jetlens.events.rootopen import clear_errors
from jetlens.events.sources.base import Source

_ELEMENT = re.compile(r"(.+)\[(\d+)\]")


class ArraySource(Source):
    """Columns that are slices of arrays over the entries."""

    def __init__(self, path: str, name: str, shapes: dict[str, tuple[int, ...]]) -> None:
        """Make sure that all arrays are over the same entries.

        Args:
            path: the file.
            name: name of the group or table.
            shapes: of all arrays, by name.
        """
        self.path, self.name, self._shapes = path, name, shapes
        lengths = {array: shape[0] for array, shape in shapes.items() if shape}
        if not lengths:
            raise FileError(f"{path}: holds no array over entries")
        self.entries = next(iter(lengths.values()))
        for array, length in lengths.items():
            if length != self.entries:
                first = next(iter(lengths))
                raise FileError(
                    f"{path}: array '{array}' has {length} entries, '{first}' has {self.entries}; expected the same"
                )
        self._kept: tuple[str, int, int, Any] | None = None

    @property
    def names(self) -> list[str]:
        """Names of all columns."""
        found: list[str] = []
        for name, shape in self._shapes.items():
            found += [f"{name}[{k}]" for k in range(shape[-1])] if len(shape) > 2 else [name]
        return found

    def __contains__(self, name: object) -> bool:
        """Tell whether there is such an array, or element of its last axis."""
        base, element = self._split(str(name))
        shape = self._shapes.get(base)
        return shape is not None and (element is None or (len(shape) > 1 and element < shape[-1]))

    def _split(self, name: str) -> tuple[str, int | None]:
        match = _ELEMENT.fullmatch(name)
        if match is None or name in self._shapes:
            return name, None
        return match[1], int(match[2])

    def shape(self, name: str) -> str:
        """One number per entry; rows of slots are described by hand."""
        base, element = self._split(name)
        return "numbers" if len(self._shapes[base]) - (element is not None) == 1 else "other"

    @abc.abstractmethod
    def _rows(self, name: str, start: int, stop: int) -> Any:
        """Read some rows of an array."""

    def numbers(self, names: Sequence[str], start: int, stop: int) -> dict[str, Column]:
        """Read columns of fixed size per entry."""
        found = {}
        for name in names:
            base, element = self._split(name)
            if self._kept is None or self._kept[:3] != (base, start, stop):
                with clear_errors(self.path, f"reading '{base}'"):
                    self._kept = (base, start, stop, self._rows(base, start, stop))
            values = self._kept[3] if element is None else self._kept[3][..., element]
            if values.dtype.kind not in "biuf" or len(values) != stop - start:
                raise FileError(f"{self.path}: '{name}' holds {values.dtype}; expected plain numbers")
            found[name] = values.astype(values.dtype.newbyteorder("="), copy=False)
        return found

    def lists(
        self, names: Sequence[str], start: int, stop: int, counter: str | None = None
    ) -> tuple[Index, dict[str, Column]]:
        """Read columns with a list per entry: HDF5's of variable length, or all slots of an array."""
        offsets: Index | None = None
        found = {}
        for name in names:
            with clear_errors(self.path, f"reading '{name}'"):
                rows = self._rows(name, start, stop) if name in self._shapes else None
            if rows is not None and rows.dtype == object:
                own = offsets_from_counts(np.array([len(row) for row in rows], dtype=np.int64))
                found[name] = np.concatenate([*rows, np.empty(0, rows[0].dtype if len(rows) else float)])
            else:
                values = self.numbers([name], start, stop)[name]
                if values.ndim < 2:
                    raise FileError(f"{self.path}: '{name}' has one number per entry; expected lists")
                own = np.arange(stop - start + 1, dtype=np.int64) * values.shape[1]
                found[name] = values.reshape(-1, *values.shape[2:])
            offsets = self.same_lengths(offsets, own, name)
        if offsets is None:
            raise FileError(f"{self.path}: no columns are named for some of its lists")
        return offsets, found

    def bytes_per_event(self, names: Sequence[str]) -> float:
        """Mean size in memory of one entry."""
        used = {self._split(name)[0] for name in names}
        return 8.0 * sum(float(np.prod(self._shapes[name][1:])) for name in used if name in self._shapes)


class NumpySource(ArraySource):
    """Arrays of a ``.npz`` or ``.npy`` file, read piece by piece, compressed ones too."""

    def __init__(self, path: str) -> None:
        """Read the headers.

        Raises:
            DamagedFileError: if it is no such file; FileError: if it holds Python objects, which are never unpickled.
        """
        self.path = path
        with clear_errors(path, "opening"), open(path, "rb") as stream:
            self._zip = zipfile.ZipFile(path) if stream.read(2) == b"PK" else None
        members = [""] if self._zip is None else [n for n in self._zip.namelist() if n.endswith(".npy")]
        self._members = {(member or "array").removesuffix(".npy"): member for member in members}
        self._streams: dict[str, tuple[IO[bytes], int]] = {}
        self._types: dict[str, Any] = {}
        shapes = {}
        for name in self._members:
            with clear_errors(path, f"reading the header of '{name}'"):
                shapes[name] = self._open(name)
        super().__init__(path, "", shapes)

    def _open(self, name: str) -> tuple[int, ...]:
        """Open an array at its first row; returns its shape."""
        member = self._members[name]
        stream = open(self.path, "rb") if self._zip is None else self._zip.open(member)  # noqa: SIM115
        version = np.lib.format.read_magic(stream)
        read = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, fortran, dtype = read(stream)
        if dtype.hasobject:
            raise FileError(
                f"{self.path}: array '{name}' holds Python objects, which are not read: save numbers"
            )
        if fortran and len(shape) > 1:
            raise FileError(
                f"{self.path}: array '{name}' is in Fortran order; save it with numpy.ascontiguousarray"
            )
        self._types[name] = dtype, shape
        self._streams[name] = stream, 0
        return tuple(shape)

    def _rows(self, name: str, start: int, stop: int) -> Any:
        dtype, shape = self._types[name]
        if self._streams[name][1] > start:
            self._streams[name][0].close()
            self._open(name)
        stream, at = self._streams[name]
        size = dtype.itemsize * int(np.prod(shape[1:]))
        left = (start - at) * size
        while left > 0:
            skipped = len(stream.read(min(left, 1 << 24)))
            if skipped == 0:
                break
            left -= skipped
        data = stream.read((stop - start) * size)
        if len(data) != (stop - start) * size:
            raise DamagedFileError(f"{self.path}: array '{name}' ends early; the file is damaged")
        self._streams[name] = stream, stop
        return np.frombuffer(data, dtype=dtype).reshape(stop - start, *shape[1:])

    def close(self) -> None:
        """Close the file."""
        for stream, _ in self._streams.values():
            stream.close()
        if self._zip is not None:
            self._zip.close()


class HDF5Source(ArraySource):
    """Datasets of an HDF5 file: of a group, of a compound dataset, or of a table that pandas wrote."""

    def __init__(self, path: str, trees: Sequence[str], tree: str | None) -> None:
        """Open the file.

        Args:
            path: a local file.
            trees: names a group or table may have; empty: the file itself, or the only group there is.
            tree: the name asked for, or None.

        Raises:
            FileError: if it is no HDF5 file, or has no such group.
        """
        self.path = path
        with clear_errors(path, "opening"):
            self._file = h5py.File(path, "r")
            name = self._choose([tree] if tree else list(trees))
            node = self._file[name]
            self._columns: dict[str, tuple[Any, str | int | None]] = {}
            self._collect(node)
            shapes = {key: self._shape(*value) for key, value in self._columns.items()}
        super().__init__(path, name.strip("/"), shapes)

    def _choose(self, names: list[str]) -> str:
        found = list(self._file)
        for name in names:
            if name in self._file:
                return name
        if names and found:
            raise FileError(
                f"{self.path}: has no group '{names[0]}' (reading.tree); it holds: {', '.join(found)}"
            )
        groups = [key for key in found if isinstance(self._file[key], h5py.Group)]
        return groups[0] if len(groups) == 1 and len(found) == 1 else "/"

    def _collect(self, node: Any) -> None:
        if isinstance(node, h5py.Dataset):
            self._add_dataset("", node)
        elif "table" in node and isinstance(node["table"], h5py.Dataset):
            self._add_table(node["table"])
        elif "block0_values" in node:
            self._add_blocks(node)
        else:
            node.visititems(lambda name, item: self._add_dataset(name, item))

    def _add_dataset(self, name: str, item: Any) -> None:
        if not isinstance(item, h5py.Dataset) or not item.shape:
            return
        if item.dtype.names:
            prefix = f"{name}." if name else ""
            self._columns |= {f"{prefix}{key}": (item, key) for key in item.dtype.names}
        else:
            self._columns[name or "array"] = (item, None)

    def _add_table(self, table: Any) -> None:
        """A PyTables table of pandas: blocks of columns of one type, the columns' names in pickled attributes."""
        for block in table.dtype.names:
            shape = table.dtype[block].shape
            names = _strings(table.attrs.get(f"{block}_kind", b"")) if block.startswith("values") else [block]
            if len(shape) == 1 and len(names) == shape[0]:
                self._columns |= {name: ((table, block), k) for k, name in enumerate(names)}
            elif not shape:
                self._columns[names[0] if len(names) == 1 else block] = (table, block)
            else:
                raise FileError(f"{self.path}: the names of the columns of '{block}' are not there")

    def _add_blocks(self, group: Any) -> None:
        """A fixed-format frame of pandas."""
        number = 0
        while f"block{number}_items" in group:
            names = [bytes(name).decode() for name in group[f"block{number}_items"][()]]
            values = group[f"block{number}_values"]
            self._columns |= {name: (values, k) for k, name in enumerate(names)}
            number += 1

    def _shape(self, where: Any, what: str | int | None) -> tuple[int, ...]:
        dataset = where[0] if isinstance(where, tuple) else where
        if isinstance(what, str):
            return (*dataset.shape, *dataset.dtype[what].shape)
        return tuple(dataset.shape if what is None else dataset.shape[:1])

    def _rows(self, name: str, start: int, stop: int) -> Any:
        where, what = self._columns[name]
        if isinstance(where, tuple):  # a block of a table, which is read once for all its columns
            table, block = where
            key = (block, start, stop)
            if getattr(self, "_block", (None,))[0] != key:
                self._block = key, table[start:stop][block]
            return self._block[1][:, what]
        if isinstance(what, int):
            return where[start:stop, what]
        return where[start:stop] if what is None else where[start:stop][what]

    def edges(self, names: Sequence[str]) -> Index:
        """HDF5 reads any range."""
        return np.array([0, self.entries], dtype=np.int64)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _strings(pickled: Any) -> list[str]:
    """The strings in a pickled list, read as text: opcodes are named, none is carried out."""
    data = bytes(pickled) if isinstance(pickled, bytes | np.bytes_) else str(pickled).encode("latin-1")
    try:
        found = [
            arg
            for code, arg, _ in pickletools.genops(data)
            if "UNICODE" in code.name or "STRING" in code.name
        ]
    except (ValueError, IndexError, UnicodeDecodeError, TypeError):
        return []
    return [str(text) for text in found]
