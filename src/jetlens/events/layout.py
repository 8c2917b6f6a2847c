"""The events of a schema as parquet: the layout follows from the schema, the same for every file that it describes."""

from __future__ import annotations

from typing import Any

import awkward as ak
import numpy as np
import pyarrow as pa

from jetlens.events.arrays import lists, record
from jetlens.events.schema import Schema
from jetlens.events.selection import Selection, selected_columns
from jetlens.events.standard import MOMENTA

_KINDS = {"float32": pa.float32(), "float64": pa.float64(), "bool": pa.bool_()}
_KINDS |= {
    **{name: getattr(pa, name)() for name in ("int8", "int16", "int32", "int64")},
    "uint8": pa.uint8(),
}


def arrow_schema(schema: Schema, selection: Selection) -> pa.Schema:
    """Return the columns of a parquet file of events.

    Args:
        schema: what the events are.
        selection: which of its columns are stored.
    """
    tree: dict[str, Any] = {}
    for name, field in selected_columns(schema, selection).items():
        *path, leaf = name.split(".")
        node = tree
        for step in path:
            node = node.setdefault(step, {})
        node[leaf] = _KINDS[field.dtype]
    return pa.schema([pa.field(name, _kind(name, node), nullable=False) for name, node in tree.items()])


def _kind(name: str, node: Any) -> pa.DataType:
    """Numbers as they are, one record ``met`` per event, and lists of records of all else."""
    if not isinstance(node, dict):
        return node
    record_of = pa.struct([pa.field(leaf, _kind(leaf, kind), nullable=False) for leaf, kind in node.items()])
    return record_of if name == "met" else _list(record_of)


def _list(kind: pa.DataType) -> pa.DataType:
    return pa.large_list(pa.field("item", kind, nullable=False))


def to_table(events: Any, layout: pa.Schema) -> pa.Table:
    """Arrange events as a table.

    Args:
        events: records with all that the layout has.
        layout: see :func:`arrow_schema`.
    """
    arrays = [_to_arrow(ak.to_layout(events[field.name]).to_packed(), field.type) for field in layout]
    return pa.Table.from_arrays(arrays, schema=layout)


def _to_arrow(layout: Any, kind: pa.DataType) -> pa.Array:
    if pa.types.is_large_list(kind):
        layout = layout.to_ListOffsetArray64(True)
        offsets = pa.array(np.asarray(layout.offsets.data), pa.int64())
        content = layout.content[: int(layout.offsets[-1])]
        return pa.LargeListArray.from_arrays(offsets, _to_arrow(content, kind.value_type), type=kind)
    if pa.types.is_struct(kind):
        fields = list(kind)
        values = [_to_arrow(layout.content(field.name).to_packed(), field.type) for field in fields]
        if not fields:
            return pa.array([{}] * len(layout), kind)
        return pa.StructArray.from_arrays(values, fields=fields)
    numbers = np.ascontiguousarray(np.asarray(layout.to_backend_array()))
    return pa.array(numbers, safe=False).cast(kind, safe=False)


def from_table(table: Any) -> Any:
    """Turn a table (or record batch) back into events: awkward records, momenta in float64, nothing else copied."""
    columns = {name: _from_arrow(_one(table.column(name))) for name in table.schema.names}
    return ak.Array(record(columns, table.num_rows))


def _one(column: Any) -> Any:
    if not isinstance(column, pa.ChunkedArray):
        return column
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)


def _from_arrow(array: Any, coordinate: bool = False) -> Any:
    if pa.types.is_large_list(array.type) or pa.types.is_list(array.type):
        offsets = array.offsets.to_numpy()
        first, last = int(offsets[0]), int(offsets[-1])
        return lists((offsets - first).astype(np.int64), _from_arrow(array.values[first:last]))
    if pa.types.is_struct(array.type):
        names = [field.name for field in array.type]
        behaviour = _behaviour(names)
        columns = {
            name: _from_arrow(array.field(name), behaviour is not None and name in MOMENTA) for name in names
        }
        return record(columns, len(array), behaviour)
    values = array.to_numpy(zero_copy_only=False)
    return ak.contents.NumpyArray(values.astype(np.float64, copy=False) if coordinate else values)


def _behaviour(names: list[str]) -> str | None:
    if set(MOMENTA) <= set(names):
        return "Momentum4D"
    return "Momentum2D" if {"pt", "phi"} <= set(names) and "eta" not in names else None


def empty_events(layout: pa.Schema) -> Any:
    """Return no events, in exactly the type of those in a file of this layout."""
    return from_table(layout.empty_table())
