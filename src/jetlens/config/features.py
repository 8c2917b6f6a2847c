"""Configuration of the features handed to the networks (``features``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from jetlens.config.base import Name, Positive, PositiveInt, Section, Seed
from jetlens.config.own_features import FeatureDefinition, read_expression
from jetlens.errors import did_you_mean
from jetlens.expressions import Namespace, define, used
from jetlens.expressions.feature import HYPOTHESIS, MASS_FEATURE, Feature, Level, Symmetry, shipped
from jetlens.expressions.tokens import Plan, plan_constituents, plan_event, plan_objects, plan_tokens

LEVELS: dict[str, Level] = {
    "constituents": "constituents",
    "kinematics": "tokens",
    "objects": "tokens",
    "event": "event",
}
"""What the features of each kind of stream, and of the event vector, are of."""


class ConstituentStream(Section):
    """The constituents of one jet, leading in pT first: (N, max_tokens, F)."""

    kind: Literal["constituents"]
    collection: Name = Field("fat_jets", description="whose constituents")
    jet: int = Field(0, ge=0, le=99, description="which of these jets, 0 is the leading one")
    max_tokens: PositiveInt = Field(50, le=5_000, description="constituents kept per jet")
    features: list[Name] = Field(min_length=1, description="names of features, see docs/features.md")
    alignment: Literal["none", "centre", "rotate", "flip"] = Field(
        "none",
        description="centre: on the pT-weighted centroid; rotate: and the principal axis upwards; "
        "flip: and the hardest half to the upper right",
    )


class KinematicStream(Section):
    """One token per reconstructed object: jets and their sums: (N, tokens, F)."""

    kind: Literal["kinematics"]
    tokens: list[str] = Field(
        min_length=1, description="objects, e.g. fat_jets[0] or fat_jets[0]+fat_jets[1] (the resonance)"
    )
    features: list[Name] = Field(min_length=1, description="names of features, see docs/features.md")

    @field_validator("tokens")
    @classmethod
    def _tokens_are_expressions(cls, tokens: list[str]) -> list[str]:
        return [read_expression(token) for token in tokens]


class ObjectStream(Section):
    """Jets and leptons of an event as one set, one token each: (N, sum of max_objects, F)."""

    kind: Literal["objects"]
    max_objects: dict[str, Annotated[int, Field(gt=0, le=1_000)]] = Field(
        min_length=1, description="how many of each collection, e.g. {jets: 10, electrons: 2, muons: 2}"
    )
    features: list[Name] = Field(min_length=1, description="names of features, see docs/features.md")

    @field_validator("max_objects")
    @classmethod
    def _collections_are_expressions(cls, counts: dict[str, int]) -> dict[str, int]:
        return {read_expression(text): number for text, number in counts.items()}


Stream = Annotated[ConstituentStream | KinematicStream | ObjectStream, Field(discriminator="kind")]


class SplitConfig(Section):
    """Folds from a hash of (sample, event number, seed); fold numbers are 0 … folds − 1.

    Which fold an event is in depends on no list; folds named in none are for training. ``training.k_fold`` moves
    ``test`` and ``validation`` on for k-fold training, among the folds that are not locked.
    """

    folds: int = Field(10, ge=3, le=255, description="number of folds")
    test: list[int] = Field(default=[0, 1], min_length=1, description="folds no training ever sees")
    validation: list[int] = Field(default=[2], min_length=1, description="folds for early stopping")
    locked: list[int] = Field(
        default=[],
        description="folds that no training, validation or test sees, in any rotation: evaluation.unlock scores them",
    )
    seed: Seed = Field(1, description="seed of the hash")

    @model_validator(mode="after")
    def _disjoint(self) -> SplitConfig:
        outside = [k for k in [*self.test, *self.validation, *self.locked] if not 0 <= k < self.folds]
        if outside:
            raise ValueError(
                f"fold {outside[0]} does not exist; with folds: {self.folds} they are 0 to {self.folds - 1}"
            )
        for key in ("test", "validation", "locked"):
            named: list[int] = getattr(self, key)
            twice = sorted({k for k in named if named.count(k) > 1})
            if twice:
                raise ValueError(f"fold {twice[0]} is named twice in {key}; name each fold once")
        for first, second in (("test", "validation"), ("test", "locked"), ("validation", "locked")):
            if both := set(getattr(self, first)) & set(getattr(self, second)):
                raise ValueError(
                    f"fold {min(both)} is in both {first} and {second}; no event may serve twice"
                )
        if len({*self.test, *self.validation, *self.locked}) >= self.folds:
            raise ValueError("no fold is left for training; name fewer in test, validation and locked")
        return self


class StreamRecipe(Section):
    """All that one stream depends on."""

    stream: Stream = Field(description="the stream")
    own: dict[Name, FeatureDefinition] = Field(default_factory=dict, description="own features it has")
    define: dict[str, str] = Field(default_factory=dict, description="definitions it uses")

    @property
    def features(self) -> list[Feature]:
        """Its features in order."""
        return _features(LEVELS[self.stream.kind], self.stream.features, self.own)

    def plan(self, names: Namespace) -> Plan:
        """Check it for given events.

        Raises:
            ConfigError: naming the token or feature, and what is wrong.
        """
        stream, names = self.stream, define(names, self.define)
        if stream.kind == "constituents":
            return plan_constituents(self.features, names, stream.collection)
        if stream.kind == "kinematics":
            return plan_tokens(self.features, names, stream.tokens)
        return plan_objects(self.features, names, stream.max_objects)


class EventRecipe(Section):
    """All that the event file of a part depends on."""

    event: list[Name] = Field(description="the features")
    own: dict[Name, FeatureDefinition] = Field(default_factory=dict, description="own features among them")
    define: dict[str, str] = Field(default_factory=dict, description="definitions they use")
    split: SplitConfig = Field(description="the split")
    hypotheses: list[Positive] = Field(
        default_factory=list, description="masses of the signals [GeV], if a feature reads the hypothesis"
    )

    @property
    def features(self) -> list[Feature]:
        """The features in order."""
        return _features("event", self.event, self.own)

    @property
    def of_hypothesis(self) -> bool:
        """Whether a feature reads the mass hypothesis."""
        return MASS_FEATURE in self.event

    def plan(self, names: Namespace) -> Plan:
        """Check it for given events.

        Raises:
            ConfigError: naming the feature and what is wrong.
        """
        known = define(names, self.define)
        if self.of_hypothesis:
            known = replace(known, scalars={**known.scalars, HYPOTHESIS: "number"})
        return plan_event(self.features, known)


class FeaturesConfig(Section):
    """Streams of tokens, the event vector and the split."""

    define: dict[Name, FeatureDefinition] = Field(
        default_factory=dict, description="features of your own, by name"
    )
    streams: dict[Name, Stream] = Field(min_length=1, description="named streams")
    event: list[Name] = Field(
        min_length=1, description="names of features of the event, see docs/features.md"
    )
    split: SplitConfig = Field(
        default_factory=SplitConfig, description="training, validation and test events"
    )

    @model_validator(mode="after")
    def _features_exist(self) -> FeaturesConfig:
        for name, entry in self.define.items():
            if name in shipped()[entry.of]:
                raise ValueError(
                    f"define.{name}: there is a feature of {entry.of} of this name; choose another"
                )
            if used([entry.expression], {HYPOTHESIS: "1"}):
                raise ValueError(
                    f"define.{name}: {HYPOTHESIS} is read by the feature {MASS_FEATURE} of the event alone"
                )
        named = {f"streams.{name}": (LEVELS[s.kind], s.features) for name, s in self.streams.items()}
        for key, (level, names) in {**named, "event": ("event", self.event)}.items():
            twice = [name for name in names if names.count(name) > 1]
            if twice:
                raise ValueError(f"{key}: feature '{twice[0]}' is named twice")
            known = [*shipped()[level], *(name for name, entry in self.define.items() if entry.of == level)]
            for name in names:
                if name not in known:
                    raise ValueError(f"{key}: unknown feature of {level} '{name}'{did_you_mean(name, known)}")
        return self

    @model_validator(mode="after")
    def _names_are_free(self) -> FeaturesConfig:
        reserved = {"event", "label", "weight", "event_number", "fold", "metadata"}
        clash = sorted(name for name in self.streams if name in reserved or name.endswith("_mask"))
        if clash:
            raise ValueError(
                f"stream '{clash[0]}' clashes with an array of the feature file; choose another name"
            )
        return self

    def stream_recipe(self, name: str, definitions: Mapping[str, str] | None = None) -> StreamRecipe:
        """Return all that one stream depends on.

        Args:
            name: of the stream.
            definitions: those of the configuration; only what is used is kept.
        """
        only = self.of([name])
        own = self._own(LEVELS[self.streams[name].kind], self.streams[name].features)
        texts = [*only._tokens, *(entry.expression for entry in own.values())]
        return StreamRecipe(stream=self.streams[name], own=own, define=used(texts, definitions or {}))

    def event_recipe(
        self, definitions: Mapping[str, str] | None = None, hypotheses: Iterable[float] = ()
    ) -> EventRecipe:
        """Return all that the event files depend on; see :meth:`stream_recipe`.

        Args:
            definitions: those of the configuration; only what is used is kept.
            hypotheses: masses of the signals [GeV]; kept if a feature reads the hypothesis.
        """
        own = self._own("event", self.event)
        texts = [entry.expression for entry in own.values()]
        recipe = EventRecipe(
            event=self.event, own=own, define=used(texts, definitions or {}), split=self.split
        )
        masses = sorted(set(hypotheses)) if recipe.of_hypothesis else []
        return recipe.model_copy(update={"hypotheses": masses})

    def of(self, streams: Iterable[str]) -> FeaturesConfig:
        """Return the section with these streams only, and with those own features that they or the event have."""
        kept = {name: self.streams[name] for name in streams}
        own = dict(self._own("event", self.event))
        for stream in kept.values():
            own |= self._own(LEVELS[stream.kind], stream.features)
        return self.model_copy(update={"streams": kept, "define": own})

    @property
    def texts(self) -> list[str]:
        """All expressions in the section."""
        return [*self._tokens, *(entry.expression for entry in self.define.values())]

    @property
    def _tokens(self) -> list[str]:
        found: list[str] = []
        for stream in self.streams.values():
            found += stream.tokens if stream.kind == "kinematics" else []
            found += stream.max_objects if stream.kind == "objects" else []
        return found

    def symmetries(self, kind: str, names: Iterable[str]) -> dict[str, Symmetry | None]:
        """Return how features of a kind of stream, or of the event vector (``event``), change; None: not known."""
        return {f.name: f.symmetry for f in _features(LEVELS[kind], list(names), self.define)}

    def _own(self, level: Level, names: Sequence[str]) -> dict[str, FeatureDefinition]:
        own = {name: entry for name, entry in self.define.items() if entry.of == level and name in names}
        return {name: entry.unlabelled() for name, entry in own.items()}


def _features(level: Level, names: Sequence[str], own: Mapping[str, FeatureDefinition]) -> list[Feature]:
    table = shipped()[level]
    return [table[name] if name in table else own[name].feature(name) for name in names]
