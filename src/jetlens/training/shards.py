"""Reading feature files by rows, so that data larger than memory can be trained on.

Feature files are zip archives of plain ``.npy`` arrays, stored without compression: any range of rows can be read from
its place in the file. Compressed ones work too, only slower. Nothing is ever unpickled.
"""

from __future__ import annotations

import os
import struct
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from jetlens.errors import FileError
from jetlens.features.featurefile import PER_EVENT, FeatureMetadata, read_metadata

Array = NDArray[Any]


@dataclass(frozen=True)
class _Member:
    """Where an array lies within an archive."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    start: int
    stored: bool


class Shard:
    """One feature file, readable by rows.

    Args:
        path: the file.
        streams: streams to read; others are left alone.

    Raises:
        FileError: if the file is no feature file, or lacks a stream or its mask.
    """

    def __init__(self, path: str | os.PathLike[str], streams: Sequence[str]) -> None:
        """Open the file and look up where each array lies."""
        self.path = Path(path)
        self.metadata: FeatureMetadata = read_metadata(path)
        for name in streams:
            if name not in self.metadata.streams:
                raise FileError(
                    f"{path}: has no stream '{name}'; it holds: {', '.join(self.metadata.streams)}"
                )
        self.names = [key for name in streams for key in (name, f"{name}_mask")] + ["event"]
        with zipfile.ZipFile(path) as archive, self.path.open("rb") as raw:
            self._members = {name: self._member(archive, raw, name) for name in [*self.names, *PER_EVENT]}
        self.events = self._members["label"].shape[0]
        self._check_shapes(streams)

    def per_event(self, name: str) -> Array:
        """Return one of ``label``, ``weight``, ``event_number``, ``fold`` for all N events, (N,)."""
        return self._read(name, 0, self.events)

    def rows(self, start: int, stop: int) -> dict[str, Array]:
        """Return the inputs of events ``start`` to ``stop``: streams (n, T, F), masks (n, T), ``event`` (n, E).

        Raises:
            FileError: if one holds values that are not finite.
        """
        arrays = {name: self._read(name, start, stop) for name in self.names}
        for name, array in arrays.items():
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise FileError(
                    f"{self.path}: array '{name}' holds values that are not finite; make the file again"
                )
        return arrays

    def slots(self) -> dict[str, int]:
        """Return how many tokens, padded ones included, each stream has room for."""
        return {name: self._members[name].shape[1] for name in self.names if f"{name}_mask" in self._members}

    def row_bytes(self) -> int:
        """Return how many bytes the inputs of one event take in memory."""
        return sum(
            m.dtype.itemsize * int(np.prod(m.shape[1:])) for m in (self._members[n] for n in self.names)
        )

    def _check_shapes(self, streams: Sequence[str]) -> None:
        shapes = {name: member.shape for name, member in self._members.items()}
        expected: dict[str, tuple[int, ...]] = {"event": (self.events, len(self.metadata.event.features))}
        for name in streams:
            tokens = shapes[name][1] if len(shapes[name]) == 3 else -1
            expected[name] = (self.events, tokens, len(self.metadata.streams[name].features))
            expected[f"{name}_mask"] = (self.events, tokens)
        for name, shape in expected.items():
            if shapes[name] != shape:
                raise FileError(
                    f"{self.path}: array '{name}' is {shapes[name]}, expected {shape}; make the file again"
                )

    def _member(self, archive: zipfile.ZipFile, raw: IO[bytes], name: str) -> _Member:
        try:
            info = archive.getinfo(f"{name}.npy")
        except KeyError:
            what = "mask of a stream" if name.endswith("_mask") else "array"
            raise FileError(
                f"{self.path}: the {what} '{name}' is missing; make the file again with the features stage"
            ) from None
        with archive.open(info) as stream:
            version = np.lib.format.read_magic(stream)
            reader = (
                np.lib.format.read_array_header_1_0
                if version == (1, 0)
                else np.lib.format.read_array_header_2_0
            )
            shape, fortran, dtype = reader(stream)
            header = stream.tell()
        if dtype.hasobject or fortran:
            raise FileError(f"{self.path}: array '{name}' is no plain row-major array; make the file again")
        stored = info.compress_type == zipfile.ZIP_STORED
        if stored:  # the local header's length is only known from the local header itself
            raw.seek(info.header_offset + 26)
            name_length, extra_length = struct.unpack("<HH", raw.read(4))
            header += info.header_offset + 30 + name_length + extra_length
        return _Member(dtype, shape, header, stored)

    def _read(self, name: str, start: int, stop: int) -> Array:
        member = self._members[name]
        row = int(np.prod(member.shape[1:]))
        count = (stop - start) * row
        offset = member.start + start * row * member.dtype.itemsize
        if member.stored:
            with self.path.open("rb") as raw:
                raw.seek(offset)
                flat = np.fromfile(raw, dtype=member.dtype, count=count)
        else:
            with zipfile.ZipFile(self.path) as archive, archive.open(f"{name}.npy") as stream:
                stream.seek(offset)
                flat = np.frombuffer(stream.read(count * member.dtype.itemsize), dtype=member.dtype)
        if flat.size != count:
            raise FileError(f"{self.path}: array '{name}' ends early; the file is damaged, make it again")
        return flat.reshape((stop - start, *member.shape[1:]))
