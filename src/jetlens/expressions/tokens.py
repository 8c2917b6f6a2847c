"""What streams of tokens and event vectors are made of, checked: before any event is looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from jetlens.errors import ConfigError
from jetlens.expressions.check import check
from jetlens.expressions.feature import Feature, about_constituents
from jetlens.expressions.names import Namespace
from jetlens.expressions.tree import Checked


@dataclass(frozen=True)
class Fitted:
    """A feature, and its checked expression for one kind of token; None where its fill stands for it."""

    feature: Feature
    checked: Checked | None


@dataclass(frozen=True)
class Group:
    """Tokens of one kind, and the features of each.

    Attributes:
        source: what they are: one object of every event, or a list of objects.
        number: how many there are at most.
        features: the features.
    """

    source: Checked
    number: int
    features: Sequence[Fitted]

    @property
    def fields(self) -> list[str]:
        """Fields of the objects themselves that are read."""
        record = self.source.type.record
        assert record is not None
        start = f"{record.name}."
        read = self.source.columns.union(*(one.checked.columns for one in self.features if one.checked))
        nested = [
            name for name in record.nested if any(column.startswith(f"{start}{name}.") for column in read)
        ]
        return [name for name in record.fields if f"{start}{name}" in read] + nested


@dataclass(frozen=True)
class Plan:
    """A stream, or the event vector.

    Attributes:
        groups: of tokens, one after the other; of the event vector and of constituents none.
        features: of the event vector or of constituents.
        place: of constituents: Δη, Δφ and pT.
    """

    groups: Sequence[Group] = ()
    features: Sequence[Fitted] = ()
    place: Sequence[Checked] = field(default=())

    @property
    def columns(self) -> frozenset[str]:
        """Dotted names of all columns that are read."""
        own = [*self.place, *(group.source for group in self.groups)]
        return frozenset().union(*self.columns_by_feature().values(), *(checked.columns for checked in own))

    def columns_by_feature(self) -> dict[str, frozenset[str]]:
        """Columns that each feature reads, of any of the tokens."""
        read: dict[str, frozenset[str]] = {}
        for fitted in (self.features, *(group.features for group in self.groups)):
            for one in fitted:
                name = one.feature.name
                read[name] = read.get(name, frozenset()) | (
                    one.checked.columns if one.checked else frozenset()
                )
        return read


def plan_event(features: Sequence[Feature], names: Namespace) -> Plan:
    """Check the event vector.

    Raises:
        ConfigError: naming the feature and what is wrong.
    """
    return Plan(features=_fit(features, names))


def plan_constituents(features: Sequence[Feature], names: Namespace, jets: str) -> Plan:
    """Check a stream of the constituents of one jet.

    Raises:
        ConfigError: naming the feature and what is wrong, or if these jets have no constituents.
    """
    if "constituents" not in getattr(names.collections.get(jets), "nested", {}):
        raise ConfigError(f"'{jets}' has no constituents; name a collection whose constituents are read")
    about = about_constituents(names, jets)
    place = [check(text, about, "number") for text in ("deltaeta(jet)", "deltaphi(jet)", "pt")]
    return Plan(features=_fit(features, about), place=place)


def plan_tokens(features: Sequence[Feature], names: Namespace, tokens: Sequence[str]) -> Plan:
    """Check a stream of named objects and sums of objects.

    Raises:
        ConfigError: naming the token or the feature, and what is wrong.
    """
    return Plan([_group(features, names, check(text, names, "object"), 1) for text in tokens])


def plan_objects(features: Sequence[Feature], names: Namespace, numbers: Mapping[str, int]) -> Plan:
    """Check a stream of the leading objects of collections, each a name or an expression.

    Raises:
        ConfigError: naming the collection or the feature, and what is wrong.
    """
    return Plan([_group(features, names, check(text, names, "objects"), n) for text, n in numbers.items()])


def _group(features: Sequence[Feature], names: Namespace, source: Checked, number: int) -> Group:
    return Group(source, number, _fit(features, replace(names, own=source.type.record)))


def _fit(features: Sequence[Feature], names: Namespace) -> list[Fitted]:
    return [Fitted(feature, feature.fit(names)) for feature in features]
