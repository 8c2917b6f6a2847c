"""``features/normalisation.json``: how many expected events a generator weight of one stands for, sample by sample.

Here, and nowhere else, weights are normalised: an event of generator weight w counts w·σ·L/Σw expected events, Σw
running over all generated events of all parts of its sample. Feature files hold w alone, so that a new cross section
or luminosity changes this file and what reads it, and no training with unit weights.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from jetlens.config.samples import Sample
from jetlens.errors import FileError
from jetlens.features.classes import OfSamples
from jetlens.features.featurefile import FeatureSet


class SampleNormalisation(BaseModel):
    """Process of a sample, and σ·L/Σw: expected events per unit of generator weight."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    process: str
    scale: float


class Normalisation(OfSamples):
    """Content of the file."""

    holds: ClassVar[str] = "the normalisation"

    luminosity_fb: float
    samples: dict[str, SampleNormalisation]

    @classmethod
    def of(cls, cutflows: Sequence[Path], samples: Sequence[Sample], luminosity_fb: float) -> Normalisation:
        """Make it from the cutflows and the sample table.

        Args:
            cutflows: of all parts of all samples, or one merged cutflow per sample.
            samples: their lines in the table.
            luminosity_fb: integrated luminosity [1/fb].

        Raises:
            FileError: if a sample has no cutflow.
            NoEventsError: if a sample has no generated events.
        """
        from jetlens.skim.cutflow import generated_weight, read_cutflow

        flows = [read_cutflow(path) for path in cutflows]
        entries = {}
        for sample in samples:
            own = [flow for flow in flows if flow["sample"] == sample.name]
            if not own:
                raise FileError(f"sample '{sample.name}': has no cutflow; run the skim stage for it")
            scale = sample.produced(luminosity_fb) / generated_weight(own, sample)
            entries[sample.name] = SampleNormalisation(process=sample.process, scale=scale)
        return cls(luminosity_fb=luminosity_fb, samples=entries)

    def of_sample(self, name: str) -> SampleNormalisation:
        """Return a sample's entry.

        Raises:
            FileError: if there is none.
        """
        if name not in self.samples:
            raise FileError(
                f"sample '{name}': has no normalisation, found: {', '.join(self.samples)}; run the features stage"
            )
        return self.samples[name]

    def apply(self, features: FeatureSet) -> FeatureSet:
        """Return the features of one part with generator weights turned into expected events."""
        scale = self.of_sample(features.metadata.sample).scale
        return dataclasses.replace(features, weight=features.weight * scale)
