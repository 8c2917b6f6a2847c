"""One collection of a file: its fields, in order of falling pT, and the way to its constituents."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import awkward as ak
import numpy as np

from jetlens.errors import FileError, did_you_mean
from jetlens.events.arrays import Column, Index, falling, lists, offsets_from_counts, record
from jetlens.events.columns import (
    Resolved,
    filled_text,
    make,
    names_for,
    plain_names,
    read_padded,
    resolve_field,
    with_momentum,
)
from jetlens.events.links import Link, ListLink, make_link
from jetlens.events.references import ID_BITS
from jetlens.events.schema import Collection
from jetlens.events.selection import Wanted, with_others
from jetlens.events.sources import Source
from jetlens.events.standard import COORDINATES, MOMENTA
from jetlens.events.tracks import IMPACT, ImpactParameters, charged_tracks

if TYPE_CHECKING:
    from jetlens.events.eventfile import ReadOptions


class Objects:
    """How to read one collection.

    Attributes:
        name: of the collection.
        link: the way to its constituents, or None.
        assumed, filled: what was assumed, and which columns the file lacks.
    """

    def __init__(
        self,
        source: Source,
        name: str,
        collection: Collection,
        branch: str,
        fields: list[Resolved],
        link: Link | None,
    ) -> None:
        """Use :func:`find_objects`."""
        self.source, self.name, self.collection, self.branch = source, name, collection, branch
        self.link = link
        self._fields = fields
        self._vectors = [f for f in fields if isinstance(f.field.take, str) and not f.constant]
        counter = (collection.counter or "").replace("{}", branch)
        self._counter = counter if counter in source else None
        self.assumed: dict[str, str] = {}
        self.filled: dict[str, str] = {}
        for field in fields:
            if (text := filled_text(field)) is not None:
                self.assumed[f"{name}.{field.name}"] = self.filled[f"{name}.{field.name}"] = text

    def columns(self) -> list[str]:
        """Columns that are read."""
        names = [*plain_names(self._fields), *(str(f.columns[0]) for f in self._vectors)]
        if self.link is not None:
            names += self.link.columns()
        return names

    def settle(self) -> None:
        """Decide what is done to impact parameters, and record it."""
        if self.link is not None:
            self.link.columns()
            self.link.settle()

    def read(self, start: int, stop: int, numbers: Column) -> tuple[Any, Index]:
        """Read the objects of some entries.

        Args:
            start, stop: entries.
            numbers: of the events, (stop − start,).

        Returns:
            the layout of lists of records, falling in pT, with ``row`` where constituents may be asked for; and the
            number of objects per entry before any are left out.
        """
        offsets, raw = self._raw(start, stop)
        length = int(offsets[-1])
        columns = make(self.source.path, self._fields, raw, length)
        if self.collection.from_constituents:
            columns |= self._sums(start, stop)
        if self.collection.momentum:
            columns = with_momentum(columns)
        columns = self._treated(columns, offsets, start, stop, numbers)
        if self.link is not None:
            columns["row"] = np.arange(length)
        counts = np.diff(offsets)
        offsets, columns = self._ordered(offsets, columns)
        behaviour = "Momentum4D" if self.collection.momentum else None
        return lists(offsets, record(columns, int(offsets[-1]), behaviour)), counts

    def _treated(
        self, columns: dict[str, Column], offsets: Index, start: int, stop: int, numbers: Column
    ) -> dict[str, Column]:
        """What is done to columns before anything sees them; see :class:`Tracks`."""
        return columns

    def _raw(self, start: int, stop: int) -> tuple[Index, dict[str, Column]]:
        names, collection, source = plain_names(self._fields), self.collection, self.source
        if collection.layout == "entry":
            raw = source.numbers(names, start, stop)
            return np.arange(stop - start + 1, dtype=np.int64), raw
        if collection.layout == "padded":
            present = str(collection.present).replace("{}", self.branch)
            return read_padded(source, names, present, collection.slots, start, stop)
        offsets, raw = source.lists(names, start, stop, self._counter)
        for field in self._vectors:
            name = str(field.columns[0])
            own, four = source.vectors(name, start, stop, self._counter)
            source.same_lengths(offsets, own, name)
            raw[name] = _number_of(four, str(field.field.take))
        return offsets, raw

    def _sums(self, start: int, stop: int) -> dict[str, Column]:
        """Momenta of jets that the file does not hold: sums over their constituents."""
        assert isinstance(self.link, ListLink)
        offsets, _, pool = self.link.read(start, stop)
        parts = ak.Array(lists(offsets, record(with_momentum(pool), int(offsets[-1]), "Momentum4D")))
        total = ak.sum(parts, axis=1)
        found = {name: ak.to_numpy(getattr(total, name)) for name in MOMENTA}
        return found | {"eta": np.nan_to_num(found["eta"]), "mass": np.maximum(found["mass"], 0.0)}

    def _ordered(self, offsets: Index, columns: dict[str, Column]) -> tuple[Index, dict[str, Column]]:
        if self.collection.select is not None:
            kept = columns[self.collection.select].astype(bool)
            columns = {name: values[kept] for name, values in columns.items()}
            offsets = np.concatenate([[0], np.cumsum(kept)])[offsets]
        if self.collection.momentum and (order := falling(columns["pt"], offsets)) is not None:
            columns = {name: values[order] for name, values in columns.items()}
        return offsets, columns


class Tracks(Objects):
    """Objects with impact parameters: smeared where constituents' are, and a track by the same amount in both."""

    def __init__(self, *args: Any, impact: ImpactParameters, further: Collection) -> None:
        """See :class:`Objects`; ``further``: the collection with the fields that were asked for, and no others."""
        super().__init__(*args)
        self._impact, self._asked = impact, further.fields
        leaf = self.collection.id.replace("{}", self.branch)
        self._id = leaf if leaf and leaf in self.source else None

    def columns(self) -> list[str]:
        """Columns that are read."""
        return [*super().columns(), *([self._id] if self._id else [])]

    def settle(self) -> None:
        """Decide by these tracks, if nothing has decided yet."""
        super().settle()
        self._impact.settle(self._first)
        self._impact.note(self.name, self.assumed, self.filled)

    def _first(self, start: int, stop: int) -> dict[str, Column] | None:
        if f"{self.name}.d0" in self.filled:
            return None
        offsets, raw = self._raw(start, stop)
        columns = with_momentum(make(self.source.path, self._fields, raw, int(offsets[-1])))
        return charged_tracks(columns, columns["charge"] != 0)

    def _treated(
        self, columns: dict[str, Column], offsets: Index, start: int, stop: int, numbers: Column
    ) -> dict[str, Column]:
        if f"{self.name}.d0" not in self.filled:
            self.settle()
            counts = np.diff(offsets)
            local = np.arange(int(offsets[-1])) - np.repeat(offsets[:-1], counts)
            ids = (
                local
                if self._id is None
                else self.source.lists([self._id], start, stop)[1][self._id] & ID_BITS
            )
            columns = self._impact.apply(columns, columns["charge"] != 0, np.repeat(numbers, counts), ids)
        return {name: values for name, values in columns.items() if name in self._asked or name in MOMENTA}


class Empty(Objects):
    """A collection that the file does not have: no objects, with all the fields that they would have."""

    def __init__(self, source: Source, name: str, collection: Collection, why: str, row: bool) -> None:
        """Remember why it is empty."""
        fields = [Resolved(key, value) for key, value in collection.fields.items()]
        super().__init__(source, name, collection, "", fields, None)
        self._row = row
        self.assumed = {name: f"empty, as {why} is missing"}
        self.filled = {f"{name}.{key}": self.assumed[name] for key in collection.stored}

    def columns(self) -> list[str]:
        """Nothing is read."""
        return []

    def read(self, start: int, stop: int, numbers: Column) -> tuple[Any, Index]:
        """No objects."""
        counts = np.zeros(stop - start, dtype=np.int64)
        columns = make(self.source.path, self._fields, {}, 0)
        if self.collection.momentum:
            columns = with_momentum({name: np.zeros(0) for name in MOMENTA} | _without(columns))
        if self._row:
            inner = self.collection.stored_constituents
            empty = {k: np.zeros(0, dtype=float if k in MOMENTA else f.dtype) for k, f in inner.items()}
            columns["constituents"] = lists(np.zeros(1, dtype=np.int64), record(empty, 0, "Momentum4D"))
        content = record(columns, 0, "Momentum4D" if self.collection.momentum else None)
        return lists(offsets_from_counts(counts), content), counts


def _without(columns: dict[str, Column]) -> dict[str, Column]:
    return {name: values for name, values in columns.items() if name not in COORDINATES}


def _number_of(four: Any, what: str) -> Column:
    """Mass (0 where rounding makes m² negative) or transverse size of stored vectors (n, 4) px, py, pz, E."""
    with np.errstate(over="ignore", invalid="ignore"):  # of damaged files; the check after tells the user
        if what == "pt":
            return np.asarray(np.hypot(four[:, 0], four[:, 1]))
        square = four[:, 3] ** 2 - (four[:, :3] ** 2).sum(axis=1)
        return np.asarray(np.sqrt(np.maximum(square, 0)))


def find_objects(
    source: Source,
    name: str,
    collection: Collection,
    wanted: Wanted,
    options: ReadOptions,
    impact: ImpactParameters,
) -> Objects:
    """Find out how to read a collection of a file.

    Args:
        source: the file.
        name: the collection's name.
        collection: what the schema says of it.
        wanted: fields and constituents.
        options: how to read.
        impact: what is done to impact parameters.

    Raises:
        FileError: if the file lacks it, naming what is there instead.
    """
    collection = with_others(collection, sorted(wanted.others))
    branch = _find_branch(source, collection)
    constituents = wanted.with_constituents and options.leading > 0 and collection.constituents is not None
    if branch is None:
        if collection.optional and name not in options.explicit:
            return Empty(source, name, collection, (collection.branch or (name,))[0], constituents)
        raise _no_collection(source, name, collection)
    asked = collection
    if wanted.fields is not None:
        keep = {*wanted.fields, *wanted.others, *COORDINATES, collection.select}
        asked = replace(collection, fields={k: v for k, v in collection.fields.items() if k in keep})
    tracks = bool(set(IMPACT) & set(asked.fields)) and {*IMPACT, "charge"} <= set(collection.fields)
    needed = {*asked.fields, *((*IMPACT, "charge") if tracks else ())}  # what smearing needs to know
    what = f"reading.{name}"
    fields = [
        resolve_field(source, key, field, branch, what)
        for key, field in collection.fields.items()
        if key in needed
    ]
    link = None
    if constituents or collection.from_constituents:
        inner = sorted(wanted.constituents) if wanted.constituents else None
        link = make_link(source, name, collection, branch, inner, impact, options.branches)
    if tracks:
        return Tracks(source, name, collection, branch, fields, link, impact=impact, further=asked)
    return Objects(source, name, collection, branch, fields, link)


def _find_branch(source: Source, collection: Collection) -> str | None:
    """The first of the branches of which the file has the counter, or any field that must be there."""
    for branch in collection.branch or ("",):
        counter = (collection.counter or "").replace("{}", branch)
        needed = [f for f in collection.fields.values() if f.fill is None and f.value is None]
        if any(c.replace("{i}", "0") in source for f in needed for c in names_for(f, branch)):
            return branch
        if (counter and counter in source and not needed) or (not needed and collection.from_constituents):
            return branch
    return None


def branches_like(source: Source, collection: Collection) -> list[str]:
    """Names of everything in the file that has the fields which this collection must have."""
    needed = [f for f in collection.fields.values() if f.fill is None and f.value is None and f.branch]
    found: list[str] | None = None
    for field in needed:
        patterns = [re.compile(re.escape(p).replace(r"\{\}", "([^./]+?)")) for p in field.branch if "{}" in p]
        own = [m[1] for name in source.names for p in patterns if (m := p.fullmatch(name))]
        found = own if found is None else [branch for branch in found if branch in own]
    pattern = collection.counter
    counted = [b for b in found or [] if pattern is None or pattern.replace("{}", b) in source]
    only_jets = [
        p for name in ("b_tag", "area") if name in collection.fields for p in collection.fields[name].branch
    ]
    marked = [b for b in counted if not only_jets or any(p.replace("{}", b) in source for p in only_jets)]
    return list(dict.fromkeys(marked))


def _no_collection(source: Source, name: str, collection: Collection) -> FileError:
    branch = (collection.branch or (name,))[0]
    found = branches_like(source, collection)
    hint = did_you_mean(branch, found) if found else ""
    listed = f"it has: {', '.join(found)}" if found else "it has none at all"
    kind = "jet collection" if "jets" in name else "collection"
    return FileError(
        f"{source.path}: has no {kind} '{branch}' (reading.branches.{name}); {listed}"
        f"{hint if 'did you mean' in hint else ''}; null switches it off"
    )
