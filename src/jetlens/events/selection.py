"""Which of a schema's columns are wanted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from jetlens.errors import ConfigError, did_you_mean
from jetlens.events.schema import Collection, Field, Schema
from jetlens.events.standard import MOMENTA, TRUTH


@dataclass
class Wanted:
    """Fields of one collection: names, None for all; ``constituents`` likewise, an empty set for none.

    ``others`` are fields by the file's own names.
    """

    fields: set[str] | None = field(default_factory=set)
    others: set[str] = field(default_factory=set)
    constituents: set[str] | None = field(default_factory=set)

    @property
    def with_constituents(self) -> bool:
        """Tell whether constituents are wanted at all."""
        return self.constituents is None or bool(self.constituents)


@dataclass(frozen=True)
class Selection:
    """What is wanted of a schema."""

    scalars: list[str]
    met: bool
    collections: dict[str, Wanted]


def select_columns(schema: Schema, columns: Iterable[str] | None, also: Iterable[str] = ()) -> Selection:
    """Sort dotted names by collection.

    Args:
        schema: what there is.
        columns: the names; None for all that is read by default.
        also: further names.

    Raises:
        ConfigError: if one is none of the schema's.
    """
    if columns is None:
        default = {name: c for name, c in schema.collections.items() if c.default}
        wanted = {n: Wanted(None, constituents=None if c.constituents else set()) for n, c in default.items()}
        scalars, met = list(schema.scalars), schema.met is not None
    else:
        scalars, met, wanted = ["event_number", "weight"], False, {}
    for column in (*(columns or ()), *also):
        head, _, rest = column.partition(".")
        if head in schema.scalars and not rest:
            scalars.append(head)
        elif head == "met" and schema.met is not None and rest in ("", *schema.met.fields):
            met = True
        elif head in schema.collections:
            _want(wanted.setdefault(head, Wanted()), schema.collections[head], rest, column, schema.name)
        else:
            known = [*schema.scalars, *(["met"] if schema.met else []), *schema.collections]
            raise ConfigError(f"schema '{schema.name}' has no '{column}'{did_you_mean(head, known)}")
    for name in [name for name in scalars if isinstance(schema.scalars[name].fill, str)]:
        fill = str(schema.scalars[name].fill)
        if fill.startswith("sum(") and (summed := fill[4:-1].split(".")[0]) in schema.collections:
            wanted.setdefault(summed, Wanted())
    return Selection(list(dict.fromkeys(scalars)), met, wanted)


def _want(wanted: Wanted, collection: Collection, rest: str, column: str, schema: str) -> None:
    inner = collection.stored_constituents
    if not rest:
        wanted.fields = None
    elif rest == "constituents" and inner:
        wanted.constituents = None
    elif rest.startswith("constituents."):
        leaf = rest.removeprefix("constituents.")
        if leaf not in inner:
            raise ConfigError(f"schema '{schema}' has no '{column}'{did_you_mean(leaf, inner)}")
        if wanted.constituents is not None:
            wanted.constituents.add(leaf)
    elif rest in collection.stored or collection.others is not None:
        if rest not in collection.stored:
            wanted.others.add(rest)
        elif wanted.fields is not None:
            wanted.fields.add(rest)
    else:
        raise ConfigError(f"schema '{schema}' has no '{column}'{did_you_mean(rest, collection.stored)}")


def with_others(collection: Collection, names: Iterable[str]) -> Collection:
    """Add fields that go by the file's own names, where the schema allows for them (``others``).

    Those that are named like what only simulation knows count as such.
    """
    further = {
        name: Field(branch=((collection.others or "{}").replace("*", name),), truth=bool(TRUTH.search(name)))
        for name in names
        if name not in collection.stored
    }
    return replace(collection, fields={**collection.fields, **further}) if further else collection


def selected_columns(schema: Schema, selection: Selection) -> dict[str, Field]:
    """The wanted columns by dotted name."""
    fields = {name: schema.scalars[name] for name in selection.scalars}
    if selection.met and schema.met is not None:
        fields |= {f"met.{name}": value for name, value in schema.met.fields.items()}
    for name, wanted in selection.collections.items():
        collection = with_others(schema.collections[name], sorted(wanted.others))
        four = MOMENTA if collection.momentum else ()
        for leaf, value in collection.stored.items():
            if wanted.fields is None or leaf in (*wanted.fields, *wanted.others, *four):
                fields[f"{name}.{leaf}"] = value
        if wanted.with_constituents:
            keep = wanted.constituents
            for leaf, value in collection.stored_constituents.items():
                if keep is None or leaf in (*keep, *MOMENTA):
                    fields[f"{name}.constituents.{leaf}"] = value
    return fields
