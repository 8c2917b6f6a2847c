"""Configuration of evaluation, explanation and figures."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from jetlens.config.base import Name, PositiveInt, Section


class EvaluationConfig(Section):
    """How the classifiers are measured on the test fold."""

    weights: Literal["unit", "physics"] = Field(
        "unit", description="unit: every test event counts the same; physics: by its σ·L weight"
    )
    bootstrap: PositiveInt = Field(400, description="bootstrap replicas for the AUC's interval")


class ExplanationConfig(Section):
    """What is explained."""

    variants: list[Name] = Field(description="variants with attention to explain")
    events: PositiveInt = Field(400, description="most test events per class")


class FiguresConfig(Section):
    """How figures look; changing this reruns figures only."""

    label: str = Field("Delphes simulation", description="text at the upper left of every figure")
    formats: list[Literal["pdf", "png"]] = Field(default=["pdf", "png"], min_length=1)
    dpi: PositiveInt = Field(160, description="resolution of the PNG files")
