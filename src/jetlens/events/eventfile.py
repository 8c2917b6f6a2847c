"""Events of a file as awkward records of vector's four-momenta, whatever the format; a schema says what is what."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from jetlens.errors import FileError
from jetlens.events.arrays import Column, record, wrap_phi
from jetlens.events.batch import Batch
from jetlens.events.columns import Resolved, filled_text, make, plain_names, resolve_field
from jetlens.events.impact_parameters import Treatment
from jetlens.events.objects import Objects, find_objects
from jetlens.events.schema import Collection, Schema, kind_of_dtype
from jetlens.events.schemas import SHIPPED, load_schema
from jetlens.events.selection import Selection, select_columns, selected_columns
from jetlens.events.sources import Source, open_for, open_source
from jetlens.events.tracks import ImpactOptions, ImpactParameters

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
        impact: what to do about impact parameters.
    """

    leading: int = 2
    memory_gb: float = 1.0
    unmatched: Literal["fail", "warn"] = "fail"
    check_closure: bool = True
    branches: tuple[str, ...] | None = None
    explicit: frozenset[str] = frozenset()
    impact: ImpactOptions = field(default_factory=ImpactOptions)


class EventFile:
    """Events of one file; iterate over it for arrays of events, or over :meth:`batches` to cut before constituents.

    Attributes:
        path: the file.
        schema: what its columns mean.
    """

    def __init__(self, source: Source, schema: Schema, selection: Selection, options: ReadOptions) -> None:
        """Check that all that is needed is there.

        Raises:
            FileError: naming what is missing, and what the file has instead.
        """
        self.path, self.schema, self.source, self.options = source.path, schema, source, options
        self.selection = selection
        if options.leading == 0:
            for wanted in selection.collections.values():
                wanted.constituents = set()
        self._scalars = [
            resolve_field(source, name, schema.scalars[name], "", name) for name in self.selection.scalars
        ]
        self._impact = ImpactParameters(options.impact, source.path, source.entries)
        self.objects: dict[str, Objects] = {}
        for name, wanted in self.selection.collections.items():
            collection = schema.collections[name]
            self.objects[name] = find_objects(source, name, collection, wanted, options, self._impact)
        texts = {f.name: text for f in self._scalars if (text := filled_text(f)) is not None}
        self._own = {"assumed": dict(texts), "filled": dict(texts)}
        self._met = self._find_met()
        self._numbered: bool | None = None

    def _find_met(self) -> tuple[Collection, list[Resolved]] | None:
        met = self.schema.met
        if met is None or not self.selection.met:
            return None
        branches = met.branch or ("",)
        names = [
            field.branch[0].replace("{}", branch) for branch in branches for field in met.fields.values()
        ]
        branch = next((b for b in branches if self._has_met(met, b)), None)
        if branch is None:
            if not met.optional or "met" in self.options.explicit:
                self.source.require(names, "the missing transverse momentum (reading.branches.met)")
            branch = ""
            why = f"0, as {names[0]} is missing"
            self._own["assumed"]["met"] = why
            self._own["filled"] |= {f"met.{name}": why for name in met.fields}
            return met, [Resolved(name, field) for name, field in met.fields.items()]
        if len(met.branch) > 1:
            self._own["assumed"]["missing momentum"] = branch
        return met, [resolve_field(self.source, k, f, branch, f"met.{k}") for k, f in met.fields.items()]

    def _has_met(self, met: Collection, branch: str) -> bool:
        return all(
            any(name.replace("{}", branch) in self.source for name in f.branch) for f in met.fields.values()
        )

    def kinds(self) -> dict[str, Literal["number", "integer", "boolean"]]:
        """What every column holds that is read, for the namespace of expressions."""
        columns = selected_columns(self.schema, self.selection)
        return {name: kind_of_dtype(field.dtype) for name, field in columns.items()}

    @property
    def assumed(self) -> dict[str, str]:
        """What was assumed where the file says nothing, by topic; written into the cutflow."""
        return self._merged("assumed")

    @property
    def filled(self) -> dict[str, str]:
        """Columns that the file lacks, and the reason; they hold the schema's ``fill``."""
        return self._merged("filled")

    def assume(self, topic: str, text: str) -> None:
        """Record what was assumed elsewhere."""
        self._own["assumed"][topic] = text

    def _merged(self, what: Literal["assumed", "filled"]) -> dict[str, str]:
        """What all parts have recorded so far: branches of references, for one, are found while reading."""
        found = dict(self._own[what])
        for objects in self.objects.values():
            for part in (objects, objects.link):
                found |= getattr(part, what) if part is not None else {}
        return found

    @property
    def impact_parameters(self) -> Treatment | None:
        """What is done to impact parameters, None if none are read.

        Raises:
            FileError: if they are to be smeared, but were already.
        """
        for objects in self.objects.values():
            objects.settle()
        return self._impact.treatment

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
        for objects in self.objects.values():
            names += objects.columns()
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
        computed = [f for f in self._scalars if isinstance(f.field.fill, str) and f.constant]
        for scalar in computed:
            if scalar.field.fill == "entry":
                content[scalar.name] = np.arange(start, stop, dtype=scalar.field.dtype)
        numbers = content["event_number"] = self._numbers(np.asarray(content["event_number"]), start, stop)
        for name, objects in self.objects.items():
            content[name], counts[name] = objects.read(start, stop, numbers)
        for scalar in computed:
            if scalar.field.fill != "entry":
                content[scalar.name] = self._sum(scalar, content, stop - start)
        events = ak.Array(record(content, stop - start))
        return Batch(self, events, start, stop, counts, numbers)

    def _numbers(self, found: NDArray[Any], start: int, stop: int) -> NDArray[Any]:
        """Return numbers that tell the file's events apart: those found, or a count from 0 where they repeat.

        They are in place of a name: folds, random numbers and what two variations share go by them. In merged files
        they may repeat. All are read for that, once, unless the batch is the whole file.
        """
        if self._numbered is None:
            own = [f for f in self._scalars if f.name == "event_number" and not f.constant]
            whole = not own or stop - start == self.entries
            every = found if whole else self._scalar_columns(0, self.entries, own)["event_number"]
            self._numbered = not own or len(np.unique(every)) == len(every)
            if not self._numbered:
                self.assume("event_number", f"position in the file, as {own[0].columns[0]} repeats")
        return found if self._numbered else np.arange(start, stop, dtype=found.dtype)

    def _scalar_columns(
        self, start: int, stop: int, scalars: list[Resolved] | None = None
    ) -> dict[str, Column]:
        scalars = self._scalars if scalars is None else scalars
        lists_of = [f for f in scalars if isinstance(f.field.take, int) and not f.constant]
        plain = [f for f in scalars if f not in lists_of]
        raw = self.source.numbers(plain_names(plain), start, stop)
        raw |= {f.columns[0]: self._element(f, start, stop) for f in lists_of if f.columns[0]}
        return make(self.path, scalars, raw, stop - start)

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

    def _sum(self, resolved: Resolved, content: dict[str, Any], number: int) -> Column:
        """What is made of other columns where the file has none: ``sum(jets.pt)``."""
        rule = str(resolved.field.fill)
        collection, leaf = rule.removeprefix("sum(").removesuffix(")").split(".")
        if collection not in content:
            return np.zeros(number, dtype=resolved.field.dtype)
        total = np.asarray(ak.sum(ak.Array(content[collection])[leaf], axis=1))
        return total.astype(resolved.field.dtype)


def open_events(
    path: str | Source,
    schema: Schema,
    columns: Iterable[str] | None = None,
    *,
    also: Iterable[str] = (),
    tree: str | None = None,
    options: ReadOptions | None = None,
    fast: bool = True,
) -> EventFile:
    """Open an event file; use it in a ``with`` statement.

    Args:
        path: a ROOT, parquet, HDF5, ``.npz`` or ``.npy`` file; of ROOT files also a URL; or an open source, which is
            closed with the file.
        schema: what its columns mean, see :func:`jetlens.events.schemas.load_schema`.
        columns: dotted names of what is needed: ``jets`` (all fields but constituents), ``jets.b_tag``,
            ``fat_jets.constituents``, ``met``; None for all that the schema reads by default. Momenta, event number
            and weight come always.
        also: further columns.
        tree: name of the tree, group or table, if it is not the schema's.
        options: see :class:`ReadOptions`.
        fast: read plain numbers of trees straight from the baskets; False: everything by uproot, same numbers.

    Raises:
        FileError: if the file is unreadable or truncated, or lacks what is needed.
        ConfigError: if a column is none of the schema's.
    """
    source = open_for(schema, path, tree, fast=fast) if isinstance(path, str) else path
    try:
        return EventFile(source, schema, select_columns(schema, columns, also), options or ReadOptions())
    except BaseException:
        source.close()
        raise


def open_any(path: str, tree: str | None = None) -> tuple[Source, str]:
    """Open a file that follows one of the shipped schemas; returns it, and the schema's name.

    Args:
        path: the file.
        tree: name of its tree, if it is no usual one.

    Raises:
        FileError: if it cannot be read, or follows none.
    """
    source = open_source(path, [name for schema in SHIPPED for name in load_schema(schema).trees], tree)
    name = shipped_format(source)
    if name is not None:
        return source, name
    source.close()
    raise FileError(
        f"{path}: is neither Delphes nor NanoAOD; name a schema in reading.format (config/schemas has some, "
        "'jetlens inspect --write' makes one)"
    )


def shipped_format(source: Source) -> str | None:
    """Tell which of the shipped schemas a file follows, by its tree and columns; None: neither."""
    if "Event_size" in source or source.name == "Delphes":
        return "delphes"
    return (
        "nanoaod" if "event" in source and (source.name == "Events" or "luminosityBlock" in source) else None
    )
