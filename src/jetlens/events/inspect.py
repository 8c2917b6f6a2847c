"""What is in an event file, as this package sees it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from jetlens.config.reading import ReadingConfig
from jetlens.errors import FileError, JetlensWarning
from jetlens.events import EventReader, open_events
from jetlens.events.kinematics import cartesian, from_cartesian
from jetlens.events.reader import is_generated

_EVENTS = 1000


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


@dataclass(frozen=True)
class FileSummary:
    """What :func:`inspect_file` finds.

    Attributes:
        path: the file.
        format: ``delphes`` or ``nanoaod``.
        tree: name of the tree.
        events: entries of the tree.
        looked_at: how many of them were read for this summary.
        collections: collections of jets.
        sizes: mean number of objects per event of all collections.
        conventions: what would be assumed where the file says nothing.
        reading: a ``reading:`` section for this file, for the configuration.
    """

    path: str
    format: str
    tree: str
    events: int
    looked_at: int
    collections: tuple[JetCollection, ...]
    sizes: dict[str, float] = field(default_factory=dict)
    conventions: dict[str, str] = field(default_factory=dict)
    reading: dict[str, Any] = field(default_factory=dict)


def inspect_file(path: str, config: ReadingConfig | None = None) -> FileSummary:
    """Look into an event file: tree, collections, where jets' constituents are and whether they match.

    Only the first thousand events are read.

    Args:
        path: an event file, local or a URL.
        config: names to start from; collections the file does not have are left out.

    Raises:
        FileError: if the file cannot be read at all.
    """
    config = config or ReadingConfig()
    bare = config.model_copy(
        update=dict.fromkeys(("fat_jets", "jets", "electrons", "muons", "missing_energy", "constituents"))
    )
    with open_events(path, bare) as reader:
        names, sizes = reader.jet_collections(), reader.sizes(min(_EVENTS, reader.entries))
        collections = tuple(_look_at(reader, bare, name) for name in names)
        reading, conventions = _suggest(reader, config, collections, set(sizes))
        looked_at = min(_EVENTS, reader.entries)
        return FileSummary(
            path,
            reader.format,
            reader.tree,
            reader.entries,
            looked_at,
            collections,
            sizes,
            conventions,
            reading,
        )


def _look_at(whole: EventReader, bare: ReadingConfig, name: str) -> JetCollection:
    update = {"fat_jets": name, "leading_jets": 1, "unmatched": "warn", "check_closure": False}
    config = bare.model_copy(update=update)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", JetlensWarning)  # how many match is what is asked
            reader = whole.with_config(config)
            chunk = next(reader.chunks(_EVENTS), None)
            if chunk is None:
                return JetCollection(name, 0)
            jets = chunk.collections["fat_jets"]
            found = chunk.constituents(jets["row"])
            branches = tuple(reader.conventions.get("constituents", "").split(", "))
    except FileError as error:
        plain = bare.model_copy(update={"fat_jets": name, "leading_jets": 0})
        first = next(whole.with_config(plain).chunks(_EVENTS), None)
        number = len(first.collections["fat_jets"]["pt"]) if first is not None else 0
        return JetCollection(name, number, problem=str(error).removeprefix(f"{whole.path}: "))
    full = found.jets.counts > 0
    closure = float("nan")
    if full.any():
        parts = cartesian(*(found.jets[leaf] for leaf in ("pt", "eta", "phi", "mass")))
        pt = from_cartesian(np.add.reduceat(parts, found.jets.offsets[:-1][full]))[0]
        closure = float(np.median(np.abs(pt / jets["pt"][full] - 1)))
    return JetCollection(name, len(jets["pt"]), branches, found.references, found.matched, closure)


def _suggest(
    whole: EventReader, config: ReadingConfig, collections: tuple[JetCollection, ...], present: set[str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """A ``reading:`` section that works for this file, nothing of the generator's in it; and its conventions."""
    seen = [c for c in collections if not is_generated(c.name)]
    usable = [c.name for c in seen if c.references and c.matched == c.references]
    reading: dict[str, Any] = {}
    wanted = config.fat_jets
    if wanted not in usable:
        fat = [name for name in usable if "Fat" in name or "AK8" in name] or usable
        reading["fat_jets"] = fat[0] if fat else None
    if config.jets not in {c.name for c in seen}:
        reading["jets"] = next((c.name for c in seen if c.name != wanted), None)
    reading |= {name: None for name in ("electrons", "muons") if getattr(config, name) not in present}
    for update in ({}, {"missing_energy": None}):
        try:
            reader = whole.with_config(config.model_copy(update=reading | update))
            chunk = next(reader.chunks(1), None)
            if chunk is not None and len(chunk.collections["fat_jets"]["row"]):
                chunk.constituents(chunk.collections["fat_jets"]["row"][:1])
            return reading | update, dict(reader.conventions)
        except FileError:
            continue
    return reading, {}
