"""What the columns of an event file mean: a schema is data, in YAML, and everything else follows from it.

The parquet layout of skims, range checks, what is assumed where a file lacks a column, and the documentation come from
the schema alone; no list of fields stands anywhere else. ``delphes`` and ``nanoaod`` are part of the package; others
are files (``config/schemas/*.yaml``); a configuration can extend either by further fields and collections.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from jetlens.errors import FileError
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
