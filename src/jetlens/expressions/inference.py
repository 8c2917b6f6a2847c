"""The namespace of given events: what their awkward type says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jetlens.expressions.names import Kind, Namespace


def names_of(events: Any) -> Namespace:
    """Return the namespace of an awkward record array of events: its lists are collections, its records objects."""
    layout = events.layout
    while layout.is_indexed:
        layout = layout.content
    columns, objects = dict(_columns(layout)), [n for n in layout.fields if layout.content(n).is_record]
    return Namespace.from_columns(columns, objects)


def _columns(layout: Any, prefix: str = "") -> Iterator[tuple[str, Kind]]:
    for name in layout.fields:
        content = layout.content(name)
        while content.is_list or content.is_option or content.is_indexed:
            content = content.content
        if content.is_record:
            yield from _columns(content, f"{prefix}{name}.")
        else:
            kind = content.dtype.kind
            yield f"{prefix}{name}", "boolean" if kind == "b" else "integer" if kind in "iu" else "number"
