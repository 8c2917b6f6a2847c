"""Constituents by references to objects of other branches, as Delphes has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from jetlens.errors import DamagedFileError
from jetlens.events.arrays import Column, Index
from jetlens.events.columns import Resolved, make, plain_names
from jetlens.events.links import Found, Link
from jetlens.events.references import ID_BITS, UNMATCHED, Candidates, resolve
from jetlens.events.schema import TYPES
from jetlens.events.tracks import PROBE_EVENTS


class ReferenceLink(Link):
    """References to objects of other branches by unique id, as Delphes has it."""

    branches: list[str] | None = None

    def __init__(self, *args: Any, branches: Sequence[str] | None = None) -> None:
        """See :class:`Link`; ``branches`` are those that hold the constituents, None: found by looking."""
        super().__init__(*args)
        leaf = self.spec.references.replace("{}", self.branch)
        if leaf not in self.source:
            raise self.without_constituents(leaf)
        self._leaf = leaf
        self._exclusive = branches is None
        self._by_branch: dict[str, list[Resolved]] = {}
        if branches is not None:
            for branch in branches:
                self.source.require([self._id(branch)], "constituents (reading.constituents)")
            self._take(list(branches))

    def _id(self, branch: str) -> str:
        return self.spec.id.replace("{}", branch)

    def _counter(self, branch: str) -> str:
        return (self.collection.counter or "{}").replace("{}", branch)

    def _take(self, branches: list[str]) -> None:
        """Settle on the branches, and record where constituents come from, and what those that may be charged lack."""
        self.branches = branches
        self._by_branch = {branch: self.resolved(branch) for branch in branches}
        self.assumed = {"constituents": ", ".join(branches)}
        charged = [branch for branch in branches if self._kind(branch) in (None, TYPES["track"])]
        self.filled = {}
        for branch in charged:
            for field in self._by_branch[branch]:
                self._note(field)
        if not charged:
            for name, spec in self.fields.items():
                if spec.fill is not None and name not in ("mass", "type"):
                    text = f"{spec.fill:g}, as no branch of constituents holds tracks"
                    column = f"{self.name}.constituents.{name}"
                    self.assumed[column] = self.filled[column] = text

    def _kind(self, branch: str) -> int | None:
        """Type of all objects of a branch; None where it depends on the object."""
        words = self.spec.type_by_branch.items()
        return next((TYPES[kind] for word, kind in words if word in branch), None)

    def columns(self) -> list[str]:
        """Columns that are read; looks for the branches if need be."""
        names = [self._leaf]
        for branch in self.settled():
            names += [self._id(branch), *plain_names(self._wanted(branch))]
        return names

    def _wanted(self, branch: str) -> list[Resolved]:
        """Fields to read; the type is not, where it follows from the branch."""
        known = self._kind(branch) is not None
        return [field for field in self._by_branch[branch] if not (known and field.name == "type")]

    def settled(self) -> list[str]:
        """Branches that the references point to, found by looking at the first entries that have any.

        A group of branches is taken whole: the first jets may happen to lack, say, neutral hadrons.
        """
        if self.branches is None:
            self._take(self._find_branches())
        assert self.branches is not None
        return self.branches

    def _find_branches(self) -> list[str]:
        source = self.source
        first = [group for prefix, group in self.spec.by_jet.items() if self.branch.startswith(prefix)]
        groups = [tuple(b for b in group if self._id(b) in source) for group in (*first, *self.spec.groups)]
        groups = list(dict.fromkeys(group for group in groups if group))
        for start in range(0, source.entries, PROBE_EVENTS):
            found = self._probe(groups, start, min(start + PROBE_EVENTS, source.entries))
            if found:
                return list(dict.fromkeys(branch for group in found for branch in group))
        return list(groups[0]) if groups else []

    def _probe(self, groups: list[tuple[str, ...]], start: int, stop: int) -> list[tuple[str, ...]]:
        """Groups of branches, any of which holds an object that is referred to in these entries."""
        offsets, _ = self.source.lists([], start, stop, self._counter(self.branch))
        counts = np.diff(offsets)
        number, ids = self.source.references(self._leaf, counts, np.arange(offsets[-1]), start, stop)
        events = np.repeat(np.repeat(np.arange(stop - start), counts), number)
        found: list[tuple[str, ...]] = []
        for group in groups:
            for branch in group if len(ids) else ():
                missed = resolve(events, ids, [self._candidates(branch, start, stop)]).rows == UNMATCHED
                if not missed.all():
                    found += [group] if group not in found else []
                    events, ids = events[missed], ids[missed]
        return found

    def _candidates(self, branch: str, start: int, stop: int, names: Sequence[str] = ()) -> Candidates:
        key = self._id(branch)
        offsets, raw = self.source.lists([key, *names], start, stop, self._counter(branch))
        return Candidates(offsets, raw[key], raw)

    def _pools(self, start: int, stop: int) -> list[dict[str, Column]]:
        measured = [
            b for b in self.settled() if any(f.name == "d0" and f.columns for f in self._by_branch[b])
        ]
        return [
            self._pool(b, self._candidates(b, start, stop, plain_names(self._wanted(b)))) for b in measured
        ]

    def find(self, rows: Index, counts: Index, numbers: Column, start: int, stop: int) -> Found:
        """Look the references up among the objects of their own entry."""
        number, ids = self.source.references(self._leaf, counts, rows, start, stop)
        events = np.repeat(np.repeat(np.arange(stop - start), counts)[rows], number)
        branches = self.settled()
        candidates = [self._candidates(b, start, stop, plain_names(self._wanted(b))) for b in branches]
        pools = [self._pool(b, c) for b, c in zip(branches, candidates, strict=True)]
        resolved = resolve(events, ids, candidates)
        if resolved.duplicates and self._exclusive:
            raise DamagedFileError(
                f"{self.source.path}: {resolved.duplicates} objects of {', '.join(branches)} share their id with "
                "another one of the same event; the file is damaged"
            )
        found = resolved.rows != UNMATCHED
        owner = np.repeat(np.arange(len(rows)), number)[found]
        pool = {name: np.concatenate([pool[name] for pool in pools]) for name in self.fields} if pools else {}
        if not pools:
            pool = {name: np.zeros(0) for name in self.fields}
        identity = numbers[events[found]], (ids & ID_BITS)[found]
        return self._gather(pool, resolved.rows[found], owner, len(rows), len(ids), identity)

    def _pool(self, branch: str, candidates: Candidates) -> dict[str, Column]:
        length = int(candidates.offsets[-1])
        pool = make(self.source.path, self._wanted(branch), candidates.columns, length)
        if "type" in self.fields and "type" not in pool:
            pool["type"] = np.full(length, self._kind(branch), dtype=np.uint8)
        return pool
