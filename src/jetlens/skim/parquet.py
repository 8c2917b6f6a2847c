"""The skim file: selected events as parquet, in the layout that follows from their schema.

A column per collection, a list of records with the schema's fields, and in those of jets a list ``constituents``,
empty beyond the leading ones; ``met``, a record; numbers of the event. GeV, radians, mm.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from jetlens.errors import FileError
from jetlens.events.impact_parameters import Treatment
from jetlens.events.layout import from_table

FACTS = "jetlens"
"""Key of the file's own metadata."""


def read_skim(path: str | os.PathLike[str], columns: Sequence[str] | None = None) -> Any:
    """Read a skim file as an awkward array of events; see :mod:`jetlens.events` for what can be done with it.

    Objects behave as four-vectors: ``events.fat_jets[:, 0] + events.fat_jets[:, 1]`` is one, with a ``.mass``.
    Write ``fat_jets["tau2"]`` for N-subjettiness: the attribute ``.tau2`` of a four-vector is its proper time squared.

    Args:
        path: the file.
        columns: collections and numbers to read; None for all.

    Raises:
        FileError: if the file is no skim file.
    """
    with open_skim(path) as file:
        return from_table(file.read(columns=list(columns) if columns is not None else None))


def open_skim(path: str | os.PathLike[str]) -> pq.ParquetFile:
    """Open a skim file and make sure that it is one.

    Raises:
        FileError: if it is missing, unreadable, or something else.
    """
    try:
        file = pq.ParquetFile(os.fspath(path))
    except FileNotFoundError as error:
        raise FileError(f"{path}: does not exist; run the skim stage first") from error
    except (pa.ArrowInvalid, OSError) as error:
        raise FileError(
            f"{path}: is not a readable parquet file; make it again with the skim stage"
        ) from error
    if FACTS.encode() not in (file.metadata.metadata or {}):
        raise FileError(f"{path}: was not written by this version's skim stage; make it again")
    return file


def write_facts(writer: pq.ParquetWriter, filled: Mapping[str, str], treatment: Treatment | None) -> None:
    """Note in a skim file what features must know of its input file; see :func:`read_facts`."""
    facts = {"impact_parameters": treatment.describe() if treatment else None, "lacks": dict(filled)}
    writer.add_key_value_metadata({FACTS: json.dumps(facts, sort_keys=True)})


def read_facts(file: pq.ParquetFile) -> dict[str, Any]:
    """Return what an open skim file says of its input file.

    Returns:
        ``lacks``: why a column holds the schema's fill value, by its name (``fat_jets.tau1``,
        ``fat_jets.constituents.d0``); ``impact_parameters``: see
        :meth:`jetlens.events.impact_parameters.Treatment.describe`; None if none are read.
    """
    return dict(json.loads(file.metadata.metadata[FACTS.encode()]))


@contextlib.contextmanager
def released_memory() -> Iterator[None]:
    """Give memory back after a file: uproot's trees are cycles that linger, Arrow keeps what it once allocated.

    Meanwhile Python looks for no garbage of its own accord, so that all of the file's is young: found in a quarter of
    the time that a search through everything takes.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.collect(1)
        if enabled:
            gc.enable()
        pa.default_memory_pool().release_unused()
