"""Numbers per event out of skim files, by the names the configuration uses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jetlens.config.quantities import COLLECTIONS, EVENT, parse_quantity
from jetlens.events import Chunk
from jetlens.skim.cuts import evaluate
from jetlens.skim.parquet import check_schema, from_lists

Floats = NDArray[np.float64]
OPERATORS = re.compile(r" ([/+]) ")


def read_values(path: Path, quantities: Mapping[str, str]) -> tuple[NDArray[np.int64], dict[str, Floats]]:
    """Compute quantities for the events of a skim file.

    A quantity is one of :mod:`jetlens.config.quantities`, or several joined by `` + `` or `` / `` (with spaces, from
    left to right): ``fat_jets[0].tau2 / fat_jets[0].tau1``.

    Args:
        path: a skim file of N events.
        quantities: by a name of one's own.

    Returns:
        Event numbers (N,), and by name (N,), NaN where an event lacks the object.

    Raises:
        ConfigError: if a quantity cannot be read.
        FileError: if the file is no skim file.
    """
    chunk = read_chunk(path)
    return chunk.number, {name: evaluate_joined(chunk, text) for name, text in quantities.items()}


def evaluate_joined(chunk: Chunk, text: str) -> Floats:
    """Evaluate one quantity, or several joined by operators."""
    first, *rest = OPERATORS.split(text)
    values = evaluate(chunk, parse_quantity(first))
    for operator, word in zip(rest[::2], rest[1::2], strict=True):
        other = evaluate(chunk, parse_quantity(word))
        with np.errstate(invalid="ignore", divide="ignore"):
            values = values + other if operator == "+" else np.where(other != 0, values / other, np.nan)
    return values


def read_chunk(path: Path) -> Chunk:
    """Read the events of a skim file, all but the constituents."""
    table = check_schema(path).read(columns=["event_number", "weight", *EVENT, *COLLECTIONS])
    flat = {name: np.asarray(table.column(name)) for name in ("event_number", "weight", *EVENT)}
    return Chunk(
        number=flat["event_number"],
        weight=flat["weight"],
        met=flat["met"],
        met_phi=flat["met_phi"],
        ht=flat["ht"],
        collections={name: from_lists(table.column(name)) for name in COLLECTIONS},
        _resolve=_no_constituents,
    )


def _no_constituents(rows: Any) -> Any:
    raise NotImplementedError("constituents of skimmed events are in the skim file itself")
