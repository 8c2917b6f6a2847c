"""``.npz`` files of plain arrays and JSON metadata, written piece by piece and read by rows.

They are zip archives of ``.npy`` arrays, stored without compression: any range of rows can be read from its place in
the file, so that data larger than memory can be trained on. Compressed ones work too, only slower. Nothing is ever
unpickled. Every array of a file has one row per event.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError

from jetlens.errors import FileError
from jetlens.files import atomic_path

METADATA = "metadata"
Array = NDArray[Any]
Model = TypeVar("Model", bound=BaseModel)


def write_arrays(
    path: str | os.PathLike[str],
    events: int,
    pieces: Iterable[Mapping[str, Array]],
    metadata: BaseModel,
) -> None:
    """Write a file from pieces, atomically and without ever holding more than one of them.

    Args:
        path: the file to write.
        events: number of events of all pieces together.
        pieces: at least one, in order: arrays by name, of equal length.
        metadata: what the file says of itself.

    Raises:
        FileError: if the pieces do not add up to ``events``, or an array holds values that are not finite.
    """
    with (
        atomic_path(path) as temporary,
        tempfile.TemporaryDirectory(dir=temporary.parent, prefix=".npz-") as folder,
    ):
        files: dict[str, Path] = {}
        written = 0
        for piece in pieces:
            for name, values in piece.items():
                if values.dtype.kind == "f" and not np.isfinite(values).all():
                    raise FileError(f"{path}: array '{name}' holds values that are not finite")
                files[name] = Path(folder) / f"{name}.npy"
                _append(files[name], values, (events, *values.shape[1:]))
            written += len(next(iter(piece.values())))
        if written != events or not files:
            raise FileError(f"{path}: {written} of {events} events were written; its skim file is damaged")
        files[METADATA] = Path(folder) / f"{METADATA}.npy"
        np.save(files[METADATA], np.array(metadata.model_dump_json()), allow_pickle=False)
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
            for file in files.values():
                entry = zipfile.ZipInfo(file.name)  # of a fixed date: equal content gives equal files
                with file.open("rb") as source, archive.open(entry, "w", force_zip64=True) as target:
                    shutil.copyfileobj(source, target, 1 << 20)
                file.unlink()


def _append(file: Path, values: Array, shape: tuple[int, ...]) -> None:
    """Append rows to an ``.npy`` file; the first call writes its header for the final ``shape``."""
    first = not file.exists()
    with file.open("ab") as stream:
        if first:
            header = {
                "descr": np.lib.format.dtype_to_descr(values.dtype),
                "fortran_order": False,
                "shape": shape,
            }
            np.lib.format.write_array_header_1_0(stream, header)
        stream.write(np.ascontiguousarray(values).data)


@dataclass(frozen=True)
class _Member:
    """Where an array lies within an archive."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    start: int
    stored: bool


class Archive:
    """One file, readable by rows.

    Args:
        path: the file.
        arrays: arrays that it must hold, and what they are called in messages.

    Raises:
        FileError: if it is missing or damaged, lacks an array, or holds pickled objects.
    """

    def __init__(self, path: str | os.PathLike[str], arrays: Iterable[str]) -> None:
        """Open the file and look up where each array lies."""
        self.path = Path(path)
        try:
            with zipfile.ZipFile(path) as archive, self.path.open("rb") as raw:
                self._members = {name: self._member(archive, raw, name) for name in (METADATA, *arrays)}
        except FileNotFoundError as error:
            raise FileError(f"{path}: does not exist; run the features stage first") from error
        except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise FileError(f"{path}: is not a feature file (.npz of plain arrays): {error}") from error

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of an array."""
        return self._members[name].shape

    def row_bytes(self, name: str) -> int:
        """Return how many bytes one row of an array takes."""
        member = self._members[name]
        return member.dtype.itemsize * int(np.prod(member.shape[1:]))

    def expect(self, name: str, kind: type, shape: tuple[int, ...]) -> None:
        """Refuse an array of another type or shape.

        Raises:
            FileError: naming the array.
        """
        member = self._members[name]
        if member.dtype != kind or member.shape != shape:
            raise FileError(
                f"{self.path}: array '{name}' is {member.dtype} {member.shape}, expected {np.dtype(kind)} {shape}; "
                "make the file again"
            )

    def metadata(self, model: type[Model], version: int) -> Model:
        """Return what the file says of itself.

        Raises:
            FileError: if it is of another schema version, or cannot be understood.
        """
        text = str(self._read(METADATA, 0, 1).reshape(())[()])
        found = _version(text)
        if found is not None and found != version:
            raise FileError(
                f"{self.path}: has schema version {found}, this jetlens reads version {version}; make the file again"
            )
        try:
            return model.model_validate_json(text)
        except ValidationError as error:
            raise FileError(f"{self.path}: its metadata cannot be understood; make the file again") from error

    def rows(self, name: str, start: int, stop: int) -> Array:
        """Return the rows ``start`` to ``stop`` of an array.

        Raises:
            FileError: if one holds a value that is not finite, or the file ends early.
        """
        values = self._read(name, start, stop)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise FileError(
                f"{self.path}: array '{name}' holds values that are not finite; make the file again"
            )
        return values

    def _member(self, archive: zipfile.ZipFile, raw: IO[bytes], name: str) -> _Member:
        try:
            info = archive.getinfo(f"{name}.npy")
        except KeyError:
            raise FileError(
                f"{self.path}: the array '{name}' is missing; make the file again with the features stage"
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
        if dtype.hasobject or (fortran and len(shape) > 1):
            raise FileError(
                f"{self.path}: array '{name}' holds pickled objects or is not row-major; make the file again"
            )
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


def _version(text: str) -> int | None:
    try:
        return int(json.loads(text)["schema_version"])
    except (ValueError, KeyError, TypeError):
        return None
