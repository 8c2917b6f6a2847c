"""What the columns of an event file mean: a schema is data, in YAML, and everything else follows from it.

The parquet layout of skims, range checks, what is assumed where a file lacks a column, and the documentation come from
the schema alone; no list of fields stands anywhere else. ``delphes`` and ``nanoaod`` are part of the package; others
are files (``config/schemas/*.yaml``); a configuration can extend either by further fields and collections.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from jetlens.errors import ConfigError, FileError, did_you_mean
from jetlens.events.standard import COORDINATES, MOMENTA, STANDARD

TYPES = {"track": 0, "photon": 1, "neutral_hadron": 2, "tower": 3}
"""Codes of the constituents' ``type``; tower: calorimeter only, photon or hadron unknown."""

DTYPES = ("float32", "float64", "int8", "uint8", "int16", "int32", "int64", "bool")
LAYOUTS = ("lists", "entry", "padded")
LINKS = ("references", "indices", "entry", "nested", "padded")


@dataclass(frozen=True)
class Field:
    """One number per event, object or constituent, and where it comes from.

    Attributes:
        branch: names it may have in the file, best first; ``{}`` stands for the branch of its collection, ``{i}`` for
            the number of the slot in tables that have a column per slot.
        take: ``mass`` or ``pt`` of a stored four-vector; a number: that element of a list.
        bit: true where this bit of a stored integer is set.
        above: true where the stored number is larger than this (the working point of a score).
        function: a function of :mod:`jetlens.events.derived`, applied to all of ``branch``.
        value: a constant; no branch is read.
        factor: what stored values are multiplied with to get ``unit`` (0.001 for MeV).
        low, high: values outside are a sign of damage.
        least: smaller values count as this.
        marker: stored value that stands for what was not measured, and counts as 0.
        fill: value where the file lacks it; None: the file must have it. Of scalars also ``entry`` (the position in
            the file) or ``sum(<collection>.pt)``.
        dtype: type in the skim file. Momenta are float64 in memory, so that sums are exact.
        unit, meaning: for the documentation.
        truth: known from simulation only: refused as a feature.
    """

    branch: tuple[str, ...] = ()
    take: str | int | None = None
    bit: int | None = None
    above: float | None = None
    function: str | None = None
    value: float | None = None
    factor: float = 1.0
    low: float | None = None
    high: float | None = None
    least: float | None = None
    marker: float | None = None
    fill: float | str | None = None
    dtype: str = "float32"
    unit: str = ""
    meaning: str = ""
    truth: bool = False


@dataclass(frozen=True)
class Constituents:
    """Where the constituents of a collection come from.

    Attributes:
        link: ``references`` (to objects of other branches, by unique id), ``indices`` (a table with, per line, the
            index of the jet and, unless it holds the constituents itself, of the candidate), ``entry`` (one jet per
            event: lists of the event), ``nested`` (lists of lists), ``padded`` (one jet per event: rows of slots).
        fields: what a constituent has.
        references: leaf with the references; ``id``: leaf with the target's unique id.
        groups: branches the references may point to, taken together; ``by_jet``: the same for jets whose branch starts
            with the key.
        type_by_branch: type of all objects of a branch by a word in its name.
        tables: of indices; each ``table``, ``jet``, ``candidate``, ``branch``: names to try in turn.
        slots, present: of padded ones: number of slots per event, and the column that is not zero where one is real.
    """

    link: str
    fields: Mapping[str, Field] = field(default_factory=dict)
    references: str = ""
    id: str = ""
    groups: tuple[tuple[str, ...], ...] = ()
    by_jet: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    type_by_branch: Mapping[str, str] = field(default_factory=dict)
    tables: tuple[Mapping[str, str], ...] = ()
    slots: int | None = None
    present: str | None = None


@dataclass(frozen=True)
class Collection:
    """Objects of one kind.

    Attributes:
        branch: names in the file, best first.
        counter: branch with the number of objects, ``{}`` for ``branch``; None: found from the columns.
        layout: ``lists`` (any number per event), ``entry`` (exactly one, plain numbers), ``padded`` (rows of slots).
        fields: by name; the momentum as (pt, eta | rapidity, phi, mass | energy) or (px, py, pz, energy).
        constituents: or None.
        momentum: False for objects that are no four-vectors; ``constituents`` in the file: sum of these.
        from_constituents: the momentum is the sum of the constituents' momenta.
        default: read and stored unless a list of columns says otherwise.
        optional: empty, and not an error, where the file lacks it.
        others: pattern of further branches, any of which is a field under its own name when asked for.
        select: boolean field that tells which objects belong.
        id: leaf with the unique id of an object with impact parameters, which smearing goes by; else its position.
        slots, present: of padded ones, as for constituents.
        meaning: for the documentation.
    """

    branch: tuple[str, ...] = ()
    counter: str | None = None
    layout: str = "lists"
    fields: Mapping[str, Field] = field(default_factory=dict)
    constituents: Constituents | None = None
    momentum: bool = True
    from_constituents: bool = False
    default: bool = True
    optional: bool = False
    others: str | None = None
    select: str | None = None
    id: str = ""
    slots: int | None = None
    present: str | None = None
    meaning: str = ""

    @property
    def stored(self) -> dict[str, Field]:
        """Fields of the objects as they are in memory and in skim files: the momentum first, as pt, eta, phi, mass."""
        return _with_momentum(self.fields, self.momentum)

    @property
    def stored_constituents(self) -> dict[str, Field]:
        """The same of the constituents; empty if there are none."""
        return _with_momentum(self.constituents.fields, True) if self.constituents else {}


@dataclass(frozen=True)
class Schema:
    """Collections and numbers of an event.

    Attributes:
        name: what it is called in messages.
        trees: names the tree (group, table) may have; empty: the only one there is.
        scalars: numbers per event; ``event_number`` and ``weight`` are always among them.
        met: the missing momentum, ``pt`` and ``phi``, or None.
        collections: by name.
        generated: sums over all generated events, ``tree``, ``events``, ``weights``, ``weights_squared``: names to try.
        companions: further files of the same events, by prefix of their columns (``prefix:column``): a pair of what to
            replace in the file's name, and by what.
        meaning: for the documentation.
    """

    name: str
    trees: tuple[str, ...] = ()
    scalars: Mapping[str, Field] = field(default_factory=dict)
    met: Collection | None = None
    collections: Mapping[str, Collection] = field(default_factory=dict)
    generated: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    companions: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    meaning: str = ""

    def companions_of(self, path: str) -> dict[str, str]:
        """Further files that belong to a file, by the prefix of their columns.

        Raises:
            FileError: if its name is not such that theirs follow.
        """
        found = {}
        for prefix, (old, new) in self.companions.items():
            if old not in path:
                raise FileError(
                    f"{path}: its name has no '{old}', which companion '{prefix}' of schema '{self.name}' replaces"
                )
            found[prefix] = new.join(path.rsplit(old, 1))
        return found

    def columns(self) -> dict[str, Field]:
        """Every column by its dotted name, such as ``fat_jets.constituents.d0``."""
        return dict(self._columns())

    def _columns(self) -> Iterator[tuple[str, Field]]:
        yield from self.scalars.items()
        if self.met is not None:
            yield from ((f"met.{name}", value) for name, value in self.met.fields.items())
        for name, collection in self.collections.items():
            yield from ((f"{name}.{leaf}", value) for leaf, value in collection.stored.items())
            inner = collection.stored_constituents
            yield from ((f"{name}.constituents.{leaf}", value) for leaf, value in inner.items())

    def kinds(self) -> dict[str, Literal["number", "integer", "boolean"]]:
        """What every column holds, for the namespace of expressions."""
        return {name: kind_of_dtype(value.dtype) for name, value in self.columns().items()}

    @property
    def truth(self) -> set[str]:
        """Columns known from simulation only, which no feature may use."""
        return {name for name, value in self.columns().items() if value.truth}


def kind_of_dtype(dtype: str) -> Literal["number", "integer", "boolean"]:
    """Tell numbers, integers and booleans apart."""
    return "boolean" if dtype == "bool" else "integer" if "int" in dtype else "number"


def _with_momentum(fields: Mapping[str, Field], momentum: bool) -> dict[str, Field]:
    if not momentum:
        return dict(fields)
    four = {name: fields.get(name, Field(**STANDARD[name])) for name in MOMENTA}
    return four | {name: value for name, value in fields.items() if name not in COORDINATES}


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
        "met": None if met is None else _collection({"layout": "entry", **met}, f"{where}: met", four=False),
        "generated": {k: _words(v, where) for k, v in (checked.get("generated") or {}).items()},
        "companions": {k: _words(v, where) for k, v in (checked.get("companions") or {}).items()},
    }
    schema = Schema(**checked)
    for name in schema.collections:
        if name in schema.scalars or name in ("met", "constituents"):
            raise ConfigError(f"{where}: a collection cannot be called '{name}', which means something else")
    return schema


def _keys(content: Any, kind: type, where: str) -> dict[str, Any]:
    if not isinstance(content, Mapping):
        raise ConfigError(f"{where}: expected keys and values, found {content!r}")
    allowed = [f.name for f in dataclasses.fields(kind)]
    for key in content:
        if key not in allowed:
            raise ConfigError(f"{where}: unknown key '{key}'{did_you_mean(str(key), allowed)}")
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
    for key in ("value", "factor", "low", "high", "least", "marker", "above"):
        number = given.get(key)
        if not (isinstance(number, int | float) or (number is None and key != "factor") or key not in given):
            raise ConfigError(
                f"{where}: {key} must be a number, found {number!r}; write 1.0e+6, not 1e6, in YAML"
            )
    if "branch" not in given and "value" not in given and "fill" not in {**STANDARD.get(name, {}), **given}:
        raise ConfigError(f"{where}: needs a branch or a value")
    if not name.isidentifier():
        raise ConfigError(f"{where}: '{name}' cannot be the name of a field: letters, digits and _ only")
    try:
        return Field(**{**STANDARD.get(name, {}), **given})
    except TypeError as error:
        raise ConfigError(f"{where}: {error}") from error


def _collection(content: Any, where: str, four: bool = True) -> Collection:
    given = _keys(content, Collection, where)
    fields = _fields(given.get("fields") or {}, f"{where}.fields")
    given |= {"branch": _words(given.get("branch", ()), where), "fields": fields}
    if (layout := given.get("layout", "lists")) not in LAYOUTS:
        raise ConfigError(f"{where}: unknown layout '{layout}'{did_you_mean(str(layout), LAYOUTS)}")
    if given.get("constituents") is not None:
        given["constituents"] = _constituents(given["constituents"], f"{where}.constituents")
    if four and given.get("momentum", True) and not given.get("from_constituents", False):
        _check_momentum(fields, where)
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
    given["groups"] = tuple(_words(group, where) for group in given.get("groups", ()))
    given["by_jet"] = {key: _words(value, where) for key, value in (given.get("by_jet") or {}).items()}
    given["tables"] = tuple(dict(table) for table in given.get("tables", ()))
    if given["link"] == "padded" and not given.get("present"):
        raise ConfigError(
            f"{where}: padded constituents need 'present', the column that tells which are real"
        )
    return Constituents(**given)


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
