"""The feature files of one part of a sample: a folder ``features/<sample>/<part>/`` with one file per stream.

With N events, E event-level features, T tokens of F features; every file is an ``.npz`` without any pickled object:

==================  ==================  ================  ====================================================
``event.npz``       ``event``           float32 (N,E)     event-level features
..                  ``weight``          float64 (N,)      the generator's weight, as in the input file
..                  ``event_number``    int64 (N,)        as in the input file
..                  ``fold``            uint8 (N,)        from a hash of (sample, event number, seed)
..                  ``class``           int8 (N,)         number of the class, see :mod:`jetlens.features.classes`
..                  ``metadata``        str ()            JSON of :class:`EventMetadata`
``<stream>.npz``    ``values``          float32 (N,T,F)   features of tokens, padded with zeros
..                  ``mask``            bool (N,T)        True where a token is real
..                  ``metadata``        str ()            JSON of :class:`TokenMetadata`
==================  ==================  ================  ====================================================

What reads one stream depends on that file and ``event.npz`` alone. Process, cross section and luminosity are in none of
them: see :mod:`jetlens.features.normalisation`.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from jetlens.errors import FileError
from jetlens.expressions.feature import Feature, Symmetry
from jetlens.features.archive import Archive, Array, write_arrays

SCHEMA_VERSION = 2
EVENT_FILE = "event.npz"
PER_EVENT: dict[str, tuple[str, type]] = {
    "label": ("class", np.int8),
    "weight": ("weight", np.float64),
    "event_number": ("event_number", np.int64),
    "fold": ("fold", np.uint8),
}
"""Arrays (N,) of :class:`FeatureSet`: what they are called in the file, and their type."""


class _Metadata(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StreamMetadata(_Metadata):
    """Names and units of a stream's features, in the order of its last axis."""

    kind: str
    features: list[str]
    units: list[str]
    tokens: list[str] = []
    """What each token is, where tokens are not interchangeable (kinematic tokens)."""
    alignment: str = "none"
    """How constituents were aligned, see :mod:`jetlens.features.alignment`; ``none``: they stand at their true
    (Δη, Δφ), or have no place."""
    expressions: dict[str, str] = {}
    """What each feature is."""
    symmetries: dict[str, Symmetry] = {}
    """How features change under symmetries, as far as it is known."""

    @classmethod
    def of(
        cls, kind: str, features: Sequence[Feature], *, tokens: Sequence[str] = (), alignment: str = "none"
    ) -> StreamMetadata:
        """Describe a stream of these features, or the event vector."""
        return cls(
            kind=kind,
            features=[feature.name for feature in features],
            units=[feature.unit for feature in features],
            tokens=list(tokens),
            alignment=alignment,
            expressions={feature.name: feature.expression for feature in features},
            symmetries={feature.name: feature.symmetry for feature in features if feature.symmetry},
        )

    @property
    def declared(self) -> dict[str, Symmetry | None]:
        """How each feature changes under symmetries; None: not known."""
        return {name: self.symmetries.get(name) for name in self.features}


class TokenMetadata(_Metadata):
    """What a stream's file says of itself; ``recipe`` is the section of the configuration it was made with."""

    schema_version: int
    sample: str
    part: str
    stream: StreamMetadata
    recipe: dict[str, Any]
    lacks: dict[str, str] = {}
    """Features that are zero because the input file lacks a column, and why."""
    impact_parameters: dict[str, Any] | None = None
    """What was done to them, see :meth:`jetlens.events.impact_parameters.Treatment.describe`; None: none are used."""


class EventMetadata(_Metadata):
    """What ``event.npz`` says of itself; ``recipe`` as in :class:`TokenMetadata`."""

    schema_version: int
    sample: str
    part: str
    event: StreamMetadata
    folds: int
    test_folds: list[int]
    validation_folds: list[int]
    locked_folds: list[int] = []
    recipe: dict[str, Any]
    lacks: dict[str, str] = {}
    """As in :class:`TokenMetadata`."""


class FeatureMetadata(_Metadata):
    """What the files of a part, or those of them that were read, hold and where they come from."""

    sample: str
    part: str
    streams: dict[str, StreamMetadata]
    event: StreamMetadata
    folds: int
    test_folds: list[int]
    validation_folds: list[int]
    locked_folds: list[int] = []
    lacks: dict[str, dict[str, str]] = {}
    """By stream, or ``event``: features that are zero because the input file lacks a column, and why."""
    impact_parameters: dict[str, dict[str, Any]] = {}
    """By stream that uses them: what was done to the tracks' impact parameters."""


@dataclass(frozen=True)
class FeatureSet:
    """Features of N events, of one part or of several; shapes and types as in the module's table.

    ``label`` is the number of the class, ``weight`` the generator's where nothing else is said.
    """

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

    def select(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> FeatureSet:
        """Return the events that a boolean mask or an array of indices chooses."""
        return dataclasses.replace(
            self,
            streams={name: values[chosen] for name, values in self.streams.items()},
            masks={name: values[chosen] for name, values in self.masks.items()},
            **{name: getattr(self, name)[chosen] for name in ("event", *PER_EVENT)},
        )

    @classmethod
    def join(cls, sets: Sequence[FeatureSet]) -> FeatureSet:
        """Join sets with the same streams; the metadata is the first one's.

        Raises:
            FileError: if streams or features differ between the sets.
        """
        first = sets[0]
        for other in sets[1:]:
            if (other.metadata.streams, other.metadata.event) != (
                first.metadata.streams,
                first.metadata.event,
            ):
                raise FileError(
                    f"features of '{other.metadata.sample}' and '{first.metadata.sample}' differ; "
                    "make both with one config"
                )
        return cls(
            streams={name: np.concatenate([s.streams[name] for s in sets]) for name in first.streams},
            masks={name: np.concatenate([s.masks[name] for s in sets]) for name in first.masks},
            metadata=first.metadata,
            **{key: np.concatenate([getattr(s, key) for s in sets]) for key in ("event", *PER_EVENT)},
        )

    @classmethod
    def read(cls, folder: str | os.PathLike[str], streams: Sequence[str] | None = None) -> FeatureSet:
        """Read the files of a part, or of its streams only those named.

        Raises:
            FileError: if a file is unreadable, of another schema version, or lacks an array.
        """
        part = Part(folder, stream_files(folder) if streams is None else streams)
        inputs = part.rows(0, part.events)
        return cls(
            streams={name: inputs[name] for name in part.metadata.streams},
            masks={name: inputs[f"{name}_mask"] for name in part.metadata.streams},
            event=inputs["event"],
            metadata=part.metadata,
            **{name: part.per_event(name) for name in PER_EVENT},
        )

    def write(self, folder: str | os.PathLike[str], recipe: dict[str, Any] | None = None) -> None:
        """Write the files of a part, each atomically.

        Raises:
            FileError: if the set breaks the contract (shapes, types, non-finite values, values in padded slots).
        """
        about = self.metadata
        common = {"schema_version": SCHEMA_VERSION, "sample": about.sample, "part": about.part}
        event = EventMetadata(
            **common,
            **about.model_dump(exclude={"sample", "part", "streams", "lacks", "impact_parameters"}),
            lacks=about.lacks.get("event", {}),
            recipe=recipe or {},
        )
        arrays = {"event": self.event} | {key: getattr(self, name) for name, (key, _) in PER_EVENT.items()}
        write_event(Path(folder) / EVENT_FILE, len(self), [arrays], event)
        for name, values in self.streams.items():
            stream = TokenMetadata(
                **common,
                stream=about.streams[name],
                recipe=recipe or {},
                lacks=about.lacks.get(name, {}),
                impact_parameters=about.impact_parameters.get(name),
            )
            write_stream(
                Path(folder) / f"{name}.npz",
                len(self),
                [{"values": values, "mask": self.masks[name]}],
                stream,
            )


class Part:
    """The feature files of one part, readable by rows; inputs are named as a network's: ``s`` and ``s_mask``.

    Args:
        folder: of the part.
        streams: streams to read; others are left alone.

    Raises:
        FileError: if a file is no feature file or missing, or the files do not belong together.
    """

    def __init__(self, folder: str | os.PathLike[str], streams: Sequence[str]) -> None:
        """Open the files and look up where each array lies."""
        self.path = Path(folder)
        events = Archive(self.path / EVENT_FILE, ["event", *(key for key, _ in PER_EVENT.values())])
        about = events.metadata(EventMetadata, SCHEMA_VERSION)
        self.events = events.shape("class")[0] if events.shape("class") else 0
        for key, kind in PER_EVENT.values():
            events.expect(key, kind, (self.events,))
        events.expect("event", np.float32, (self.events, len(about.event.features)))
        self._archives: dict[str, tuple[Archive, str]] = {"event": (events, "event")}
        tokens: dict[str, TokenMetadata] = {}
        for name in streams:
            archive, tokens[name] = self._stream(name)
            self._archives |= {name: (archive, "values"), f"{name}_mask": (archive, "mask")}
        self.metadata = FeatureMetadata(
            streams={name: each.stream for name, each in tokens.items()},
            lacks={
                n: lacks
                for n, lacks in [("event", about.lacks), *((n, t.lacks) for n, t in tokens.items())]
                if lacks
            },
            impact_parameters={
                n: each.impact_parameters for n, each in tokens.items() if each.impact_parameters
            },
            **about.model_dump(exclude={"schema_version", "recipe", "lacks"}),
        )
        self.files = list(dict.fromkeys(archive.path for archive, _ in self._archives.values()))

    def _stream(self, name: str) -> tuple[Archive, TokenMetadata]:
        path = self.path / f"{name}.npz"
        if not path.exists():
            raise FileError(
                f"{self.path}: has no stream '{name}'; it holds: {', '.join(stream_files(self.path)) or 'none'}"
            )
        archive = Archive(path, ["values", "mask"])
        about = archive.metadata(TokenMetadata, SCHEMA_VERSION)
        shape = archive.shape("values")
        tokens = shape[1] if len(shape) == 3 else -1
        archive.expect("values", np.float32, (self.events, tokens, len(about.stream.features)))
        archive.expect("mask", np.bool_, (self.events, tokens))
        return archive, about

    def per_event(self, name: str) -> Array:
        """Return one of ``label``, ``weight``, ``event_number``, ``fold`` for all N events, (N,)."""
        return self._archives["event"][0].rows(PER_EVENT[name][0], 0, self.events)

    def rows(self, start: int, stop: int) -> dict[str, Array]:
        """Return the inputs of events ``start`` to ``stop``: streams (n, T, F), masks (n, T), ``event`` (n, E).

        Raises:
            FileError: if one holds values that are not finite.
        """
        return {name: archive.rows(key, start, stop) for name, (archive, key) in self._archives.items()}

    def slots(self) -> dict[str, int]:
        """Return how many tokens, padded ones included, each stream has room for."""
        return {name: self._archives[name][0].shape("mask")[1] for name in self.metadata.streams}

    def row_bytes(self) -> int:
        """Return how many bytes the inputs of one event take in memory."""
        return sum(archive.row_bytes(key) for archive, key in self._archives.values())


def stream_files(folder: str | os.PathLike[str]) -> list[str]:
    """Return the names of the streams that a part's folder holds."""
    return sorted(path.stem for path in Path(folder).glob("[!.]*.npz") if path.name != EVENT_FILE)


def write_event(
    path: str | os.PathLike[str], events: int, pieces: Iterable[dict[str, Array]], metadata: EventMetadata
) -> None:
    """Write ``event.npz`` from pieces, see :func:`jetlens.features.archive.write_arrays`.

    Raises:
        FileError: if a piece breaks the contract, or they do not add up to ``events``.
    """

    def checked() -> Iterable[dict[str, Array]]:
        for piece in pieces:
            number = len(piece["event"])
            _expect(path, piece, "event", np.float32, (number, len(metadata.event.features)))
            for key, kind in PER_EVENT.values():
                _expect(path, piece, key, kind, (number,))
            yield piece

    write_arrays(path, events, checked(), metadata)


def write_stream(
    path: str | os.PathLike[str], events: int, pieces: Iterable[dict[str, Array]], metadata: TokenMetadata
) -> None:
    """Write ``<stream>.npz`` from pieces, see :func:`jetlens.features.archive.write_arrays`.

    Raises:
        FileError: if a piece breaks the contract, or they do not add up to ``events``.
    """

    def checked() -> Iterable[dict[str, Array]]:
        for piece in pieces:
            shape = (*piece["mask"].shape, len(metadata.stream.features))
            _expect(path, piece, "values", np.float32, shape)
            _expect(path, piece, "mask", np.bool_, shape[:2])
            if np.any(piece["values"][~piece["mask"]]):
                raise FileError(f"{path}: values in padded slots; they must be zero")
            yield piece

    write_arrays(path, events, checked(), metadata)


def _expect(
    path: str | os.PathLike[str], piece: dict[str, Array], key: str, kind: type, shape: tuple[int, ...]
) -> None:
    found = piece[key]
    if found.dtype != kind or found.shape != shape:
        raise FileError(
            f"{path}: array '{key}' is {found.dtype} {found.shape}, expected {np.dtype(kind)} {shape}"
        )
