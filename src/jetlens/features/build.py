"""From a skim file to a feature file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from jetlens.config.quantities import COLLECTIONS
from jetlens.errors import FileError
from jetlens.events.jagged import Jagged, Mask, offsets_from_counts
from jetlens.features.constituents import CONSTITUENTS, prepare
from jetlens.features.event import EVENT
from jetlens.features.featurefile import (
    SCHEMA_VERSION,
    FeatureMetadata,
    FeatureSet,
    StreamMetadata,
    write_pieces,
)
from jetlens.features.objects import KINEMATICS, OBJECTS, Events, kinematic_tokens, object_set
from jetlens.features.split import folds

if TYPE_CHECKING:
    from jetlens.config.features import FeaturesConfig, Stream
    from jetlens.config.samples import Sample

_BATCH = 2048
"""Events turned into features at a time."""


def build_features(
    parquet: Path,
    cutflows: Sequence[Path],
    output: Path,
    *,
    features: FeaturesConfig,
    sample: Sample,
    part: str,
    luminosity_fb: float,
) -> None:
    """Compute the features of one part of a sample.

    Here, and nowhere else, weights are normalised: an event counts w·σ·L/Σw expected events, Σw running over all
    generated events of all parts of the sample.

    Args:
        parquet: the part's skim file.
        cutflows: the cutflow files of all parts of the sample.
        output: the feature file to write, see :mod:`jetlens.features.featurefile`.
        features: streams, event features and split.
        sample: the sample's line in the table.
        part: name of the part.
        luminosity_fb: integrated luminosity [1/fb].

    Raises:
        FileError: if an input is missing or does not fit the others.
        NoEventsError: if the sample has no generated events.
    """
    from jetlens.skim.cutflow import generated_weight, read_cutflow

    flows = [read_cutflow(path) for path in cutflows]
    for path, flow in zip(cutflows, flows, strict=True):
        if flow["sample"] != sample.name:
            raise FileError(f"{path}: belongs to sample '{flow['sample']}', expected '{sample.name}'")
    scale = sample.produced(luminosity_fb) / generated_weight(flows, sample)
    write_scaled(parquet, output, features=features, sample=sample, part=part, scale=scale)


def write_scaled(
    parquet: Path, output: Path, *, features: FeaturesConfig, sample: Sample, part: str, scale: float
) -> None:
    """Compute the features of one part, with generator weights times ``scale``; see :func:`build_features`."""
    from jetlens.skim.parquet import check_schema, release_memory

    file = check_schema(parquet)
    metadata = describe(features, sample, part)

    def pieces() -> Iterator[FeatureSet]:
        empty = True
        for group in range(file.num_row_groups):  # iter_batches over all of them keeps what it has read
            for table in file.iter_batches(_BATCH, row_groups=[group], use_threads=False):
                yield _compute(table, features, sample, scale, metadata)
                empty = False
        if empty:
            yield _compute(file.read(use_threads=False), features, sample, scale, metadata)

    write_pieces(output, file.metadata.num_rows, pieces())
    release_memory()


def describe(features: FeaturesConfig, sample: Sample, part: str) -> FeatureMetadata:
    """Return the metadata of a part's feature file: names and units of all features, split, sample."""
    streams = {name: _describe_stream(stream) for name, stream in features.streams.items()}
    event = StreamMetadata(kind="event", features=features.event, units=EVENT.units(features.event))
    return FeatureMetadata(
        schema_version=SCHEMA_VERSION,
        sample=sample.name,
        process=sample.process,
        role=sample.role,
        part=part,
        streams=streams,
        event=event,
        folds=features.split.folds,
        test_folds=features.split.test,
        validation_folds=features.split.validation,
    )


def _describe_stream(stream: Stream) -> StreamMetadata:
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


def _compute(
    table: Any, features: FeaturesConfig, sample: Sample, scale: float, metadata: FeatureMetadata
) -> FeatureSet:
    """Features of some events, a record batch or table of a skim file."""
    events = _events(table)
    arrays = {name: _stream(events, stream) for name, stream in features.streams.items()}
    number = np.asarray(table.column("event_number"), dtype=np.int64)
    split = features.split
    return FeatureSet(
        streams={name: values for name, (values, _) in arrays.items()},
        masks={name: mask for name, (_, mask) in arrays.items()},
        event=EVENT.stack(features.event, events),
        label=np.full(len(events), sample.role == "signal", dtype=np.int8),
        weight=np.asarray(table.column("weight"), dtype=np.float64) * scale,
        event_number=number,
        fold=folds(sample.name, number, split.folds, split.seed),
        metadata=metadata,
    )


def _stream(events: Events, stream: Stream) -> tuple[NDArray[np.float32], Mask]:
    if stream.kind == "kinematics":
        return kinematic_tokens(events, stream.tokens, stream.features)
    if stream.kind == "objects":
        return object_set(events, stream.max_objects, stream.features)
    constituents, axes = _one_jet(events, stream.jet)
    prepared, mask = prepare(constituents, axes, stream.max_tokens, stream.alignment)
    values = CONSTITUENTS.stack(stream.features, prepared)
    values[~mask] = 0
    return values, mask


def _one_jet(events: Events, index: int) -> tuple[Jagged, dict[str, NDArray[Any]]]:
    """Constituents of the jet with this index in each event, none where there is no such jet, and its axis."""
    there = np.diff(events.jet_offsets) > index
    jets = events.collections["fat_jets"]
    axes = {column: jets.padded(column, index + 1)[0][:, index] for column in ("pt", "eta", "phi", "mass")}
    chosen = np.zeros(len(events.constituents), dtype=bool)
    chosen[events.jet_offsets[:-1][there] + index] = True
    own = events.constituents.take_events(chosen)
    counts = np.zeros(len(events), dtype=np.int64)
    counts[there] = own.counts
    return Jagged(offsets_from_counts(counts), own.columns), axes


def _events(table: Any) -> Events:
    from jetlens.skim.parquet import CONSTITUENTS as COLUMN
    from jetlens.skim.parquet import from_lists

    nested = table.column(COLUMN)
    nested = nested.combine_chunks() if hasattr(nested, "combine_chunks") else nested
    return Events(
        collections={name: from_lists(table.column(name)) for name in COLLECTIONS},
        constituents=from_lists(nested.values),
        jet_offsets=np.asarray(nested.offsets, dtype=np.int64),
        met=np.asarray(table.column("met")),
        met_phi=np.asarray(table.column("met_phi")),
        ht=np.asarray(table.column("ht")),
    )
