"""Configuration of the features handed to the networks (``features``)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from jetlens.config.base import Name, PositiveInt, Section, Seed
from jetlens.config.quantities import COLLECTIONS, parse_objects
from jetlens.errors import ConfigError, did_you_mean


def _known(kind: str, names: list[str]) -> list[str]:
    """Refuse features that do not exist."""
    from jetlens.features.constituents import (
        CONSTITUENTS,
    )  # here, as that package is typed with this module's classes
    from jetlens.features.event import EVENT
    from jetlens.features.objects import KINEMATICS, OBJECTS
    from jetlens.features.registry import Registry

    registries: dict[str, Registry[Any]] = {
        "constituents": CONSTITUENTS,
        "kinematics": KINEMATICS,
        "objects": OBJECTS,
        "event": EVENT,
    }
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ValueError(f"feature '{twice[0]}' is named twice")
    try:
        registries[kind].require(names)
    except ConfigError as error:
        raise ValueError(str(error)) from error
    return names


class ConstituentStream(Section):
    """The constituents of one jet, leading in pT first: (N, max_tokens, F)."""

    kind: Literal["constituents"]
    jet: int = Field(0, ge=0, le=99, description="which fat jet, 0 is the leading one")
    max_tokens: PositiveInt = Field(50, le=5_000, description="constituents kept per jet")
    features: list[Name] = Field(min_length=1, description="names from jetlens.features.constituents")
    alignment: Literal["none", "centre", "rotate", "flip"] = Field(
        "none",
        description="centre: on the pT-weighted centroid; rotate: and the principal axis upwards; "
        "flip: and the hardest half to the upper right",
    )

    @field_validator("features")
    @classmethod
    def _features_exist(cls, names: list[str]) -> list[str]:
        return _known("constituents", names)


class KinematicStream(Section):
    """One token per reconstructed object: jets and their sums: (N, tokens, F)."""

    kind: Literal["kinematics"]
    tokens: list[str] = Field(
        min_length=1, description="objects, e.g. fat_jets[0] or fat_jets[0]+fat_jets[1] (the resonance)"
    )
    features: list[Name] = Field(min_length=1, description="names from jetlens.features.objects")

    @field_validator("features")
    @classmethod
    def _features_exist(cls, names: list[str]) -> list[str]:
        return _known("kinematics", names)

    @field_validator("tokens")
    @classmethod
    def _tokens_are_objects(cls, tokens: list[str]) -> list[str]:
        for token in tokens:
            try:
                parse_objects(token)
            except ConfigError as error:
                raise ValueError(str(error)) from error
        return tokens


class ObjectStream(Section):
    """Jets and leptons of an event as one set, one token each: (N, sum of max_objects, F)."""

    kind: Literal["objects"]
    max_objects: dict[str, Annotated[int, Field(gt=0, le=1_000)]] = Field(
        min_length=1, description="how many of each collection, e.g. {jets: 10, electrons: 2, muons: 2}"
    )
    features: list[Name] = Field(min_length=1, description="names from jetlens.features.objects")

    @field_validator("features")
    @classmethod
    def _features_exist(cls, names: list[str]) -> list[str]:
        return _known("objects", names)

    @field_validator("max_objects")
    @classmethod
    def _collections_exist(cls, counts: dict[str, int]) -> dict[str, int]:
        for name in counts:
            if name not in COLLECTIONS:
                raise ValueError(f"unknown collection '{name}'{did_you_mean(name, COLLECTIONS)}")
        return counts


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


class FeaturesConfig(Section):
    """Streams of tokens, the event vector and the split."""

    streams: dict[Name, Stream] = Field(min_length=1, description="named streams")
    event: list[str] = Field(min_length=1, description="event-level features, from jetlens.features.event")
    split: SplitConfig = Field(
        default_factory=SplitConfig, description="training, validation and test events"
    )

    @field_validator("event")
    @classmethod
    def _features_exist(cls, names: list[str]) -> list[str]:
        return _known("event", names)

    @model_validator(mode="after")
    def _names_are_free(self) -> FeaturesConfig:
        reserved = {"event", "label", "weight", "event_number", "fold", "metadata"}
        clash = sorted(name for name in self.streams if name in reserved or name.endswith("_mask"))
        if clash:
            raise ValueError(
                f"stream '{clash[0]}' clashes with an array of the feature file; choose another name"
            )
        return self
