"""What is in an event file of any kind, as this package sees it, and what to write into a configuration for it."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, field, replace
from typing import Any

import awkward as ak
import numpy as np

from jetlens.errors import FileError, JetlensWarning
from jetlens.events.eventfile import EventFile, ReadOptions, shipped_format
from jetlens.events.objects import branches_like
from jetlens.events.propose import known_schema, propose_schema
from jetlens.events.schema import Collection, Schema
from jetlens.events.schemas import SHIPPED, load_schema
from jetlens.events.selection import select_columns
from jetlens.events.sources import Source, open_source
from jetlens.events.tracks import ImpactOptions

_EVENTS = 1000
_GENERATED = re.compile(r"(Sub)?Gen|LHE|Particle$")
_ALL_JETS = 1_000_000


@dataclass(frozen=True)
class JetCollection:
    """A collection of jets, looked at in the first events.

    Attributes:
        name: branch of the collection.
        jets: how many there are in these events.
        constituents: branches that the constituents are found in; empty if the jets have none.
        references: number of constituent references.
        matched: how many of them point to an object of their event.
        closure: median of |ΔpT|/pT between jets and the sums of their constituents, NaN without constituents.
        problem: why the constituents cannot be used, or empty.
    """

    name: str
    jets: int
    constituents: tuple[str, ...] = ()
    references: int = 0
    matched: int = 0
    closure: float = float("nan")
    problem: str = ""

    @property
    def match_rate(self) -> float:
        """Share of references that match, NaN if there are none."""
        return self.matched / self.references if self.references else float("nan")

    @property
    def generated(self) -> bool:
        """Tell whether it is the generator's, by the names that Delphes and NanoAOD give: no detector saw it."""
        return _GENERATED.match(self.name) is not None


@dataclass(frozen=True)
class FileSummary:
    """What :func:`inspect_file` finds.

    Attributes:
        path: the file.
        format: ``delphes``, ``nanoaod``, a schema file, or ``unknown``.
        tree: name of the tree, group or table; empty where there is none.
        events: number of entries.
        looked_at: how many of them were read for this summary.
        collections: collections of jets.
        sizes: mean number of objects per event of all collections.
        assumed: what would be assumed where the file says nothing.
        reading: a ``reading:`` section for this file, for the configuration.
        columns: all names in the file.
        schema: of other formats: a schema for it, as plain data; None if no momentum was recognised.
    """

    path: str
    format: str
    tree: str
    events: int
    looked_at: int
    collections: tuple[JetCollection, ...] = ()
    sizes: dict[str, float] = field(default_factory=dict)
    assumed: dict[str, str] = field(default_factory=dict)
    reading: dict[str, Any] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    schema: dict[str, Any] | None = None


def inspect_file(path: str, tree: str | None = None) -> FileSummary:
    """Look into an event file: what it is, collections, where jets' constituents are and whether they match.

    Only the first thousand events are read.

    Args:
        path: an event file, local or a URL.
        tree: name of the tree, if there are several and it is no usual one.

    Raises:
        FileError: if the file cannot be read at all.
    """
    usual = [name for schema in SHIPPED for name in load_schema(schema).trees]
    try:
        source = open_source(path, usual, tree)
    except FileError as error:
        if tree is not None or not re.search("has no (tree named|group)", str(error)):
            raise
        source = _open_unusual(path)
    try:
        name = shipped_format(source)
        return _of_schema(source, name) if name else _of_unknown(source)
    finally:
        source.close()


def _open_unusual(path: str) -> Source:
    """The tree called as trees of events often are, or the only one there is."""
    try:
        return open_source(path, ("events", "Events", "tree", "ntuple"))
    except FileError:
        return open_source(path)


# ---- Delphes and NanoAOD ---------------------------------------------------------------------------------------


def _of_schema(source: Source, name: str) -> FileSummary:
    schema = load_schema(name)
    collections = tuple(
        _look_at(source, schema, jets) for jets in branches_like(source, schema.collections["jets"])
    )
    reading, assumed = _suggest(source, schema, collections)
    sizes = _sizes(source, schema)
    looked_at = min(_EVENTS, source.entries)
    return FileSummary(
        source.path,
        name,
        source.name,
        source.entries,
        looked_at,
        collections,
        sizes,
        assumed,
        reading,
        tuple(source.names),
    )


def _sizes(source: Source, schema: Schema) -> dict[str, float]:
    """Mean number of objects per event, in the first events."""
    pattern = str(schema.collections["jets"].counter)
    stop = min(_EVENTS, source.entries)
    names = source.names
    if pattern == "{}":
        counted = [name for name in names if f"{name}_size" in source]
    else:
        counted = [n[1:] for n in names if n.startswith("n") and f"{n[1:]}_pt" in source]
    sizes = {}
    for name in counted if stop else ():
        offsets, _ = source.lists([], 0, stop, pattern.replace("{}", name))
        sizes[name] = float(offsets[-1]) / stop
    return sizes


def _only(schema: Schema, **branches: str | None) -> Schema:
    """The schema with these collections alone, from these branches."""
    chosen: dict[str, Collection] = {
        name: replace(schema.collections[name], branch=(branch,), optional=False)
        for name, branch in branches.items()
        if branch is not None
    }
    return replace(schema, collections=chosen, met=None)


_PEEK = ReadOptions(
    leading=_ALL_JETS, unmatched="warn", check_closure=False, impact=ImpactOptions(mode="as_is")
)


def _look_at(source: Source, schema: Schema, name: str) -> JetCollection:
    alone = _only(schema, fat_jets=name)
    columns = ["fat_jets.pt", *(f"fat_jets.constituents.{axis}" for axis in ("pt", "eta", "phi", "mass"))]
    if not source.entries:
        return JetCollection(name, 0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", JetlensWarning)  # how many match is what is asked
            file = EventFile(source, alone, select_columns(alone, columns), _PEEK)
            batch = next(file.batches(_EVENTS))
            events, found = batch.resolve(batch.events)
    except FileError as error:
        file = EventFile(source, alone, select_columns(alone, ["fat_jets.pt"]), _PEEK)
        number = int(next(file.batches(_EVENTS)).counts["fat_jets"].sum())
        return JetCollection(name, number, problem=str(error).removeprefix(f"{source.path}: "))
    jets = ak.flatten(events.fat_jets)
    full = jets[ak.num(jets.constituents) > 0]
    closure = float("nan")
    if len(full):
        total = ak.sum(full.constituents, axis=1)
        closure = float(np.median(np.abs(np.asarray(total.pt) / np.maximum(np.asarray(full.pt), 1e-9) - 1)))
    one = found["fat_jets"]
    branches = tuple(file.assumed.get("constituents", "").split(", "))
    return JetCollection(name, len(jets), branches, one.references, one.matched, closure)


def _suggest(
    source: Source, schema: Schema, collections: tuple[JetCollection, ...]
) -> tuple[dict[str, Any], dict[str, str]]:
    """A ``reading:`` section that works for this file, and what it would assume; nothing of the generator's."""
    seen = [c for c in collections if not c.generated]
    usable = [c.name for c in seen if c.references and c.matched == c.references]
    branches: dict[str, str | None] = {}
    leading = 2
    if "FatJet" not in usable:
        fat = [name for name in usable if "Fat" in name or "AK8" in name]
        fat = fat or [name for name in usable if not name.startswith(("Track", "Calo"))] or usable
        if fat or "FatJet" not in {c.name for c in seen}:
            branches["fat_jets"] = fat[-1] if fat else None
        if not fat:
            leading = 0
    if "Jet" not in {c.name for c in seen}:
        branches["jets"] = next((c.name for c in seen if c.name != branches.get("fat_jets")), None)
    for name in ("electrons", "muons"):
        if schema.collections[name].branch[0] not in branches_like(source, schema.collections[name]):
            branches[name] = None
    reading: dict[str, Any] = {"format": schema.name} | ({"branches": branches} if branches else {})
    reading |= {"tree": source.name} if source.name and source.name not in schema.trees else {}
    reading |= {} if leading else {"leading_jets": 0}
    kept = {k: c for k, c in schema.collections.items() if branches.get(k, "") is not None}
    chosen = replace(
        schema,
        collections={k: replace(c, branch=(b,)) if (b := branches.get(k)) else c for k, c in kept.items()},
    )
    file = EventFile(
        source, chosen, select_columns(chosen, None), replace(_PEEK, leading=leading, impact=ImpactOptions())
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", JetlensWarning)
        for batch in file.batches(1):
            batch.resolve(batch.events)
            break
    return reading, file.assumed


# ---- everything else -------------------------------------------------------------------------------------------


def _of_unknown(source: Source) -> FileSummary:
    looked_at = min(_EVENTS, source.entries)
    known = known_schema(source)
    schema = None if known else propose_schema(source)
    reading: dict[str, Any] = {"format": known} if known else {}
    return FileSummary(
        source.path,
        known or "unknown",
        source.name,
        source.entries,
        looked_at,
        reading=reading,
        columns=tuple(source.names),
        schema=schema,
    )
