"""Constituents: from references, index lists, parallel or nested lists and slots to one list per jet."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jetlens.errors import FileError, JetlensWarning
from jetlens.events.arrays import (
    Column,
    Index,
    by_falling_pt,
    lists,
    offsets_from_counts,
    ranges,
    record,
)
from jetlens.events.columns import (
    Resolved,
    filled_text,
    make,
    plain_names,
    read_padded,
    resolve_field,
    with_momentum,
)
from jetlens.events.schema import TYPES, Collection, Constituents
from jetlens.events.sources import Source
from jetlens.events.tracks import IMPACT, ImpactParameters, charged_tracks


@dataclass(frozen=True)
class Found:
    """Constituents of some jets.

    Attributes:
        offsets: int64 (K + 1,), per jet.
        columns: joined, falling in pT within a jet.
        references: how many constituents the file says these jets have.
        matched: how many of them were found.
    """

    offsets: Index
    columns: dict[str, Column]
    references: int
    matched: int

    def layout(self) -> Any:
        """One list of four-momenta per jet."""
        return lists(self.offsets, record(self.columns, int(self.offsets[-1]), "Momentum4D"))


class Link:
    """How to find the constituents of one collection of a file; the ways differ in :meth:`find`.

    Attributes:
        assumed: what was assumed, by topic; filled on the way for references, whose branches are found by looking.
    """

    def __init__(
        self,
        source: Source,
        name: str,
        collection: Collection,
        branch: str,
        wanted: Sequence[str] | None,
        impact: ImpactParameters,
    ) -> None:
        """Look for what the schema names.

        Args:
            source: the file.
            name: the collection's name.
            collection: what the schema says of it.
            branch: its branch in this file.
            wanted: fields asked for; None for all. Momenta are always among them.
            impact: what is done to impact parameters.

        Raises:
            FileError: if a column that is needed is not there.
        """
        assert collection.constituents is not None
        self.source, self.name, self.collection, self.branch = source, name, collection, branch
        self.spec: Constituents = collection.constituents
        momentum = ("pt", "eta", "rapidity", "phi", "mass", "energy", "px", "py", "pz")
        keep = None if wanted is None else {*wanted, *momentum}
        if keep is not None and keep.intersection(IMPACT):
            keep.update((*IMPACT, "charge", "type"))  # what smearing needs to know
        self.fields = {key: value for key, value in self.spec.fields.items() if keep is None or key in keep}
        self._extra = (
            [] if wanted is None else [name for name in self.fields if name not in (*wanted, *momentum)]
        )
        self._impact = impact if set(IMPACT) <= set(self.fields) and "charge" in self.fields else None
        self.assumed: dict[str, str] = {}
        self.filled: dict[str, str] = {}

    def resolved(self, branch: str) -> list[Resolved]:
        """Where the fields come from, for constituents in ``branch``."""
        what = f"the constituents of {self.name}"
        found = [resolve_field(self.source, k, v, branch, what) for k, v in self.fields.items()]
        for field in found:
            self._note(field)
        return found

    def without_constituents(self, column: str) -> FileError:
        """Return the error for a file that lacks the column which says what the constituents are."""
        return FileError(
            f"{self.source.path}: has no '{column}': the file holds no constituents of '{self.branch}'; "
            "use a file with them, or set reading.leading_jets: 0"
        )

    def _note(self, field: Resolved) -> None:
        text = filled_text(field)
        if text is not None:
            column = f"{self.name}.constituents.{field.name}"
            self.assumed[column] = self.filled[column] = text

    def columns(self) -> list[str]:
        """Columns that are read."""
        return []

    def find(self, rows: Index, counts: Index, numbers: Column, start: int, stop: int) -> Found:
        """Find the constituents of jets.

        Args:
            rows: flat indices of the jets among all of these entries, (K,).
            counts: jets per entry, (stop − start,).
            numbers: of the events, (stop − start,).
            start, stop: entries.

        Raises:
            FileError: if the file does not hold what it should.
        """
        raise NotImplementedError

    def first_tracks(self, start: int, stop: int) -> dict[str, Column] | None:
        """Columns of the charged constituents between two entries, for :meth:`ImpactParameters.settle`."""
        pools = self._pools(start, stop)
        parts = [charged_tracks(with_momentum(p), is_charged(p)) for p in pools if self._has_tracks(p)]
        if not parts:
            return None
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _pools(self, start: int, stop: int) -> list[dict[str, Column]]:
        """All objects that may be constituents."""
        raise NotImplementedError

    def _has_tracks(self, pool: dict[str, Column]) -> bool:
        return len(pool["d0"]) > 0

    def _lacks_tracks(self) -> bool:
        """Tell whether the file has no impact parameters at all."""
        return f"{self.name}.constituents.d0" in self.filled

    def _gather(
        self,
        pool: dict[str, Column],
        chosen: Index,
        owner: Index,
        jets: int,
        references: int,
        identity: tuple[Column, Column],
    ) -> Found:
        """Take constituents out of joined columns and order them by jet and falling pT.

        Args:
            pool: the joined columns.
            chosen: rows of the constituents.
            owner: the jet of each, rising.
            jets: number of jets.
            references: how many constituents there should be.
            identity: number of the event, and what tells an object within its event, of each constituent.
        """
        columns = with_momentum({name: values[chosen] for name, values in pool.items()})
        if self._impact is not None and not self._lacks_tracks():
            self.settle()
            columns = self._impact.apply(columns, is_charged(columns), *identity)
        order, offsets = by_falling_pt(owner, columns["pt"], jets)
        columns = {name: values[order] for name, values in columns.items() if name not in self._extra}
        return Found(offsets, columns, references, len(chosen))

    def settle(self) -> None:
        """Decide what is done to impact parameters, and record it."""
        if self._impact is not None and self._impact.treatment is None:
            if self._lacks_tracks():
                self._impact.settle(lambda start, stop: None)
            else:
                self._impact.settle(self.first_tracks)
        if self._impact is not None:
            self._impact.note(f"{self.name}.constituents", self.assumed, self.filled)


def is_charged(columns: dict[str, Column]) -> NDArray[np.bool_]:
    """Tell which objects may have been tracked."""
    charged = columns["charge"] != 0
    return np.asarray(charged | (columns["type"] == TYPES["track"]) if "type" in columns else charged)


class ListLink(Link):
    """One jet per entry with lists or slots of constituents, or lists of lists."""

    def __init__(self, *args: Any) -> None:
        """See :class:`Link`."""
        super().__init__(*args)
        self._fields = self.resolved(self.branch)

    def columns(self) -> list[str]:
        """Columns that are read."""
        return plain_names(self._fields)

    def read(self, start: int, stop: int) -> tuple[Index, Index | None, dict[str, Column]]:
        """Offsets (of jets, if one entry has several, and of constituents), and the constituents' columns."""
        names, outer = plain_names(self._fields), None
        if self.spec.link == "padded":
            present = str(self.spec.present).replace("{}", self.branch)
            inner, raw = read_padded(self.source, names, present, self.spec.slots, start, stop)
        elif self.spec.link == "nested":
            outer, inner, raw = self.source.nested(names, start, stop)
        else:
            inner, raw = self.source.lists(names, start, stop)
        return inner, outer, make(self.source.path, self._fields, raw, int(inner[-1]))

    def _pools(self, start: int, stop: int) -> list[dict[str, Column]]:
        return [self.read(start, stop)[2]]

    def find(self, rows: Index, counts: Index, numbers: Column, start: int, stop: int) -> Found:
        """Take the lists of the jets wanted."""
        inner, outer, pool = self.read(start, stop)
        expected = offsets_from_counts(counts)
        if len(inner) - 1 != expected[-1] or (outer is not None and not np.array_equal(outer, expected)):
            raise self.source.mismatch(
                self.columns()[0], f"lists for {len(inner) - 1} jets, there are {expected[-1]}"
            )
        number = np.diff(inner)[rows]
        chosen = ranges(inner[:-1][rows], number)
        events = np.repeat(np.repeat(np.arange(stop - start), counts)[rows], number)
        identity = numbers[events], chosen - inner[expected[events]]
        return self._gather(
            pool, chosen, np.repeat(np.arange(len(rows)), number), len(rows), len(chosen), identity
        )


class IndexLink(Link):
    """A table with the index of the jet and of the candidate, as NanoAOD has it."""

    def __init__(self, *args: Any) -> None:
        """See :class:`Link`."""
        super().__init__(*args)
        self._jet, self._candidate, self._counter, branch = self._find_table()
        self._branch = branch
        self._fields = self.resolved(branch)
        self.assumed["constituents"] = branch

    def _find_table(self) -> tuple[str, str | None, str, str]:
        tried = []
        counter = self.collection.counter or "n{}"
        for table in self.spec.tables:
            named = {key: value.replace("{}", self.branch) for key, value in table.items()}
            tried.append(named.get("candidate", named["jet"]))
            if named["jet"] in self.source and (tried[-1] in self.source):
                own = counter.replace("{}", named["table"])
                return named["jet"], named.get("candidate"), own, named.get("branch", named["table"])
        raise self.without_constituents(tried[0])

    def columns(self) -> list[str]:
        """Columns that are read."""
        index = [self._jet] if self._candidate is None else [self._jet, self._candidate]
        return [*index, *plain_names(self._fields)]

    def _pool(self, start: int, stop: int) -> tuple[Index, dict[str, Column]]:
        """Offsets per event, and columns, of everything that may be a constituent."""
        if self._candidate is None:
            own = self._counter
        else:
            own = (self.collection.counter or "n{}").replace("{}", self._branch)
        offsets, raw = self.source.lists(plain_names(self._fields), start, stop, own)
        return offsets, make(self.source.path, self._fields, raw, int(offsets[-1]))

    def _pools(self, start: int, stop: int) -> list[dict[str, Column]]:
        return [self._pool(start, stop)[1]]

    def find(self, rows: Index, counts: Index, numbers: Column, start: int, stop: int) -> Found:
        """Follow the indices."""
        index = [self._jet] if self._candidate is None else [self._jet, self._candidate]
        links, table = self.source.lists(index, start, stop, self._counter)
        events = np.repeat(np.arange(stop - start), np.diff(links))
        jet = table[self._jet].astype(np.int64)
        offsets, pool = self._pool(start, stop)
        if self._candidate is None:
            candidate = np.arange(len(jet)) - links[events]
        else:
            candidate = table[self._candidate].astype(np.int64)
        known = (jet >= 0) & (jet < counts[events])
        position = np.full(int(counts.sum()) + 1, -1)
        position[rows] = np.arange(len(rows))
        first = offsets_from_counts(counts)[events]
        owner = np.where(known, position[np.where(known, first + jet, -1)], -1)
        wanted = owner >= 0
        found = wanted & (candidate >= 0) & (candidate < np.diff(offsets)[events])
        order = np.argsort(owner[found], kind="stable")
        chosen = (offsets[events] + candidate)[found][order]
        identity = numbers[events[found][order]], candidate[found][order]
        return self._gather(pool, chosen, owner[found][order], len(rows), int(wanted.sum()), identity)


def make_link(
    source: Source,
    name: str,
    collection: Collection,
    branch: str,
    wanted: Sequence[str] | None,
    impact: ImpactParameters,
    branches: Sequence[str] | None = None,
) -> Link:
    """Return the way to the constituents that the schema names; see :class:`Link`."""
    assert collection.constituents is not None
    kind = collection.constituents.link
    if kind == "references":
        from jetlens.events.referencelink import ReferenceLink  # which is made of this module's classes

        return ReferenceLink(source, name, collection, branch, wanted, impact, branches=branches)
    return (IndexLink if kind == "indices" else ListLink)(source, name, collection, branch, wanted, impact)


def report_unmatched(path: str, found: Found, branches: str, unmatched: str) -> None:
    """Fail or warn, as ``unmatched`` says, if constituents were not found.

    Raises:
        FileError: if it says ``fail``.
    """
    if found.matched == found.references:
        return
    text = (
        f"{path}: {found.references - found.matched} of {found.references} constituent references match no object in "
        f"{branches}; name the right branches in reading.constituents, or set reading.unmatched: warn"
    )
    if unmatched == "fail":
        raise FileError(text)
    warnings.warn(text, JetlensWarning, stacklevel=2)
