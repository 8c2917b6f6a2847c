"""Configuration of the event selection (``skim``)."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator, model_validator

from jetlens.config.base import Section
from jetlens.errors import ConfigError
from jetlens.expressions import parse

ALL_EVENTS = "all events"
"""The cutflow's first line, which no cut may be called."""


class Cut(Section):
    """One line of the cutflow: a condition (``cut``), or a number and its bounds (``min ≤ quantity ≤ max``).

    Both are expressions: ``num(jets) >= 2``, ``fat_jets[0].pt``, ``abs(fat_jets[0].deltaeta(fat_jets[1]))``,
    ``(met.pt > 200) | (num(jets[jets.b_tag]) >= 2)``. Indices count objects that fulfil ``skim.objects``, leading in pT
    first; an event that lacks the object fails.
    """

    name: str = Field(description="how the cut is called in the cutflow table")
    cut: str | None = Field(None, description="a condition that events must fulfil")
    quantity: str | None = Field(None, description="or a number per event that is cut on")
    min: float | None = Field(None, description="smallest value of the quantity that is kept (GeV, radians)")
    max: float | None = Field(None, description="largest value kept (GeV, radians)")

    @property
    def text(self) -> str:
        """The expression."""
        return str(self.quantity if self.cut is None else self.cut)

    @property
    def condition(self) -> str:
        """What the cut demands, in words that no change of its name touches: ``300 <= fat_jets[0].pt``."""
        low = "" if self.min is None else f"{self.min:g} <= "
        high = "" if self.max is None else f" <= {self.max:g}"
        return f"{low}{self.text}{high}"

    @model_validator(mode="after")
    def _is_a_condition(self) -> Cut:
        bounds = self.min is not None or self.max is not None
        if (self.cut is None) == (self.quantity is None):
            raise ValueError(f"cut '{self.name}' needs either cut, a condition, or quantity with min or max")
        if self.quantity is not None and not bounds:
            raise ValueError(f"cut '{self.name}' has neither min nor max; give at least one")
        if self.cut is not None and bounds:
            raise ValueError(
                f"cut '{self.name}': min and max go with quantity; write the bounds in cut itself"
            )
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"cut '{self.name}' has min {self.min} above max {self.max}; no event can pass")
        _parsed(self.text, "quantity" if self.cut is None else "cut")
        return self


class SkimConfig(Section):
    """Objects and cuts, applied in the order given; the cutflow has one line per cut."""

    objects: dict[str, str] = Field(
        default_factory=dict,
        description="what an object must fulfil to be kept and counted, by collection, about its own fields: "
        "(pt >= 20) & (abs(eta) <= 2.5)",
    )
    cuts: list[Cut] = Field(default_factory=list, description="the event selection, in order")

    @field_validator("objects", mode="before")
    @classmethod
    def _are_expressions(cls, content: Any) -> Any:
        for name, value in content.items() if isinstance(content, dict) else ():
            if isinstance(value, dict):
                parts = [f"(pt >= {value['pt_min']})"] if "pt_min" in value else []
                parts += [f"(abs(eta) <= {value['abs_eta_max']})"] if value.get("abs_eta_max") else []
                raise ValueError(f'{name}: expected an expression, write "{" & ".join(parts) or "pt >= 20"}"')
        return content

    @property
    def texts(self) -> list[str]:
        """All expressions."""
        return [*self.objects.values(), *(cut.text for cut in self.cuts)]

    @model_validator(mode="after")
    def _names_differ(self) -> SkimConfig:
        for name, text in self.objects.items():
            _parsed(text, f"objects.{name}")
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


def _parsed(text: str, key: str) -> None:
    try:
        parse(text)
    except ConfigError as error:
        raise ValueError(f"{key}: {error}") from error
