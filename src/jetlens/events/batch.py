"""Consecutive events of a file, and the constituents of those that are wanted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import awkward as ak
import numpy as np

from jetlens.events.arrays import Column, Index, lists, offsets_from_counts, record
from jetlens.events.integrity import check_sums
from jetlens.events.links import Found, report_unmatched
from jetlens.events.objects import Objects

if TYPE_CHECKING:
    from jetlens.events.eventfile import EventFile


@dataclass(frozen=True)
class Batch:
    """Consecutive events of a file.

    Attributes:
        file: where they come from.
        events: awkward records without constituents; ``row`` of an object is its place among all of this batch.
        start, stop: entries.
        counts: objects per event of each collection, as stored.
        numbers: of the events.
    """

    file: EventFile
    events: Any
    start: int
    stop: int
    counts: dict[str, Index]
    numbers: Column

    def with_constituents(self, events: Any) -> Any:
        """Find the constituents of some events' leading jets; only now are their columns read.

        Args:
            events: of this batch, after any choice of events and objects.

        Returns:
            the same, each object with a list ``constituents``, empty beyond the leading ones, and without ``row``.

        Raises:
            FileError: if the file is damaged, or constituents are not found and that is not allowed.
        """
        return self.resolve(events)[0]

    def resolve(self, events: Any) -> tuple[Any, dict[str, Found]]:
        """The same, and by collection what was found."""
        found = {}
        for name, objects in self.file.objects.items():
            if objects.link is None:
                continue
            layout = ak.to_packed(events[name]).layout
            offsets = np.asarray(layout.offsets.data, dtype=np.int64)
            columns = {key: layout.content.content(key) for key in layout.content.fields}
            rows = np.asarray(columns.pop("row").data)
            local = np.arange(len(rows)) - np.repeat(offsets[:-1], np.diff(offsets))
            leading = local < self.file.options.leading
            result = self._find(name, objects, rows[leading], columns, leading)
            counts = np.zeros(len(rows), dtype=np.int64)
            counts[leading] = np.diff(result.offsets)
            columns["constituents"] = lists(
                offsets_from_counts(counts), record(result.columns, int(result.offsets[-1]), "Momentum4D")
            )
            content = record(columns, len(rows), layout.content.parameter("__record__"))
            events = _replace(events, name, lists(offsets, content))
            found[name] = result
        return events, found

    def _find(self, name: str, objects: Objects, rows: Index, columns: dict[str, Any], leading: Any) -> Found:
        assert objects.link is not None
        found = objects.link.find(rows, self.counts[name], self.numbers, self.start, self.stop)
        where = objects.link.assumed.get("constituents", name)
        report_unmatched(self.file.path, found, where, self.file.options.unmatched)
        if self.file.options.check_closure and found.matched == found.references and len(rows):
            axes = {key: np.asarray(columns[key].data)[leading] for key in ("pt", "eta", "phi", "mass")}
            check_sums(self.file.path, axes, found.offsets, found.columns)
        return found


def _replace(events: Any, name: str, layout: Any) -> Any:
    """Events with another collection in the place of one; cheaper than ``ak.with_field``, which broadcasts."""
    packed = ak.to_packed(events).layout if not events.layout.is_record else events.layout
    columns = {key: packed.content(key) for key in packed.fields}
    columns[name] = layout
    return ak.Array(record(columns, len(events)))
