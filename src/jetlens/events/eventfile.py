"""Events of a file as awkward records of vector's four-momenta, whatever the format; a schema says what is what."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from jetlens.errors import FileError
from jetlens.events.arrays import Column, Index, lists, offsets_from_counts, record, wrap_phi
from jetlens.events.columns import Resolved, filled_text, make, plain_names, resolve_field
from jetlens.events.integrity import check_sums
from jetlens.events.links import Found, report_unmatched
from jetlens.events.objects import Objects, find_objects
from jetlens.events.schema import Collection, Schema
from jetlens.events.selection import Selection, select_columns
from jetlens.events.sources import Source, open_for

_BASE_BYTES = 400e6  # the interpreter with numpy, uproot, pyarrow loaded
_COPIES = (
    8  # raw, byte-swapped, joined, looked up, selected, sorted, written: measured in benchmarks/memory.py
)


@dataclass(frozen=True)
class ReadOptions:
    """How to read; none of it changes what a column means.

    Attributes:
        leading: constituents are found for this many leading objects.
        memory_gb: memory budget, which sets the size of a batch.
        unmatched: what to do where constituents are not found.
        check_closure: refuse files in which most jets, but not all, are the sum of their constituents.
        branches: branches that hold the constituents of references; None: found by looking.
        explicit: collections that must be there even where the schema calls them optional.
    """

    leading: int = 2
    memory_gb: float = 1.0
    unmatched: Literal["fail", "warn"] = "fail"
    check_closure: bool = True
    branches: tuple[str, ...] | None = None
    explicit: frozenset[str] = frozenset()


class EventFile:
    """Events of one file; iterate over it for arrays of events, or over :meth:`batches` to cut before constituents.

    Attributes:
        path: the file.
        schema: what its columns mean.
        assumed: what was assumed where the file says nothing, by topic; written into the cutflow.
        filled: columns that the file lacks, and the reason; they hold the schema's ``fill``.
    """

    def __init__(
        self, source: Source, schema: Schema, columns: Iterable[str] | None, options: ReadOptions
    ) -> None:
        """Check that all that is needed is there.

        Raises:
            FileError: naming what is missing, and what the file has instead.
            ConfigError: if a column is none of the schema's.
        """
        self.path, self.schema, self.source, self.options = source.path, schema, source, options
        self.assumed: dict[str, str] = {}
        self.filled: dict[str, str] = {}
        self.selection: Selection = select_columns(schema, columns)
        self._scalars = [
            resolve_field(source, name, schema.scalars[name], "", name) for name in self.selection.scalars
        ]
        self._objects: dict[str, Objects] = {}
        for name, wanted in self.selection.collections.items():
            objects = find_objects(source, name, schema.collections[name], wanted, options)
            self._objects[name] = objects
        self._met = self._find_met()
        self._collect()

    def _find_met(self) -> tuple[Collection, list[Resolved]] | None:
        met = self.schema.met
        if met is None or not self.selection.met:
            return None
        names = [
            field.branch[0].replace("{}", branch) for branch in met.branch for field in met.fields.values()
        ]
        branch = next((b for b in met.branch if self._has_met(met, b)), None)
        if branch is None:
            if not met.optional or "met" in self.options.explicit:
                self.source.require(names, "the missing transverse momentum (reading.missing_energy)")
            branch = ""
            self.assumed["met"] = f"0, as {names[0]} is missing"
            self.filled |= {f"met.{name}": self.assumed["met"] for name in met.fields}
            return met, [Resolved(name, field) for name, field in met.fields.items()]
        if len(met.branch) > 1:
            self.assumed["missing momentum"] = branch
        return met, [resolve_field(self.source, k, f, branch, f"met.{k}") for k, f in met.fields.items()]

    def _has_met(self, met: Collection, branch: str) -> bool:
        return all(
            any(name.replace("{}", branch) in self.source for name in f.branch) for f in met.fields.values()
        )

    def _collect(self) -> None:
        """Gather what was assumed, by all parts."""
        for field in self._scalars:
            if (text := filled_text(field)) is not None:
                self.assumed[field.name] = text
                self.filled[field.name] = text
        for objects in self._objects.values():
            self.assumed |= objects.assumed
            self.filled |= objects.filled

    @property
    def entries(self) -> int:
        """Number of events in the file."""
        return self.source.entries

    @property
    def generated(self) -> dict[str, float] | None:
        """Sums over all generated events, ``events``, ``weights``, ``weights_squared``, where the file has them."""
        tree = self.schema.generated.get("tree")
        other = self.source.sibling(tree[0]) if tree else None
        if other is None:
            return None
        found = {}
        for key in ("events", "weights", "weights_squared"):
            name = next((n for n in self.schema.generated.get(key, ()) if n in other), None)
            if name is None:
                return None
            found[key] = float(other.numbers([name], 0, other.entries)[name].astype(np.float64).sum())
        return found

    def columns(self) -> list[str]:
        """Columns of the file that reading may need."""
        names = plain_names(self._scalars)
        if self._met is not None:
            names += plain_names(self._met[1])
        for objects in self._objects.values():
            names += objects.columns()
        self._collect()
        return list(dict.fromkeys(names))

    def __enter__(self) -> EventFile:
        """Return the file itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self.source.close()

    def __iter__(self) -> Iterator[Any]:
        """Yield the file's events in order, constituents attached."""
        for batch in self.batches():
            yield batch.with_constituents(batch.events)

    def batches(self, events: int | None = None) -> Iterator[Batch]:
        """Yield the file's events in order, without constituents.

        Args:
            events: most events per batch; None for as many as ``memory_gb`` allows.

        Raises:
            FileError: if the file turns out to be damaged.
        """
        for start, stop in itertools.pairwise(self._edges(events)):
            yield self._batch(start, stop)

    def _edges(self, events: int | None) -> list[int]:
        """Boundaries of batches: where the file can be cut, if that is within reach, so that nothing is read twice."""
        columns = self.columns()
        if events is None:
            memory = self.options.memory_gb
            available = max(memory * 1e9 - _BASE_BYTES, 0.1e9 * memory)
            events = max(int(available / _COPIES / max(self.source.bytes_per_event(columns), 1.0)), 1)
        clusters = self.source.edges(columns)
        edges = [0]
        while edges[-1] < self.entries:
            target = min(edges[-1] + events, self.entries)
            aligned = int(clusters[np.searchsorted(clusters, target, side="right") - 1])
            edges.append(aligned if aligned > edges[-1] else target)
        return edges

    def _batch(self, start: int, stop: int) -> Batch:
        content: dict[str, Any] = dict(self._scalar_columns(start, stop))
        if self._met is not None:
            content["met"] = self._missing(start, stop)
        counts = {}
        for name, objects in self._objects.items():
            content[name], counts[name] = objects.read(start, stop)
        for field in self._scalars:
            if isinstance(field.field.fill, str) and field.constant:
                content[field.name] = self._computed(field, content, start, stop)
        return Batch(self, ak.Array(record(content, stop - start)), start, stop, counts)

    def _scalar_columns(self, start: int, stop: int) -> dict[str, Column]:
        lists_of = [f for f in self._scalars if isinstance(f.field.take, int) and not f.constant]
        plain = [f for f in self._scalars if f not in lists_of]
        raw = self.source.numbers(plain_names(plain), start, stop)
        raw |= {f.columns[0]: self._element(f, start, stop) for f in lists_of if f.columns[0]}
        return make(self.path, self._scalars, raw, stop - start)

    def _element(self, resolved: Resolved, start: int, stop: int) -> NDArray[Any]:
        """A list per event, as a matrix up to the element wanted."""
        name, element = str(resolved.columns[0]), int(resolved.field.take or 0)
        offsets, raw = self.source.lists([name], start, stop)
        counts = np.diff(offsets)
        if len(counts) and counts.min() <= element:
            raise FileError(
                f"{self.path}: an event has {counts.min()} values of '{name}'; {resolved.name} asks for number"
                f" {element} (counted from 0)"
            )
        return np.asarray(raw[name][offsets[:-1, np.newaxis] + np.arange(element + 1)])

    def _missing(self, start: int, stop: int) -> Any:
        assert self._met is not None
        raw = self.source.numbers(plain_names(self._met[1]), start, stop)
        values = make(self.path, self._met[1], raw, stop - start)
        four = {"pt": values["pt"].astype(np.float64), "phi": wrap_phi(values["phi"].astype(np.float64))}
        rest = {name: column for name, column in values.items() if name not in four}
        return record(four | rest, stop - start, "Momentum2D")

    def _computed(self, resolved: Resolved, content: dict[str, Any], start: int, stop: int) -> Column:
        """What is made of other columns where the file has none: ``entry``, ``sum(jets.pt)``."""
        rule = str(resolved.field.fill)
        if rule == "entry":
            return np.arange(start, stop, dtype=resolved.field.dtype)
        collection, leaf = rule.removeprefix("sum(").removesuffix(")").split(".")
        if collection not in content:
            return np.zeros(stop - start, dtype=resolved.field.dtype)
        total = np.asarray(ak.sum(ak.Array(content[collection])[leaf], axis=1))
        return total.astype(resolved.field.dtype)


@dataclass(frozen=True)
class Batch:
    """Consecutive events of a file.

    Attributes:
        file: where they come from.
        events: awkward records without constituents; ``row`` of an object is its place among all of this batch.
        start, stop: entries.
        counts: objects per event of each collection, as stored.
    """

    file: EventFile
    events: Any
    start: int
    stop: int
    counts: dict[str, Index]

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
        for name, objects in self.file._objects.items():
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
        found = objects.link.find(rows, self.counts[name], self.start, self.stop)
        self.file.assumed.update(objects.link.assumed)
        self.file.filled.update(objects.link.filled)
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


def open_events(
    path: str,
    schema: Schema,
    columns: Iterable[str] | None = None,
    *,
    tree: str | None = None,
    options: ReadOptions | None = None,
    fast: bool = True,
) -> EventFile:
    """Open an event file; use it in a ``with`` statement.

    Args:
        path: a ROOT, parquet, HDF5, ``.npz`` or ``.npy`` file; of ROOT files also a URL.
        schema: what its columns mean, see :func:`jetlens.events.schemas.load_schema`.
        columns: dotted names of what is needed: ``jets`` (all fields but constituents), ``jets.b_tag``,
            ``fat_jets.constituents``, ``met``; None for all that the schema reads by default. Momenta, event number
            and weight come always.
        tree: name of the tree, group or table, if it is not the schema's.
        options: see :class:`ReadOptions`.
        fast: read plain numbers of trees straight from the baskets; False: everything by uproot, same numbers.

    Raises:
        FileError: if the file is unreadable or truncated, or lacks what is needed.
        ConfigError: if a column is none of the schema's.
    """
    source = open_for(schema, path, tree, fast=fast)
    try:
        return EventFile(source, schema, columns, options or ReadOptions())
    except BaseException:
        source.close()
        raise
