"""What names mean: collections of objects with their fields, single objects, numbers of the event, definitions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

Kind = Literal["number", "integer", "boolean"]


@dataclass(frozen=True)
class Collection:
    """The fields that objects of one kind have.

    Attributes:
        name: dotted name of the columns they come from: ``jets``, ``fat_jets.constituents``; empty for sums.
        fields: kind of each field.
        momentum: 4 for four-vectors, 2 for transverse vectors, 0 for objects that are no vectors.
        nested: what each object has a list of, such as ``constituents``.
    """

    name: str
    fields: Mapping[str, Kind] = field(default_factory=dict)
    momentum: Literal[0, 2, 4] = 4
    nested: Mapping[str, Collection] = field(default_factory=dict)


SUM = Collection("", {}, 4)
"""A sum of objects: a four-vector without further fields."""


@dataclass(frozen=True)
class Type:
    """What an expression gives: numbers, booleans or objects, one per event or one per object of something.

    Attributes:
        kind: of one entry.
        axes: none for one entry per event; else of what there is one entry per event, and of what in that.
        record: of objects, their fields.
        constant: the same for all events.
    """

    kind: Literal["number", "integer", "boolean", "object"]
    axes: tuple[str, ...] = ()
    record: Collection | None = None
    constant: bool = False

    @property
    def numeric(self) -> bool:
        """Whether it can be calculated with."""
        return self.kind in ("number", "integer", "boolean")

    def __str__(self) -> str:
        """Say it in words."""
        kind = {"number": "a number", "integer": "an integer", "boolean": "a boolean", "object": "an object"}[
            self.kind
        ]
        if self.constant:
            return f"{kind} that is the same for all events"
        if self.kind == "object" and self.axes:
            return f"a list of {self.axes[-1]}"
        return f"{kind} per {f'object of {self.axes[-1]}' if self.axes else 'event'}"


@dataclass(frozen=True)
class Namespace:
    """All names that an expression may use.

    Attributes:
        collections: lists of objects per event, such as ``jets``.
        objects: one object per event, such as ``met``.
        scalars: numbers per event, such as ``ht``.
        definitions: names for further expressions, made by :func:`jetlens.expressions.check.define`.
        own: the objects whose fields are names of their own (``pt``, ``eta``), where expressions are about one object.
        coordinates: further numbers of that object, which are no columns.
    """

    collections: Mapping[str, Collection] = field(default_factory=dict)
    objects: Mapping[str, Collection] = field(default_factory=dict)
    scalars: Mapping[str, Kind] = field(default_factory=dict)
    definitions: Mapping[str, object] = field(default_factory=dict)
    own: Collection | None = None
    coordinates: tuple[str, ...] = ()

    @classmethod
    def from_columns(cls, columns: Mapping[str, Kind], objects: Iterable[str] = ("met",)) -> Namespace:
        """Make the namespace of events with these columns.

        Args:
            columns: kind by dotted name: ``ht``, ``met.pt``, ``jets.pt``, ``fat_jets.constituents.d0``.
            objects: which first words are single objects; all others are collections.
        """
        single = set(objects)
        tops: dict[str, dict[str, Kind]] = {}
        nested: dict[str, dict[str, dict[str, Kind]]] = {}
        scalars: dict[str, Kind] = {}
        for name, kind in columns.items():
            match name.split("."):
                case [scalar]:
                    scalars[scalar] = kind
                case [top, leaf]:
                    tops.setdefault(top, {})[leaf] = kind
                case [top, inner, leaf]:
                    tops.setdefault(top, {})
                    nested.setdefault(top, {}).setdefault(inner, {})[leaf] = kind
                case _:
                    raise ValueError(f"column '{name}' has more than two dots")
        made = {
            top: Collection(
                top,
                leaves,
                _momentum(leaves),
                {
                    inner: Collection(f"{top}.{inner}", fields, _momentum(fields))
                    for inner, fields in nested.get(top, {}).items()
                },
            )
            for top, leaves in tops.items()
        }
        return cls(
            {name: made[name] for name in made if name not in single},
            {name: made[name] for name in made if name in single},
            scalars,
        )

    def about(self, path: str, coordinates: tuple[str, ...] = ()) -> Namespace:
        """Return the namespace of expressions about one object of ``jets``, or of ``fat_jets.constituents``."""
        top, *inner = path.split(".")
        collection = self.collections[top]
        for name in inner:
            collection = collection.nested[name]
        return replace(self, own=collection, coordinates=coordinates)

    def with_objects(self, objects: Mapping[str, Collection]) -> Namespace:
        """Return the namespace with further single objects, such as the jet of a constituent."""
        return replace(self, objects={**self.objects, **objects})


def _momentum(fields: Mapping[str, Kind]) -> Literal[0, 2, 4]:
    if {"pt", "eta", "phi", "mass"} <= set(fields):
        return 4
    return 2 if {"pt", "phi"} <= set(fields) else 0
