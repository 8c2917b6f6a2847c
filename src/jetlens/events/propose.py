"""A schema for a file that follows none of the usual ones, guessed from the names of its columns."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np

from jetlens.errors import ConfigError, FileError
from jetlens.events.arrays import Column, Index
from jetlens.events.parse import parse_schema
from jetlens.events.sources import Source
from jetlens.events.standard import TRUTH

KNOWN = {
    "config/schemas/jetclass2.yaml": ("part_px", "part_d0val", "jet_pt", "jet_label"),
    "config/schemas/jetclass.yaml": ("part_px", "part_d0val", "jet_pt", "jet_energy"),
    "config/schemas/top_tagging.yaml": ("E_0", "PX_0", "PY_199", "is_signal_new"),
    "config/schemas/energyflow.yaml": ("X[0]", "X[3]", "y"),
    "config/schemas/jet_arrays.yaml": ("arr_0[0]", "arr_0[6]"),
}
"""Columns by which the shipped schemas are recognised."""

_WORDS = {
    **dict.fromkeys(("pt", "et"), "pt"),
    "eta": "eta",
    "phi": "phi",
    **dict.fromkeys(("mass", "m"), "mass"),
    **dict.fromkeys(("energy", "e"), "energy"),
    **dict.fromkeys(("px", "momentum.x"), "px"),
    **dict.fromkeys(("py", "momentum.y"), "py"),
    **dict.fromkeys(("pz", "momentum.z"), "pz"),
    **dict.fromkeys(("rapidity", "y"), "rapidity"),
}
_COLUMN = re.compile(rf"(.*?)[_.]?({'|'.join(sorted(map(re.escape, _WORDS), key=len, reverse=True))})", re.I)
_WAYS = (
    ("px", "py", "pz", "energy"),
    *(("pt", angle, "phi", last) for angle in ("eta", "rapidity") for last in ("mass", "energy")),
    ("px", "py", "pz", "mass"),
    ("pt", "eta", "phi"),
)
_MISSING = re.compile(r"met$|missing", re.I)
_NUMBERS = ("event_number", "eventNumber", "EventNumber", "event", "evt", "EvtNum")
"""What the event's number is called."""
_PARTS = re.compile(r"part|const|pf|cand|trk|track|tower|cluster", re.I)
_IN_MEV = 5e3
"""Median pT above this, of any of a file's collections, is taken for MeV in all of them."""
_STORAGE = re.compile(r"(\.fCoordinates\.f|[._]fCoordinates|Aux(Dyn)?)$")
"""What ROOT's vectors and ATLAS' containers put behind a collection's name."""


def known_schema(source: Source) -> str | None:
    """Return the shipped schema file that fits a file, None if none does."""
    return next((name for name, columns in KNOWN.items() if all(c in source for c in columns)), None)


def propose_schema(source: Source) -> dict[str, Any] | None:
    """Guess a schema from names such as ``jet_pt``, ``el_E``, ``part_px``.

    Returns:
        a schema as plain data that reads this file, or None if no momentum was recognised.
    """
    collections: dict[str, Any] = {}
    prefixes: dict[str, str] = {}
    large, met = False, None
    for prefix, columns in _groups(source).items():
        way = next((way for way in _WAYS if set(way) <= columns.keys()), None)
        if way is None and _MISSING.search(prefix) and {"pt", "phi"} <= columns.keys():
            met = met or _met(source, columns)
        shape = None if way is None else _shape(source, [columns[axis] for axis in way])
        if way is None or shape is None or _is_generated(source, prefix):
            continue
        first = columns[way[0]]
        if any(_read(source, columns[axis], shape, first) is None for axis in way):
            continue
        parent = next((p for p in prefixes if prefix.startswith((f"{p}.", f"{p}_"))), None)
        if shape == "nested" and parent is None:
            continue
        name = re.sub(r"\W+", "_", _STORAGE.sub("", prefix)).strip("_").lower() or "objects"
        large |= _is_large(source, [columns[axis] for axis in way if axis in ("pt", "px")], shape)
        fields: dict[str, Any] = {axis: columns[axis] for axis in way}
        fields |= {} if {"mass", "energy"} & set(way) else {"mass": 0.0}
        fields |= _further(
            source, prefix.removesuffix(".fCoordinates.f"), set(columns.values()), shape, first
        )
        if shape == "nested":
            collections[prefixes[str(parent)]]["constituents"] = {"link": "nested", "fields": fields}
            continue
        prefixes[prefix] = name
        collections[name] = {"layout": "entry"} if shape == "entry" else {}
        collections[name] |= {"fields": fields}
    if not collections:
        return None
    parts = [c["constituents"] for c in collections.values() if "constituents" in c]
    for content in [*collections.values(), *parts, *([met] if met else [])] if large else ():
        _from_mev(content["fields"])
    collections = _nest(collections)
    schema = {"name": "mine", **({"trees": [source.name]} if source.name else {}), "collections": collections}
    if met is not None:
        schema["met"] = met
    numbered = next((n for n in _NUMBERS if n in source and source.shape(n) == "numbers"), None)
    scalars = {"event_number": numbered, "weight": "weight" if "weight" in source else None}
    schema["scalars"] = {name: column for name, column in scalars.items() if column}
    try:
        parse_schema(schema, "proposal")
    except ConfigError:
        return None
    return schema


def _groups(source: Source) -> dict[str, dict[str, str]]:
    """Columns that look like part of a momentum, by what stands before: ``jet`` → {pt: jet_pt, …}."""
    groups: dict[str, dict[str, str]] = {}
    for name in source.names:
        match = _COLUMN.fullmatch(name)
        if match is not None:
            groups.setdefault(match[1], {}).setdefault(_WORDS[match[2].lower()], name)
    return groups


def _shape(source: Source, names: list[str]) -> str | None:
    """The layout of columns that hold one number per entry, one list, or lists of lists; None for all else."""
    shapes = {source.shape(name) for name in names}
    shape = shapes.pop() if len(shapes) == 1 else ""
    return {"numbers": "entry", "lists": "lists", "nested": "nested"}.get(shape)


def _read(source: Source, name: str, shape: str, like: str | None = None) -> Column | None:
    """Values in the first entries; None if they are no plain numbers, or not as many per entry as those of ``like``."""
    stop = min(200, source.entries)
    try:
        if shape == "entry":
            found = source.numbers([name], 0, stop)
        elif shape == "nested":
            outer, inner, found = source.nested([name], 0, stop)
            if like is not None and not _same((outer, inner), source.nested([like], 0, stop)[:2]):
                return None
        else:
            offsets, found = source.lists([name], 0, stop)
            if like is not None and not np.array_equal(offsets, source.lists([like], 0, stop)[0]):
                return None
    except FileError:
        return None
    return found[name] if found[name].ndim == 1 else None


def _same(one: Iterable[Index], other: Iterable[Index]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def _met(source: Source, columns: dict[str, str]) -> dict[str, Any] | None:
    """The missing transverse momentum, one per event."""
    if _shape(source, [columns["pt"], columns["phi"]]) != "entry" or TRUTH.search(columns["pt"]):
        return None
    return {"fields": {"pt": columns["pt"], "phi": columns["phi"]}}


def _is_generated(source: Source, prefix: str) -> bool:
    """Tell whether objects are the generator's, by their name or by a status that only generators give."""
    status = (f"{prefix}{sign}{word}" for sign in "._" for word in ("generatorStatus", "Status", "status"))
    return bool(TRUTH.search(prefix)) or any(name in source for name in status)


def _is_large(source: Source, names: list[str], shape: str) -> bool:
    """Tell whether momenta are so large that they must be in MeV."""
    sizes = [read for name in names if (read := _read(source, name, shape)) is not None and len(read)]
    return any(np.median(np.abs(size.astype(float))) > _IN_MEV for size in sizes)


def _from_mev(fields: dict[str, Any]) -> None:
    for axis in ("pt", "mass", "energy", "px", "py", "pz"):
        if isinstance(fields.get(axis), str):
            fields[axis] = {"branch": fields[axis], "factor": 0.001}


def _further(source: Source, prefix: str, taken: set[str], shape: str, like: str) -> dict[str, Any]:
    """Other plain columns of the same objects, as many as ``like``, those that only simulation knows marked as such."""
    fields: dict[str, Any] = {}
    if not prefix:
        return fields
    for name in source.names:
        rest = name.removeprefix(prefix).lstrip("_.")
        leaf = re.sub(r"\W+", "_", rest).strip("_")
        usable = (
            leaf.isidentifier() and leaf.lower() not in _WORDS and leaf not in ("x", "y", "z", "t", "tau")
        )
        own = name.startswith((f"{prefix}_", f"{prefix}."))
        if not own or name in taken or not usable or len(fields) >= 40:
            continue
        if _shape(source, [name]) != shape or (values := _read(source, name, shape, like)) is None:
            continue
        kind = {"b": "bool", "i": "int32", "u": "int32"}.get(values.dtype.kind, "float32")
        fields[leaf] = {"branch": name, "dtype": kind} | ({"truth": True} if TRUTH.search(leaf) else {})
    return fields


def _nest(collections: dict[str, Any]) -> dict[str, Any]:
    """Lists beside a single jet per entry are its constituents, if their names say so."""
    single = [n for n, c in collections.items() if c.get("layout") == "entry"]
    parts = [n for n, c in collections.items() if "layout" not in c and _PARTS.search(n)]
    if len(single) == 1 and len(parts) == 1:
        jet = dict(collections[single[0]])
        jet["constituents"] = {"link": "entry", "fields": collections[parts[0]]["fields"]}
        rest = {n: c for n, c in collections.items() if n not in (single[0], parts[0])}
        return {"fat_jets": jet, **rest}
    return collections
