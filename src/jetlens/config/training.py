"""Configuration of the training loop (``training``)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from jetlens.config.base import Name, Positive, PositiveInt, Section


class TrainingConfig(Section):
    """How the variants are trained; ``training`` inside a variant's own section overrides single keys."""

    variants: list[Name] = Field(min_length=1, description="which entries of 'models' to train")
    seeds: list[int] = Field(default=[1, 2], min_length=1, description="one training per variant and seed")
    backend: Literal["tensorflow", "jax", "torch"] = Field("tensorflow", description="Keras 3 back end")
    epochs: PositiveInt = Field(30, description="most passes over the training events")
    patience: PositiveInt = Field(6, description="epochs without a better validation loss before stopping")
    batch_size: PositiveInt = Field(128, description="events per gradient step")
    learning_rate: Positive = Field(1e-3, description="peak learning rate of AdamW")

    @model_validator(mode="after")
    def _no_repeats(self) -> TrainingConfig:
        for key, values in (("variants", self.variants), ("seeds", self.seeds)):
            if len(set(values)) != len(values):
                raise ValueError(f"{key} has an entry twice")
        return self
