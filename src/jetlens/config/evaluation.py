"""Configuration of evaluation and figures."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from jetlens.config.base import COLOUR, Name, Positive, PositiveInt, Section, Seed
from jetlens.errors import ConfigError
from jetlens.expressions import parse


class EvaluationConfig(Section):
    """How the classifiers are measured on the test folds."""

    weights: Literal["unit", "physics"] = Field(
        "unit", description="unit: every test event counts the same; physics: by its σ·L weight"
    )
    bootstrap: PositiveInt = Field(
        400, le=100_000, description="bootstrap replicas of the signal for intervals of rejections"
    )
    seed: Seed = Field(1, description="seed of the bootstrap")
    unlock: bool = Field(
        False,
        description="score features.split.locked, once all is settled: one line per variant in evaluation/locked.csv",
    )
    background_uncertainty: float = Field(
        0.1,
        ge=0,
        le=1,
        description="relative uncertainty of the background in the significance, of each background's rate in limits",
    )


class Histogram(Section):
    """One kinematic distribution."""

    quantity: str = Field(description="what is drawn, a number per event: (fat_jets[0] + fat_jets[1]).mass")
    label: str = Field(description="axis label, matplotlib's mathtext allowed")
    unit: str = Field("", description="unit, empty for pure numbers")
    bins: PositiveInt = Field(30, le=1_000, description="number of bins")
    min: float = Field(description="lower edge of the first bin")
    max: float = Field(description="upper edge of the last bin, which also holds what lies above")
    log: bool = Field(True, description="logarithmic axis of events")

    @model_validator(mode="after")
    def _can_be_drawn(self) -> Histogram:
        try:
            parse(self.quantity)
        except ConfigError as error:
            raise ValueError(f"quantity: {error}") from error
        if self.min >= self.max:
            raise ValueError(f"histogram of '{self.quantity}' has min {self.min} not below max {self.max}")
        return self


class LookConfig(Section):
    """How a process or a variant is drawn, in all figures."""

    label: str | None = Field(
        None, description="text in legends, matplotlib's mathtext allowed; default: its name"
    )
    color: str | None = Field(
        None, pattern=COLOUR, description="#rrggbb; default: the next one of the palette"
    )


class FiguresConfig(Section):
    """How figures look; changing this reruns figures only."""

    label: str = Field("Delphes simulation", description="text at the upper left of every figure")
    energy_tev: Positive = Field(
        14, le=1_000, description="centre-of-mass energy, text at the upper right [TeV]"
    )
    formats: list[Literal["pdf", "png"]] = Field(
        default=["pdf", "png"], min_length=1, description="files written per figure"
    )
    dpi: PositiveInt = Field(160, le=2_400, description="resolution of the PNG files")
    processes: dict[str, LookConfig] = Field(
        default_factory=dict,
        description="look of processes, by their name in the sample table; drawn in this order, before all others",
    )
    variants: dict[Name, LookConfig] = Field(
        default_factory=dict, description="look of variants; drawn in this order, before all others"
    )
    kinematics: dict[Name, Histogram] = Field(
        default_factory=dict, description="distributions after selection, by the name of their file"
    )
