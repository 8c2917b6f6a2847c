"""Configuration of the event selection (``skim``)."""

from __future__ import annotations

from pydantic import Field, model_validator

from jetlens.config.base import Section
from jetlens.config.quantities import COLLECTIONS, parse_quantity
from jetlens.errors import ConfigError, did_you_mean

ALL_EVENTS = "all events"
"""The cutflow's first line, which no cut may be called."""


class ObjectCuts(Section):
    """What an object must fulfil to be counted at all."""

    pt_min: float = Field(0.0, ge=0, description="smallest transverse momentum [GeV]")
    abs_eta_max: float | None = Field(None, gt=0, description="largest |η|; null: no requirement")


class Cut(Section):
    """One line of the cutflow: ``min ≤ quantity ≤ max``.

    ``quantity`` names a number per event: ``count(jets)``, ``fat_jets[0].pt``, ``abs_eta(fat_jets[1])``,
    ``abs_delta_eta(fat_jets[0], fat_jets[1])``, ``event.met``; the vocabulary is in :mod:`jetlens.config.quantities`.
    Indices count objects that fulfil ``skim.objects``, leading in pT first; an event that lacks the object fails.
    """

    name: str = Field(description="how the cut is called in the cutflow table")
    quantity: str = Field(description="what is cut on")
    min: float | None = Field(None, description="smallest value kept (GeV, radians)")
    max: float | None = Field(None, description="largest value kept (GeV, radians)")

    @property
    def condition(self) -> str:
        """What the cut demands, in words that no change of its name touches: ``300 <= fat_jets[0].pt``."""
        low = "" if self.min is None else f"{self.min:g} <= "
        high = "" if self.max is None else f" <= {self.max:g}"
        return f"{low}{self.quantity}{high}"

    @model_validator(mode="after")
    def _has_a_bound(self) -> Cut:
        if self.min is None and self.max is None:
            raise ValueError(f"cut '{self.name}' has neither min nor max; give at least one")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"cut '{self.name}' has min {self.min} above max {self.max}; no event can pass")
        try:
            parse_quantity(self.quantity)
        except ConfigError as error:
            raise ValueError(f"quantity {error}") from error
        return self


class SkimConfig(Section):
    """Objects and cuts, applied in the order given; the cutflow has one line per cut."""

    objects: dict[str, ObjectCuts] = Field(
        default_factory=dict, description="requirements per collection: fat_jets, jets, electrons, muons"
    )
    cuts: list[Cut] = Field(default_factory=list, description="the event selection, in order")

    @model_validator(mode="after")
    def _collections_exist(self) -> SkimConfig:
        for name in self.objects:
            if name not in COLLECTIONS:
                raise ValueError(f"unknown collection '{name}'{did_you_mean(name, COLLECTIONS)}")
        names = [cut.name for cut in self.cuts]
        twice = {name for name in names if names.count(name) > 1}
        if twice or ALL_EVENTS in names:
            raise ValueError(
                f"cut names must differ, found twice: {', '.join(sorted(twice or {ALL_EVENTS}))}"
            )
        return self

    def unnamed(self) -> SkimConfig:
        """Return the same selection with each cut called by number and condition: what the skim stage works with.

        Names are only for readers; the cutflow table puts them back, line by line.
        """
        cuts = [
            cut.model_copy(update={"name": f"{number}: {cut.condition}"})
            for number, cut in enumerate(self.cuts, 1)
        ]
        return self.model_copy(update={"cuts": cuts})
