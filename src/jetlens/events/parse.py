"""From plain data to a schema: every key is known and holds what it should, before any file is opened."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Mapping, Sequence
from typing import Any

from jetlens.errors import ConfigError, did_you_mean
from jetlens.events.derived import FUNCTIONS
from jetlens.events.schema import DTYPES, LAYOUTS, LINKS, TYPES, Collection, Constituents, Field, Schema
from jetlens.events.standard import COORDINATES, STANDARD


def parse_schema(content: Mapping[str, Any], where: str) -> Schema:
    """Build a schema from plain data.

    Args:
        content: as in a schema file; ``extends`` must have been resolved.
        where: file or key, for messages.

    Raises:
        ConfigError: naming the key that is unknown or wrong.
    """
    checked = _keys(content, Schema, where)
    scalars = _fields(checked.get("scalars") or {}, f"{where}: scalars")
    scalars = {
        "event_number": Field(**STANDARD["event_number"]),
        "weight": Field(**STANDARD["weight"]),
    } | scalars
    collections = {
        name: _collection(value, f"{where}: collections.{name}")
        for name, value in (checked.get("collections") or {}).items()
        if value is not None
    }
    if not collections:
        raise ConfigError(f"{where}: has no collections")
    met = checked.get("met")
    checked |= {
        "name": checked.get("name", where),
        "trees": _words(checked.get("trees", ()), f"{where}: trees"),
        "scalars": scalars,
        "collections": collections,
        "met": None if met is None else _met(met, f"{where}: met"),
        "generated": {k: _words(v, where) for k, v in (checked.get("generated") or {}).items()},
        "companions": {k: _words(v, where) for k, v in (checked.get("companions") or {}).items()},
    }
    schema = Schema(**checked)
    for name, pair in schema.companions.items():
        if len(pair) != 2:
            raise ConfigError(
                f"{where}: companions.{name}: expected what to replace, and by what, found {pair!r}"
            )
    for name in schema.collections:
        if not str(name).isidentifier():
            raise ConfigError(
                f"{where}: '{name}' cannot be the name of a collection: letters, digits and _ only"
            )
        if name in schema.scalars or name in ("met", "constituents"):
            raise ConfigError(f"{where}: a collection cannot be called '{name}', which means something else")
    return schema


def _met(content: Mapping[str, Any], where: str) -> Collection:
    met = _collection({"layout": "entry", **content}, where, four=False)
    if set(met.fields) != {"pt", "phi"} or not all(field.branch for field in met.fields.values()):
        raise ConfigError(
            f"{where}: fields: expected the branches of pt and phi, found {', '.join(met.fields) or 'none'}"
        )
    return met


KINDS: dict[str, tuple[Any, str]] = {
    **dict.fromkeys(
        ("name", "meaning", "unit", "layout", "link", "references", "id", "dtype"), (str, "text")
    ),
    **dict.fromkeys(("counter", "others", "select", "present", "function"), (str | None, "text")),
    **dict.fromkeys(("bit", "slots"), (int | None, "a whole number")),
    **dict.fromkeys(
        ("momentum", "from_constituents", "default", "optional", "truth"), (bool, "true or false")
    ),
    **dict.fromkeys(("groups", "tables"), (list | tuple | None, "a list")),
    **dict.fromkeys(
        (
            "fields",
            "scalars",
            "collections",
            "generated",
            "companions",
            "by_jet",
            "type_by_branch",
            "met",
            "constituents",
        ),
        (Mapping | None, "keys and values"),
    ),
    **dict.fromkeys(
        ("value", "factor", "low", "high", "least", "marker", "above"),
        (int | float | None, "a number; write 1.0e+6, not 1e6, in YAML"),
    ),
}
"""What the keys of a schema hold."""


def _keys(content: Any, kind: type, where: str) -> dict[str, Any]:
    if not isinstance(content, Mapping):
        raise ConfigError(f"{where}: expected keys and values, found {content!r}")
    allowed = [f.name for f in dataclasses.fields(kind)]
    for key, value in content.items():
        if key not in allowed:
            raise ConfigError(f"{where}: unknown key '{key}'{did_you_mean(str(key), allowed)}")
        expected, words = KINDS.get(key, (object, ""))
        wrong = isinstance(value, bool) and expected is not bool and expected is not object
        wrong |= key in ("bit", "slots") and isinstance(value, int) and not 0 <= value < 10_000
        if wrong or not isinstance(value, expected) or (key == "factor" and value is None):
            raise ConfigError(f"{where}: {key}: expected {words}, found {value!r}")
    return dict(content)


def _words(value: Any, where: str) -> tuple[str, ...]:
    words = (value,) if isinstance(value, str) else value
    if not isinstance(words, Sequence) or not all(isinstance(word, str) for word in words):
        raise ConfigError(f"{where}: expected a name or a list of names, found {value!r}")
    return tuple(words)


def _fields(content: Any, where: str) -> dict[str, Field]:
    if not isinstance(content, Mapping):
        raise ConfigError(f"{where}: expected fields by name, found {content!r}")
    return {str(name): _field(str(name), value, f"{where}.{name}") for name, value in content.items()}


def _field(name: str, value: Any, where: str) -> Field:
    """A field: a branch, several to try, a constant, or keys; what is not said is as usual for a field of this name."""
    if isinstance(value, bool) or value is None:
        raise ConfigError(f"{where}: expected a branch or keys, found {value!r}")
    if isinstance(value, str | list | tuple):
        value = {"branch": value}
    elif isinstance(value, int | float):
        value = {"value": float(value)}
    given = _keys(value, Field, where)
    if "branch" in given:
        given["branch"] = _words(given["branch"], where)
    if not (given.get("bit") is None and given.get("above") is None) and "dtype" not in given:
        given["dtype"] = "bool"
    if (dtype := given.get("dtype", "float32")) not in DTYPES:
        raise ConfigError(f"{where}: unknown dtype '{dtype}'{did_you_mean(str(dtype), DTYPES)}")
    numbers = ("value", "factor", "low", "high", "least", "marker", "above", "fill")
    given |= {
        key: float(given[key]) for key in numbers if type(given.get(key)) is int
    }  # an int may be any size
    whole = {**STANDARD.get(name, {}), **given}
    if not whole.get("branch") and whole.get("value") is None and whole.get("fill") is None:
        raise ConfigError(f"{where}: needs a branch or a value")
    _check_making(given, where)
    if not name.isidentifier():
        raise ConfigError(f"{where}: '{name}' cannot be the name of a field: letters, digits and _ only")
    return Field(**whole)


def _check_making(given: Mapping[str, Any], where: str) -> None:
    """Refuse functions that there are not, of another number of branches, and elements and fills that mean nothing."""
    take, fill, function = given.get("take"), given.get("fill"), given.get("function")
    if not (
        take is None
        or take in ("mass", "pt")
        or (isinstance(take, int) and not isinstance(take, bool) and take >= 0)
    ):
        raise ConfigError(
            f"{where}: take: expected mass, pt or the number of an element, from 0, found {take!r}"
        )
    computed = isinstance(fill, str) and re.fullmatch(r"entry|sum\(\w+\.\w+\)", fill)
    if not (fill is None or computed or (isinstance(fill, int | float) and not isinstance(fill, bool))):
        raise ConfigError(f"{where}: fill: expected a number, entry or sum(jets.pt), found {fill!r}")
    if function is None:
        return
    if function not in FUNCTIONS:
        raise ConfigError(f"{where}: unknown function '{function}'{did_you_mean(function, FUNCTIONS)}")
    number, takes = len(given.get("branch", ())), len(inspect.signature(FUNCTIONS[function]).parameters)
    if number != takes:
        raise ConfigError(f"{where}: {function} takes {takes} branch(es), found {number}")


def _collection(content: Any, where: str, four: bool = True) -> Collection:
    given = _keys(content, Collection, where)
    fields = _fields(given.get("fields") or {}, f"{where}.fields")
    given |= {"branch": _words(given.get("branch", ()), where), "fields": fields}
    if (layout := given.get("layout", "lists")) not in LAYOUTS:
        raise ConfigError(f"{where}: unknown layout '{layout}'{did_you_mean(str(layout), LAYOUTS)}")
    if given.get("constituents") is not None:
        given["constituents"] = _constituents(given["constituents"], f"{where}.constituents")
    link = given["constituents"].link if given.get("constituents") else ""
    summed = given.get("from_constituents", False)
    if summed and link not in ("entry", "padded", "nested"):
        raise ConfigError(
            f"{where}: from_constituents: there are no lists or slots of constituents to add up"
        )
    if four and given.get("momentum", True) and not summed:
        _check_momentum(fields, where)
    if (select := given.get("select")) is not None and select not in fields:
        raise ConfigError(f"{where}: select: there is no field '{select}'{did_you_mean(select, fields)}")
    if layout != "lists" and any(isinstance(field.take, str) for field in fields.values()):
        raise ConfigError(
            f"{where}: take: mass and pt are of lists of stored four-vectors, not of layout '{layout}'"
        )
    _check_slots(given, fields, where)
    if layout == "padded" and not given.get("present"):
        raise ConfigError(f"{where}: padded objects need 'present', the column that tells which are real")
    return Collection(**given)


def _constituents(content: Any, where: str) -> Constituents:
    given = _keys(content, Constituents, where)
    if given.get("link") not in LINKS:
        raise ConfigError(
            f"{where}: unknown link {given.get('link')!r}{did_you_mean(str(given.get('link')), LINKS)}"
        )
    fields = _fields(given.get("fields") or {}, f"{where}.fields")
    _check_momentum(fields, where)
    given["fields"] = fields
    given["groups"] = tuple(_words(group, where) for group in given.get("groups") or ())
    given["by_jet"] = {key: _words(value, where) for key, value in (given.get("by_jet") or {}).items()}
    given["tables"] = tuple(_table(table, where) for table in given.get("tables") or ())
    for word, kind in (given.get("type_by_branch") or {}).items():
        if not isinstance(word, str) or str(kind) not in TYPES:
            raise ConfigError(
                f"{where}: type_by_branch.{word}: unknown type {kind!r}{did_you_mean(str(kind), TYPES)}"
            )
    needed = {"references": ("references", "id"), "indices": ("tables",)}.get(given["link"], ())
    for key in needed:
        if not given.get(key):
            raise ConfigError(f"{where}: constituents by {given['link']} need '{key}'")
    if any(field.take is not None for field in fields.values()):
        raise ConfigError(f"{where}: take is for objects, not for constituents")
    _check_slots(given, fields, where)
    if given["link"] == "padded" and not given.get("present"):
        raise ConfigError(
            f"{where}: padded constituents need 'present', the column that tells which are real"
        )
    return Constituents(**given)


def _table(content: Any, where: str) -> dict[str, str]:
    keys = ("table", "jet", "candidate", "branch")
    if not isinstance(content, Mapping) or not all(isinstance(v, str) for v in content.values()):
        raise ConfigError(f"{where}: tables: expected {', '.join(keys)} and names, found {content!r}")
    for key in content:
        if key not in keys:
            raise ConfigError(f"{where}: tables: unknown key '{key}'{did_you_mean(str(key), keys)}")
    if not {"table", "jet"} <= set(content):
        raise ConfigError(f"{where}: tables: needs table and jet, found {dict(content)!r}")
    return dict(content)


def _check_slots(given: Mapping[str, Any], fields: Mapping[str, Field], where: str) -> None:
    numbered = any("{i}" in name for field in fields.values() for name in field.branch)
    if (numbered or "{i}" in str(given.get("present"))) and not (given.get("slots") or 0) > 0:
        raise ConfigError(f"{where}: columns with {{i}} need 'slots', how many there are")


def _check_momentum(fields: Mapping[str, Field], where: str) -> None:
    """A momentum is given in exactly one way, and no further field takes a name that vector gives a meaning."""
    given = {name for name in fields if name in COORDINATES}
    ways = (
        *({"pt", angle, "phi", last} for angle in ("eta", "rapidity") for last in ("mass", "energy")),
        {"px", "py", "pz", "energy"},
        {"px", "py", "pz", "mass"},
    )
    if given not in ways:
        raise ConfigError(
            f"{where}: a momentum is (pt, eta | rapidity, phi, mass | energy) or (px, py, pz, energy | mass), found "
            f"({', '.join(sorted(given)) or 'none of these'}); momentum: false for objects that are no four-vectors"
        )
    for name in fields:
        if name in ("x", "y", "z", "t", "rho", "theta", "tau", "E", "e", "M", "m", "constituents", "row"):
            raise ConfigError(f"{where}: a field cannot be called '{name}', which means something else")
