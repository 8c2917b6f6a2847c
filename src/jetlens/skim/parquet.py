"""The skim file: selected events with their objects and the leading fat jets' constituents, as parquet.

Columns: ``event_number`` int64, ``weight`` float64, ``met``, ``met_phi``, ``ht`` float32; lists of records
``fat_jets``, ``jets``, ``electrons``, ``muons`` (leaves in :data:`jetlens.config.quantities.LEAVES`); and
``fat_jet_constituents``, for each of the leading fat jets a list of records (leaves in
:class:`jetlens.events.Constituents`), leading in pT first. GeV, radians, mm.
"""

from __future__ import annotations

import gc
import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from jetlens.config.quantities import COLLECTIONS, EVENT, LEAVES
from jetlens.errors import FileError
from jetlens.events import Chunk, Jagged
from jetlens.events.impact_parameters import Treatment

CONSTITUENTS = "fat_jet_constituents"
FACTS = "jetlens"
"""Key of the file's own metadata."""
_CONSTITUENT_LEAVES: dict[str, Any] = {
    **dict.fromkeys(("pt", "eta", "phi", "mass"), pa.float32()),
    "charge": pa.int8(),
    "type": pa.uint8(),
    **dict.fromkeys(("d0", "d0_error", "dz", "dz_error"), pa.float32()),
}
_INTEGERS = {"b_tag": pa.int32(), "n_charged": pa.int32(), "n_neutrals": pa.int32(), "charge": pa.int32()}


def schema() -> pa.Schema:
    """Return the schema of a skim file."""
    kinds: dict[str, pa.DataType] = {"event_number": pa.int64(), "weight": pa.float64()}
    kinds |= dict.fromkeys(EVENT, pa.float32())
    kinds |= {
        name: _records({leaf: _INTEGERS.get(leaf, pa.float32()) for leaf in LEAVES[name]})
        for name in COLLECTIONS
    }
    kinds[CONSTITUENTS] = pa.large_list(pa.field("item", _records(_CONSTITUENT_LEAVES), nullable=False))
    return pa.schema([pa.field(name, kind, nullable=False) for name, kind in kinds.items()])


def _records(leaves: dict[str, Any]) -> pa.DataType:
    fields = [pa.field(name, kind, nullable=False) for name, kind in leaves.items()]
    return pa.large_list(pa.field("item", pa.struct(fields), nullable=False))


def to_table(chunk: Chunk, constituents: Jagged, jets_per_event: NDArray[np.int64]) -> pa.Table:
    """Arrange selected events as a table with :func:`schema`.

    Args:
        chunk: the selected events, N of them.
        constituents: of the leading fat jets, one entry per jet.
        jets_per_event: int64 (N,), how many of these jets each event has.
    """
    wanted = schema()
    arrays: dict[str, Any] = {"event_number": chunk.number, "weight": chunk.weight}
    arrays |= {name: getattr(chunk, name) for name in EVENT}
    for name in COLLECTIONS:
        arrays[name] = _lists(chunk.collections[name], wanted.field(name).type)
    kind = wanted.field(CONSTITUENTS).type
    outer = pa.array(np.concatenate([[0], np.cumsum(jets_per_event)]), pa.int64())
    arrays[CONSTITUENTS] = pa.LargeListArray.from_arrays(
        outer, _lists(constituents, kind.value_type), type=kind
    )
    return pa.Table.from_arrays([pa.array(arrays[field.name], field.type) for field in wanted], schema=wanted)


def _lists(jagged: Jagged, kind: pa.DataType) -> pa.Array:
    fields = list(kind.value_type)
    values = [
        pa.array(np.ascontiguousarray(jagged[field.name]), safe=False).cast(field.type) for field in fields
    ]
    records = pa.StructArray.from_arrays(values, fields=fields)
    return pa.LargeListArray.from_arrays(pa.array(jagged.offsets, pa.int64()), records, type=kind)


def from_lists(column: Any) -> Jagged:
    """Turn a list-of-records column of a skim file back into flat columns and offsets."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    offsets = np.asarray(array.offsets, dtype=np.int64)
    records = array.values
    columns = {field.name: np.asarray(records.field(field.name)) for field in records.type}
    return Jagged(offsets, columns)


def read_skim(path: str | os.PathLike[str]) -> Any:
    """Read a skim file as an awkward array of events; see the module for its fields.

    Objects behave as four-vectors: ``events.fat_jets[:, 0] + events.fat_jets[:, 1]`` is one, with a ``.mass``.
    Write ``fat_jets["tau2"]`` for N-subjettiness: the attribute ``.tau2`` of a four-vector is its proper time squared.

    Raises:
        FileError: if the file is no skim file.
    """
    import awkward as ak
    import vector

    vector.register_awkward()
    check_schema(path)
    events = ak.from_arrow(check_schema(path).read())
    for name in (*COLLECTIONS, CONSTITUENTS):
        events = ak.with_field(events, ak.with_name(events[name], "Momentum4D"), name)
    return events


def check_schema(path: str | os.PathLike[str]) -> Any:
    """Open a skim file and make sure that it is one.

    Returns:
        the open ``pyarrow.parquet.ParquetFile``.

    Raises:
        FileError: if it is missing, unreadable, or has other columns.
    """
    try:
        file = pq.ParquetFile(os.fspath(path))
    except FileNotFoundError as error:
        raise FileError(f"{path}: does not exist; run the skim stage first") from error
    except (pa.ArrowInvalid, OSError) as error:
        raise FileError(
            f"{path}: is not a readable parquet file; make it again with the skim stage"
        ) from error
    missing = [name for name in schema().names if name not in file.schema_arrow.names]
    if missing:
        raise FileError(
            f"{path}: has no column '{missing[0]}'; it was not written by this version's skim stage"
        )
    return file


def write_facts(
    writer: pq.ParquetWriter, conventions: Mapping[str, str], treatment: Treatment | None
) -> None:
    """Note in a skim file what features must know of its input file; see :func:`read_facts`."""
    lacks = {topic: why for topic, why in conventions.items() if why.startswith("0, as ")}
    facts = {"impact_parameters": treatment.describe() if treatment else None, "lacks": lacks}
    writer.add_key_value_metadata({FACTS: json.dumps(facts, sort_keys=True)})


def read_facts(file: pq.ParquetFile) -> dict[str, Any]:
    """Return what an open skim file says of its input file.

    Returns:
        ``lacks``: why a column is filled with zeros, by its name (``fat_jets.tau``, ``constituents.d0``);
        ``impact_parameters``: see :meth:`jetlens.events.impact_parameters.Treatment.describe`; None if none are read.
    """
    stored = (file.metadata.metadata or {}).get(FACTS.encode())
    return json.loads(stored) if stored else {"impact_parameters": None, "lacks": {}}


def release_memory() -> None:
    """Give memory back after a file: uproot's trees are cycles that linger, Arrow keeps what it once allocated."""
    gc.collect()
    pa.default_memory_pool().release_unused()
