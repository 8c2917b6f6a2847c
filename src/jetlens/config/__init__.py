"""All that can be configured, as pydantic models: the one truth from which schemas and documentation are made."""

from __future__ import annotations

from pydantic import Field, model_validator

from jetlens.config.base import Name, Positive, Section
from jetlens.config.consistency import (
    check_augmentation,
    check_k_fold,
    check_pairs,
    check_reading,
)
from jetlens.config.evaluation import EvaluationConfig, FiguresConfig
from jetlens.config.explanation import ExplanationConfig
from jetlens.config.features import FeaturesConfig
from jetlens.config.inference import InferenceConfig
from jetlens.config.models import GradientBoostingOptions, ModelOptions, stream_names
from jetlens.config.reading import ReadingConfig
from jetlens.config.skim import SkimConfig
from jetlens.config.training import TrainingConfig
from jetlens.config.variations import Variation
from jetlens.errors import did_you_mean


class Config(Section):
    """One analysis."""

    analysis: Name = Field(description="name of the results folder")
    samples: str = Field(description="the sample table, a TSV file")
    luminosity_fb: Positive = Field(description="integrated luminosity the yields are scaled to [1/fb]")
    reading: ReadingConfig = Field(default_factory=ReadingConfig)
    define: dict[Name, str] = Field(
        default_factory=dict,
        description="names for expressions, which others may use: {b_jets: 'jets[jets.b_tag]', "
        "m_bb: '(b_jets[0] + b_jets[1]).mass'}",
    )
    skim: SkimConfig
    features: FeaturesConfig
    models: dict[Name, ModelOptions] = Field(min_length=1, description="model variants by name")
    training: TrainingConfig
    evaluation: EvaluationConfig = Field(default_factory=EvaluationConfig)
    explanation: ExplanationConfig = Field(default_factory=ExplanationConfig)
    variations: dict[Name, Variation] = Field(
        default_factory=dict, description="systematic variations by name, which limits are set with"
    )
    inference: InferenceConfig = Field(default_factory=InferenceConfig)
    figures: FiguresConfig = Field(default_factory=FiguresConfig)

    @model_validator(mode="after")
    def _streams_are_defined(self) -> Config:
        for variant, options in self.models.items():
            for name in stream_names(options):
                if name not in self.features.streams:
                    hint = did_you_mean(name, self.features.streams)
                    raise ValueError(f"models.{variant}: features.streams has no stream '{name}'{hint}")
            check_pairs(variant, options, self.features.streams)
        return self

    @model_validator(mode="after")
    def _variants_are_defined(self) -> Config:
        for key, names in (
            ("training.variants", self.training.variants),
            ("explanation.variants", self.explanation.variants),
            ("inference.variants", self.inference.variants),
            ("figures.variants", list(self.figures.variants)),
        ):
            for name in names:
                if name not in self.models:
                    raise ValueError(f"{key}: unknown variant '{name}'{did_you_mean(name, self.models)}")
        for section in ("explanation", "inference"):
            for name in getattr(self, section).variants:
                if name not in self.training.variants:
                    raise ValueError(
                        f"{section}.variants: '{name}' is not trained; add it to training.variants"
                    )
        return self

    @model_validator(mode="after")
    def _the_warm_up_ends(self) -> Config:
        for variant in self.training.variants:
            options = self.models[variant]
            if isinstance(options, GradientBoostingOptions):
                continue
            loop = self.training.with_overrides(options.training)
            if loop.warmup_epochs > loop.epochs:
                own = options.training.warmup_epochs is not None
                raise ValueError(
                    f"{f'models.{variant}.' if own else ''}training.warmup_epochs: {loop.warmup_epochs:g} is more than "
                    f"the {loop.epochs} epochs of '{variant}': the learning rate would never reach its peak"
                )
        return self

    @model_validator(mode="after")
    def _no_event_is_tested_twice(self) -> Config:
        check_k_fold(self.features.split, self.training.k_fold)
        if self.evaluation.unlock and not self.features.split.locked:
            raise ValueError(
                "evaluation.unlock: true, but features.split.locked names no fold; name folds there before training"
            )
        return self

    @model_validator(mode="after")
    def _features_follow_augmentation(self) -> Config:
        for variant in self.training.variants:
            options = self.models[variant]
            if isinstance(options, GradientBoostingOptions):
                continue  # trees are not augmented
            own = options.training.augmentation
            kinds = self.training.augmentation if own is None else own
            where = "training.augmentation" if own is None else f"models.{variant}.training.augmentation"
            check_augmentation(kinds, where, variant, options, self.features)
        return self

    @model_validator(mode="after")
    def _what_is_used_is_read(self) -> Config:
        check_reading(self)
        return self
