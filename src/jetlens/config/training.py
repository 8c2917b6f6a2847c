"""Configuration of the training loop (``training``)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from jetlens.config.base import Name, Positive, PositiveInt, Section, Seed

Augmentation = Literal["rotate_constituents", "mirror_eta", "rotate_phi"]
Share = Annotated[float, Field(ge=0, lt=1)]
NonNegative = Annotated[float, Field(ge=0)]


class LoopOverrides(Section):
    """Keys of ``training`` that one variant sets differently; null means: as in ``training``."""

    epochs: PositiveInt | None = Field(None, le=100_000, description="most passes over the training events")
    patience: PositiveInt | None = Field(
        None, description="epochs without a better validation loss before stopping"
    )
    batch_size: PositiveInt | None = Field(None, description="events per gradient step")
    learning_rate: Positive | None = Field(None, le=1, description="peak learning rate of AdamW")
    warmup_epochs: NonNegative | None = Field(None, description="epochs of linear warm-up")
    weight_decay: NonNegative | None = Field(None, description="decoupled weight decay of AdamW")
    gradient_clip: Positive | None = Field(None, description="largest global gradient norm")
    label_smoothing: Share | None = Field(None, description="labels y become y(1 − s) + s/2")
    ema: Share | None = Field(None, description="momentum of the averaged weights; 0: none")
    augmentation: list[Augmentation] | None = Field(
        None, description="random symmetries applied to training events"
    )


class TrainingConfig(Section):
    """How the variants are trained; ``training`` inside a variant's own section overrides single keys."""

    variants: list[Name] = Field(min_length=1, description="which entries of 'models' to train")
    seeds: list[Seed] = Field(default=[1, 2], min_length=1, description="one training per variant and seed")
    k_fold: PositiveInt = Field(
        1,
        description="trainings per variant and seed, each with the test and validation folds of features.split moved "
        "on by the number of test folds; every event of their test folds is then scored by the one that never saw it",
    )
    backend: Literal["tensorflow", "jax", "torch"] = Field("tensorflow", description="Keras 3 back end")
    weights: Literal["unit", "physics"] = Field(
        "unit",
        description="weights within a class, unit: all events alike; physics: by σ·L weight. "
        "In both cases the two classes then sum to the same",
    )
    epochs: PositiveInt = Field(30, le=100_000, description="most passes over the training events")
    patience: PositiveInt = Field(8, description="epochs without a better validation loss before stopping")
    batch_size: PositiveInt = Field(128, description="events per gradient step")
    learning_rate: Positive = Field(1e-3, le=1, description="peak learning rate of AdamW")
    warmup_epochs: NonNegative = Field(1.0, description="epochs of linear warm-up; a cosine to zero follows")
    weight_decay: NonNegative = Field(
        0.01, description="decoupled weight decay of AdamW; biases and norms are exempt"
    )
    gradient_clip: Positive = Field(1.0, description="largest global gradient norm")
    label_smoothing: Share = Field(0.0, description="labels y become y(1 − s) + s/2")
    ema: Share = Field(
        0.0, description="momentum of the averaged weights that are validated and kept; 0: none"
    )
    augmentation: list[Augmentation] = Field(
        default=[],
        description="random symmetries of training events: rotate_constituents (about each jet's axis: Δη, Δφ, impact "
        "parameters and energies together), mirror_eta (η → −η of the event), rotate_phi (the event about the beam)",
    )
    precision: Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"] = Field(
        "auto",
        description="of the arithmetic; auto: mixed_bfloat16 on a GPU, float32 elsewhere. Under mixed "
        "precision weights, statistics, softmax, logit and loss stay float32, and so does the stored network",
    )
    fast_path: bool = Field(
        True,
        description="on TensorFlow: gradients written out, and all weights updated as one vector; false: Keras' own "
        "differentiation and trainer, the same to rounding and slower",
    )
    memory_gb: Positive = Field(1.0, description="events beyond this are streamed from disk instead of held")

    @model_validator(mode="after")
    def _no_repeats(self) -> TrainingConfig:
        for key, values in (("variants", self.variants), ("seeds", self.seeds)):
            if len(set(values)) != len(values):
                raise ValueError(f"{key} has an entry twice")
        return self

    def with_overrides(self, overrides: LoopOverrides) -> TrainingConfig:
        """Return a copy with the keys that ``overrides`` sets."""
        return self.model_copy(update=overrides.model_dump(exclude_none=True))
