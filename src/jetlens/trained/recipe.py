"""How a trained model's features were made, kept with it, so that new files go the very same way."""

from __future__ import annotations

from pydantic import Field

from jetlens.config.base import Section
from jetlens.config.features import FeaturesConfig
from jetlens.config.reading import ReadingConfig
from jetlens.config.skim import SkimConfig


class Recipe(Section):
    """The sections of the configuration between an event file and the arrays a network reads."""

    reading: ReadingConfig = Field(description="names of branches")
    define: dict[str, str] = Field(default_factory=dict, description="names that expressions use")
    skim: SkimConfig = Field(description="objects and cuts")
    features: FeaturesConfig = Field(description="streams and event vector")
