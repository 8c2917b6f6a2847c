"""Factors on the weights of events under a variation: ``inference/weights/<variation>.parquet``.

A row per selected event of each sample, whatever its fold, in the order of its skim files. Columns: ``sample``,
``event``, ``fold``, ``up`` and, unless it is the mirror image, ``down``. Nothing of a classifier is in them: the
events of all are weighted by one file, and none is scored again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from jetlens.errors import FileError
from jetlens.expressions import check, define
from jetlens.expressions.evaluate import Evaluator
from jetlens.features.featurefile import Part
from jetlens.features.skims import skimmed
from jetlens.files import atomic_path
from jetlens.hashing import identities
from jetlens.inference.scored import PartFiles

Floats = NDArray[np.float64]


def write_weights(
    samples: Mapping[str, Sequence[PartFiles]],
    output: Path,
    *,
    factors: Mapping[str, str],
    definitions: Mapping[str, str] | None = None,
) -> None:
    """Write the factors of one variation, batch by batch.

    Args:
        samples: parts by sample.
        output: the parquet file to write.
        factors: expression by side, ``up`` and possibly ``down``.
        definitions: names that they may use.

    Raises:
        ConfigError: if an expression does not fit these events.
        FileError: if a file is missing or damaged, or a factor is missing in an event.
    """
    columns = [("sample", pa.string()), ("event", pa.int64()), ("fold", pa.uint8())]
    schema = pa.schema(columns + [(side, pa.float64()) for side in factors])
    with atomic_path(output) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        for sample, parts in samples.items():
            for part in parts:
                for found in _batches(part, factors, definitions or {}):
                    names = pa.array([sample], pa.string()).take(pa.array(np.zeros(len(found["fold"]), int)))
                    writer.write_table(pa.table({"sample": names, **found}, schema))


def _batches(
    part: PartFiles, factors: Mapping[str, str], definitions: Mapping[str, str]
) -> Iterator[dict[str, NDArray[Any]]]:
    of = Part(part.features, [])
    numbers, folds = identities(of.metadata.part, of.per_event("event_number")), of.per_event("fold")
    with skimmed(part.skim) as skim:
        if skim.number != len(numbers):
            raise FileError(
                f"{part.features}: has {len(numbers)} events, its skim file {skim.number}; make the features again"
            )
        names = define(skim.names, definitions)
        checked = {side: check(text, names, "number") for side, text in factors.items()}
        wanted = {column for one in checked.values() for column in one.columns} | {"event_number"}
        start = 0
        for events in skim.batches(wanted):
            stop, evaluator = start + len(events), Evaluator(events)
            values = {side: evaluator.numbers(one) for side, one in checked.items()}
            for side, found in values.items():
                if missing := int((~np.isfinite(found)).sum()):
                    raise FileError(
                        f"{part.skim}: '{factors[side]}' is missing in {missing} of {len(found)} events; say what it "
                        "is there, by fill_none(…, 1) or where(…)"
                    )
            yield {"event": numbers[start:stop], "fold": folds[start:stop], **values}
            start = stop


def sides_of(path: Path) -> list[str]:
    """Return the sides that a file has."""
    return [name for name in pq.read_schema(path).names if name in ("up", "down")]


def read_factors(
    path: Path, sample: str, side: str, number: NDArray[np.int64], fold: NDArray[np.uint8]
) -> Floats:
    """Return the factors of some of a sample's events, float64 (N,).

    Args:
        path: the file.
        sample: name of the sample.
        side: ``up`` or ``down``.
        number: what tells the events apart, all of the folds that they are of, in the order of the skim files, (N,).
        fold: of the events, (N,).

    Raises:
        FileError: if the file is of other events.
    """
    columns = ["event", "fold", side]
    table = pq.read_table(path, columns=columns, filters=[("sample", "==", sample)])
    own = np.isin(table["fold"].to_numpy(), np.unique(fold))
    if not np.array_equal(table["event"].to_numpy()[own], number):
        raise FileError(f"{path}: has other events of '{sample}' than were scored; make it again")
    return np.asarray(table[side].to_numpy()[own], dtype=np.float64)
