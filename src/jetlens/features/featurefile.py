"""The feature file: what the ``features`` stage hands to training, as an ``.npz`` without any pickled object.

Arrays of a file with N events, for every stream ``s`` with T tokens and F features:

==================  ================  ==========================================================
``s``               float32 (N,T,F)   features, padded with zeros
``s_mask``          bool (N,T)        True where a token is real
``event``           float32 (N,E)     event-level features
``label``           int8 (N,)         1 signal, 0 background
``weight``          float64 (N,)      expected events at the analysis' luminosity, σ·L·w/Σw
``event_number``    int64 (N,)        as in the input file
``fold``            uint8 (N,)        from a hash of (sample, event number, seed)
``metadata``        str ()            JSON of :class:`FeatureMetadata`
==================  ================  ==========================================================
"""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from jetlens.errors import FileError
from jetlens.files import atomic_path

SCHEMA_VERSION = 1
PER_EVENT = {"label": np.int8, "weight": np.float64, "event_number": np.int64, "fold": np.uint8}


class StreamMetadata(BaseModel):
    """Names and units of a stream's features, in the order of its last axis."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    features: list[str]
    units: list[str]
    tokens: list[str] = []
    """What each token is, where tokens are not interchangeable (kinematic tokens)."""
    alignment: str = "none"
    """How constituents were aligned, see :mod:`jetlens.features.alignment`; ``none``: they stand at their true
    (Δη, Δφ), or have no place."""


class FeatureMetadata(BaseModel):
    """What a feature file holds and where it comes from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: int
    sample: str
    process: str
    role: str
    part: str
    streams: dict[str, StreamMetadata]
    event: StreamMetadata
    folds: int
    test_folds: list[int]
    validation_folds: list[int]


@dataclass(frozen=True)
class FeatureSet:
    """The content of a feature file; shapes and types as in the module's table."""

    streams: dict[str, NDArray[np.float32]]
    masks: dict[str, NDArray[np.bool_]]
    event: NDArray[np.float32]
    label: NDArray[np.int8]
    weight: NDArray[np.float64]
    event_number: NDArray[np.int64]
    fold: NDArray[np.uint8]
    metadata: FeatureMetadata

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.label)


def write_features(path: str | os.PathLike[str], features: FeatureSet) -> None:
    """Write a feature file, atomically.

    Raises:
        FileError: if the set breaks the contract (shapes, types, non-finite values, values in padded slots).
    """
    write_pieces(path, len(features), [features])


def write_pieces(path: str | os.PathLike[str], events: int, pieces: Iterable[FeatureSet]) -> None:
    """Write a feature file from pieces, atomically and without ever holding more than one of them.

    Args:
        path: the file to write.
        events: number of events of all pieces together.
        pieces: at least one, in order, with the same metadata.

    Raises:
        FileError: if a piece breaks the contract, or they do not add up to ``events``.
    """
    with (
        atomic_path(path) as temporary,
        tempfile.TemporaryDirectory(dir=temporary.parent, prefix=".npz-") as folder,
    ):
        files: dict[str, Path] = {}
        written = 0
        for piece in pieces:
            arrays = _arrays(path, piece)
            for name, values in arrays.items():
                files[name] = Path(folder) / f"{name}.npy"
                _append(files[name], values, (events, *values.shape[1:]))
            files["metadata"] = Path(folder) / "metadata.npy"
            np.save(files["metadata"], np.array(piece.metadata.model_dump_json()), allow_pickle=False)
            written += len(piece)
        if written != events or not files:
            raise FileError(f"{path}: {written} of {events} events were written; its skim file is damaged")
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
            for file in files.values():
                entry = zipfile.ZipInfo(file.name)  # of a fixed date: equal content gives equal files
                with file.open("rb") as source, archive.open(entry, "w", force_zip64=True) as target:
                    shutil.copyfileobj(source, target, 1 << 20)
                file.unlink()


def _arrays(path: str | os.PathLike[str], features: FeatureSet) -> dict[str, NDArray[Any]]:
    """All arrays of a set by their names in the file, checked."""
    arrays: dict[str, NDArray[Any]] = {}
    for name, values in features.streams.items():
        arrays[name] = values
        arrays[f"{name}_mask"] = features.masks[name]
    arrays |= {"event": features.event}
    arrays |= {key: getattr(features, key) for key in PER_EVENT}
    _check(str(path), arrays, features.metadata)
    for name, values in features.streams.items():
        if np.any(values[~features.masks[name]]):
            raise FileError(f"{path}: stream '{name}' has values in padded slots; they must be zero")
    return arrays


def _append(file: Path, values: NDArray[Any], shape: tuple[int, ...]) -> None:
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


def read_metadata(path: str | os.PathLike[str]) -> FeatureMetadata:
    """Read only the metadata of a feature file.

    Raises:
        FileError: if the file is no feature file of this schema version.
    """
    with _open(path) as archive:
        return _metadata(path, archive)


def read_features(path: str | os.PathLike[str], streams: list[str] | None = None) -> FeatureSet:
    """Read a feature file, or of its streams only those named.

    Raises:
        FileError: if the file is unreadable, of another schema version, or lacks an array; nothing is ever unpickled.
    """
    with _open(path) as archive:
        metadata = _metadata(path, archive)
        wanted = list(metadata.streams) if streams is None else streams
        for name in wanted:
            if name not in metadata.streams:
                raise FileError(f"{path}: has no stream '{name}'; it holds: {', '.join(metadata.streams)}")
        names = [key for name in wanted for key in (name, f"{name}_mask")] + ["event", *PER_EVENT]
        try:
            arrays = {name: archive[name] for name in names}
        except KeyError as error:
            missing = str(error).split("'")[1].split(" ")[0] if "'" in str(error) else str(error)
            what = "mask of a stream" if missing.endswith("_mask") else "array"
            raise FileError(
                f"{path}: the {what} '{missing}' is missing; make the file again with the features stage"
            ) from error
        except (ValueError, OSError, zipfile.BadZipFile) as error:
            raise FileError(f"{path}: is damaged or holds pickled objects: {error}; make it again") from error
    _check(str(path), arrays, metadata, wanted)
    return FeatureSet(
        streams={name: arrays[name] for name in wanted},
        masks={name: arrays[f"{name}_mask"] for name in wanted},
        metadata=metadata,
        **{key: arrays[key] for key in ("event", *PER_EVENT)},
    )


def concatenate(sets: list[FeatureSet]) -> FeatureSet:
    """Join feature sets with the same streams; the metadata is the first one's.

    Raises:
        FileError: if streams or features differ between the sets.
    """
    first = sets[0]
    for other in sets[1:]:
        if other.metadata.streams != first.metadata.streams or other.metadata.event != first.metadata.event:
            raise FileError(
                f"features of '{other.metadata.sample}' and '{first.metadata.sample}' differ; make both with one config"
            )
    return FeatureSet(
        streams={name: np.concatenate([s.streams[name] for s in sets]) for name in first.streams},
        masks={name: np.concatenate([s.masks[name] for s in sets]) for name in first.masks},
        metadata=first.metadata,
        **{key: np.concatenate([getattr(s, key) for s in sets]) for key in ("event", *PER_EVENT)},
    )


def _open(path: str | os.PathLike[str]) -> np.lib.npyio.NpzFile:
    try:
        archive = np.load(path, allow_pickle=False)
    except FileNotFoundError as error:
        raise FileError(f"{path}: does not exist; run the features stage first") from error
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise FileError(f"{path}: is not a feature file (.npz of plain arrays): {error}") from error
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise FileError(f"{path}: is a single array, not a feature file (.npz)")
    return archive


def _metadata(path: str | os.PathLike[str], archive: np.lib.npyio.NpzFile) -> FeatureMetadata:
    if "metadata" not in archive.files:
        raise FileError(f"{path}: has no 'metadata'; it was not written by the features stage")
    try:
        text = str(archive["metadata"])
        metadata = FeatureMetadata.model_validate_json(text)
    except (ValidationError, ValueError) as error:
        version = _version(text) if "text" in locals() else None
        if version is not None and version != SCHEMA_VERSION:
            raise _other_version(path, version) from error
        raise FileError(f"{path}: its metadata cannot be understood; make the file again") from error
    if metadata.schema_version != SCHEMA_VERSION:
        raise _other_version(path, metadata.schema_version)
    return metadata


def _version(text: str) -> int | None:
    import json

    try:
        return int(json.loads(text)["schema_version"])
    except (ValueError, KeyError, TypeError):
        return None


def _other_version(path: str | os.PathLike[str], version: int) -> FileError:
    return FileError(
        f"{path}: has schema version {version}, this jetlens reads version {SCHEMA_VERSION}; make the file again"
    )


def _check(
    path: str,
    arrays: dict[str, NDArray[np.generic]],
    metadata: FeatureMetadata,
    streams: list[str] | None = None,
) -> None:
    number = len(arrays["label"])
    expected: dict[str, tuple[type, tuple[int | None, ...]]] = {
        key: (kind, (number,)) for key, kind in PER_EVENT.items()
    }
    expected["event"] = (np.float32, (number, len(metadata.event.features)))
    for name in metadata.streams if streams is None else streams:
        tokens = arrays[name].shape[1] if arrays[name].ndim == 3 else -1
        expected[name] = (np.float32, (number, tokens, len(metadata.streams[name].features)))
        expected[f"{name}_mask"] = (np.bool_, (number, tokens))
    for name, (kind, shape) in expected.items():
        found = arrays[name]
        if found.dtype != kind or found.shape != shape:
            raise FileError(
                f"{path}: array '{name}' is {found.dtype} {found.shape}, expected {np.dtype(kind)} {shape}"
            )
        if found.dtype.kind == "f" and not np.isfinite(found).all():
            raise FileError(f"{path}: array '{name}' holds values that are not finite")
