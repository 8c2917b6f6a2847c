"""Numbers per event out of skim files, by the expressions of the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jetlens.events.layout import empty_events, from_table
from jetlens.expressions import check, define
from jetlens.expressions.evaluate import Evaluator
from jetlens.expressions.inference import names_of
from jetlens.skim.parquet import open_skim

Floats = NDArray[np.float64]


def read_values(
    path: Path, quantities: Mapping[str, str], definitions: Mapping[str, str] | None = None
) -> tuple[NDArray[np.int64], dict[str, Floats]]:
    """Compute quantities for the events of a skim file.

    Args:
        path: a skim file of N events.
        quantities: expressions by a name of one's own.
        definitions: names that they may use, each an expression.

    Returns:
        Event numbers (N,), and by name (N,), NaN where an event lacks what it needs.

    Raises:
        ConfigError: if a quantity means nothing.
        FileError: if the file is no skim file.
    """
    with open_skim(path) as file:
        names = define(names_of(empty_events(file.schema_arrow)), definitions or {})
        checked = {name: check(text, names, "number") for name, text in quantities.items()}
        needed = {column.split(".")[0] for one in checked.values() for column in one.columns}
        events = from_table(file.read(columns=["event_number", *sorted(needed - {"event_number"})]))
    evaluator = Evaluator(events)
    values = {name: evaluator.numbers(one) for name, one in checked.items()}
    return np.asarray(events.event_number), values
