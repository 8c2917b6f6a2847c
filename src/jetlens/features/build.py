"""From a skim file to feature files."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from jetlens.config.quantities import COLLECTIONS
from jetlens.events.jagged import Jagged, Mask
from jetlens.events.layout import from_table
from jetlens.features.constituents import CONSTITUENTS, prepare
from jetlens.features.event import EVENT
from jetlens.features.featurefile import (
    EVENT_FILE,
    SCHEMA_VERSION,
    EventMetadata,
    StreamMetadata,
    TokenMetadata,
    write_event,
    write_stream,
)
from jetlens.features.objects import KINEMATICS, OBJECTS, Events, kinematic_tokens, object_set
from jetlens.features.presence import TRACKS, lacking
from jetlens.features.split import folds

if TYPE_CHECKING:
    from jetlens.config.features import FeaturesConfig, SplitConfig, Stream

SCALARS = ("met", "ht")
_BATCH = 2048
"""Events turned into features at a time."""


def build_features(
    parquet: Path, folder: Path, *, features: FeaturesConfig, sample: str, part: str, label: int
) -> None:
    """Compute the event file and all streams of one part; see :func:`build_event`, :func:`build_stream`.

    Args:
        parquet: the part's skim file.
        folder: of the part's feature files, see :mod:`jetlens.features.featurefile`.
        features: streams, event features and split.
        sample: name of the sample.
        part: name of the part.
        label: number of the sample's class.

    Raises:
        FileError: if the skim file is missing or damaged.
    """
    build_event(
        parquet,
        folder / EVENT_FILE,
        event=features.event,
        split=features.split,
        sample=sample,
        part=part,
        label=label,
    )
    for name, stream in features.streams.items():
        build_stream(parquet, folder / f"{name}.npz", stream=stream, sample=sample, part=part)


def build_event(
    parquet: Path,
    output: Path,
    *,
    event: list[str],
    split: SplitConfig,
    sample: str,
    part: str,
    label: int,
) -> None:
    """Compute ``event.npz`` of one part: event-level features, generator weights, folds and class.

    Args:
        parquet: the part's skim file.
        output: the file to write.
        event: names of event-level features.
        split: of the events.
        sample: name of the sample, which the folds are hashed with.
        part: name of the part.
        label: number of the sample's class.

    Raises:
        FileError: if the skim file is missing or damaged.
    """
    from jetlens.skim.parquet import open_skim, read_facts

    metadata = EventMetadata(
        schema_version=SCHEMA_VERSION,
        sample=sample,
        part=part,
        event=StreamMetadata(kind="event", features=event, units=EVENT.units(event)),
        folds=split.folds,
        test_folds=split.test,
        validation_folds=split.validation,
        locked_folds=split.locked,
        recipe={"event": event, "split": split.model_dump(mode="json")},
        lacks=lacking("event", event, read_facts(open_skim(parquet))["lacks"]),
    )
    with _batches(parquet, [*COLLECTIONS, *SCALARS, "weight", "event_number"]) as (number, batches):
        write_event(
            output, number, (_event(table, event, split, sample, label) for table in batches), metadata
        )


def build_stream(parquet: Path, output: Path, *, stream: Stream, sample: str, part: str) -> None:
    """Compute ``<stream>.npz`` of one part.

    Args:
        parquet: the part's skim file.
        output: the file to write.
        stream: what its tokens and features are.
        sample: name of the sample.
        part: name of the part.

    Raises:
        FileError: if the skim file is missing or damaged.
    """
    from jetlens.skim.parquet import open_skim, read_facts

    facts = read_facts(open_skim(parquet))
    metadata = TokenMetadata(
        schema_version=SCHEMA_VERSION,
        sample=sample,
        part=part,
        stream=_describe(stream),
        recipe=stream.model_dump(mode="json"),
        lacks=lacking(stream.kind, stream.features, facts["lacks"]),
        impact_parameters=facts["impact_parameters"] if TRACKS & set(stream.features) else None,
    )
    columns = ["fat_jets"] if stream.kind == "constituents" else [*COLLECTIONS, *SCALARS]
    with _batches(parquet, columns) as (number, batches):
        arrays = (_stream(_events(table), stream) for table in batches)
        write_stream(output, number, ({"values": v, "mask": m} for v, m in arrays), metadata)


@contextlib.contextmanager
def _batches(parquet: Path, columns: Sequence[str]) -> Iterator[tuple[int, Iterator[Any]]]:
    """Yield the number of events of a skim file, and an iterator over pieces of it, at least one."""
    from jetlens.skim.parquet import open_skim, release_memory

    file = open_skim(parquet)
    columns = [name for name in columns if name in file.schema_arrow.names]

    def pieces() -> Iterator[Any]:
        empty = True
        for group in range(file.num_row_groups):  # iter_batches over all of them keeps what it has read
            for table in file.iter_batches(_BATCH, row_groups=[group], columns=columns, use_threads=False):
                yield table
                empty = False
        if empty:
            yield file.read(columns=columns, use_threads=False)

    yield file.metadata.num_rows, pieces()
    release_memory()


def _describe(stream: Stream) -> StreamMetadata:
    if stream.kind == "constituents":
        units = CONSTITUENTS.units(stream.features)
        return StreamMetadata(
            kind=stream.kind, features=stream.features, units=units, alignment=stream.alignment
        )
    if stream.kind == "kinematics":
        units = KINEMATICS.units(stream.features)
        return StreamMetadata(kind=stream.kind, features=stream.features, units=units, tokens=stream.tokens)
    tokens = [f"{name}[{k}]" for name, number in stream.max_objects.items() for k in range(number)]
    return StreamMetadata(
        kind=stream.kind, features=stream.features, units=OBJECTS.units(stream.features), tokens=tokens
    )


def _event(
    table: Any, event: list[str], split: SplitConfig, sample: str, label: int
) -> dict[str, NDArray[Any]]:
    """The arrays of ``event.npz`` for some events, a record batch or table of a skim file."""
    number = np.asarray(table.column("event_number"), dtype=np.int64)
    return {
        "event": EVENT.stack(event, _events(table)),
        "weight": np.asarray(table.column("weight"), dtype=np.float64),
        "event_number": number,
        "fold": folds(sample, number, split.folds, split.seed),
        "class": np.full(len(number), label, dtype=np.int8),
    }


def _stream(events: Events, stream: Stream) -> tuple[NDArray[np.float32], Mask]:
    if stream.kind == "kinematics":
        return kinematic_tokens(events, stream.tokens, stream.features)
    if stream.kind == "objects":
        return object_set(events, stream.max_objects, stream.features)
    jets = events.collections["fat_jets"]
    axes = {
        column: jets.padded(column, stream.jet + 1)[0][:, stream.jet]
        for column in ("pt", "eta", "phi", "mass")
    }
    constituents = events.jet_constituents(stream.jet)
    prepared, mask = prepare(constituents, axes, stream.max_tokens, stream.alignment)
    values = CONSTITUENTS.stack(stream.features, prepared)
    values[~mask] = 0
    return values, mask


def _events(table: Any) -> Events:
    """Those collections and scalars that the table has; the others are empty, and nothing asks for them."""
    events, number = from_table(table), table.num_rows
    constituents, offsets = Jagged(np.zeros(1, dtype=np.int64), {}), np.zeros(number + 1, dtype=np.int64)
    collections = {}
    for name in COLLECTIONS:
        if name in events.fields:
            collections[name] = _jagged(events[name].layout)
            if "constituents" in events[name].fields:
                offsets = collections[name].offsets
                constituents = _jagged(events[name].layout.content.content("constituents"))
    missing = events.met if "met" in events.fields else None
    return Events(
        collections=collections,
        constituents=constituents,
        jet_offsets=offsets,
        met=np.zeros(number) if missing is None else np.asarray(missing.pt),
        met_phi=np.zeros(number) if missing is None else np.asarray(missing.phi),
        ht=np.asarray(events.ht) if "ht" in events.fields else np.zeros(number),
    )


def _jagged(layout: Any) -> Jagged:
    records = layout.content
    columns = {k: np.asarray(records.content(k).data) for k in records.fields if k != "constituents"}
    return Jagged(np.asarray(layout.offsets.data), columns)
