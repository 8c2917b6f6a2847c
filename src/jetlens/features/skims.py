"""Skim files as batches of events."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from jetlens.events.layout import from_table
from jetlens.expressions import Namespace
from jetlens.expressions.inference import names_of
from jetlens.skim.parquet import open_skim, read_facts

BATCH = 8192
"""Events at a time: many, as awkward takes its time per call."""


@dataclass(frozen=True)
class Skim:
    """An open skim file.

    Attributes:
        names: what expressions can use.
        facts: what it says of its input file, see :func:`jetlens.skim.parquet.read_facts`.
        number: how many events it has.
    """

    names: Namespace
    facts: dict[str, Any]
    number: int
    _file: Any

    def batches(self, columns: Iterable[str]) -> Iterator[Any]:
        """Yield the events, awkward records, in batches, at least one.

        Args:
            columns: dotted names of what is needed of them; other collections are not read.
        """
        wanted = sorted({name.split(".")[0] for name in columns})
        empty = True
        for group in range(self._file.num_row_groups):  # iter_batches over all of them keeps what it has read
            for table in self._file.iter_batches(
                BATCH, row_groups=[group], columns=wanted, use_threads=False
            ):
                yield from_table(table)
                empty = False
        if empty:
            yield from_table(self._file.read(columns=wanted, use_threads=False))


@contextlib.contextmanager
def skimmed(path: Path) -> Iterator[Skim]:
    """Open a skim file.

    Raises:
        FileError: if it is missing or damaged.
    """
    with open_skim(path) as file:
        names = names_of(from_table(file.schema_arrow.empty_table()))
        yield Skim(names, read_facts(file), file.metadata.num_rows, file)
    pa.default_memory_pool().release_unused()
