"""Which of a schema's columns are wanted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from jetlens.errors import ConfigError, did_you_mean
from jetlens.events.schema import Collection, Field, Schema


@dataclass
class Wanted:
    """Fields of one collection: names, None for all; ``constituents`` likewise, an empty set for none."""

    fields: set[str] | None = field(default_factory=set)
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


def select_columns(schema: Schema, columns: Iterable[str] | None) -> Selection:
    """Sort dotted names by collection.

    Args:
        schema: what there is.
        columns: the names; None for all that is read by default.

    Raises:
        ConfigError: if one is none of the schema's.
    """
    if columns is None:
        default = {name: c for name, c in schema.collections.items() if c.default}
        everything = {n: Wanted(None, None if c.constituents else set()) for n, c in default.items()}
        return Selection(list(schema.scalars), schema.met is not None, everything)
    scalars, met = ["event_number", "weight"], False
    wanted: dict[str, Wanted] = {}
    for column in columns:
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
        if fill.startswith("sum("):
            wanted.setdefault(fill[4:-1].split(".")[0], Wanted())
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
        if wanted.fields is not None:
            wanted.fields.add(rest)
        elif rest not in collection.stored:
            raise ConfigError(
                f"schema '{schema}': name '{column}' before, or instead of, the whole collection"
            )
    else:
        raise ConfigError(f"schema '{schema}' has no '{column}'{did_you_mean(rest, collection.stored)}")


def with_others(collection: Collection, names: Iterable[str]) -> Collection:
    """Add fields that go by the file's own names, where the schema allows for them (``others``)."""
    further = {
        name: Field(branch=((collection.others or "{}").replace("*", name),))
        for name in names
        if name not in collection.stored
    }
    return replace(collection, fields={**collection.fields, **further}) if further else collection
