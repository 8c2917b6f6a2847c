"""Which samples a fit is made of, which of them each systematic variation acts on, and what the fit knows of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from jetlens.config import Config
from jetlens.config.inference import SimulationModel
from jetlens.config.models import stream_names
from jetlens.config.samples import Sample
from jetlens.config.variations import ObjectVariation, RateVariation, SampleVariation, WeightVariation

SIGNAL = "signal"
"""Among the processes of a systematic: the signal of every mass."""


def trained_samples(config: Config, samples: Mapping[str, Sample]) -> dict[str, Sample]:
    """Return the samples that are trained on and evaluated: all with a class that stand for no other in a variation."""
    others = alternatives(config)
    return {name: s for name, s in samples.items() if s.role != "application" and name not in others}


def normalised_samples(config: Config, samples: Mapping[str, Sample]) -> dict[str, Sample]:
    """Return the samples whose events count in yields: the trained ones, and those that a fit puts in their place."""
    others = alternatives(config) if config.inference.variants else []
    return trained_samples(config, samples) | {name: samples[name] for name in others if name in samples}


def fitted_samples(config: Config, samples: Mapping[str, Sample]) -> dict[str, Sample]:
    """Return the samples that templates are made from: of those that are trained on the named ones, or all."""
    trained = trained_samples(config, samples)
    return {name: trained[name] for name in config.inference.samples or trained if name in trained}


def scored_samples(config: Config, samples: Mapping[str, Sample]) -> dict[str, Sample]:
    """Return the samples whose events are scored: the fitted ones, and those that stand for them in variations."""
    others = {name: samples[name] for name in alternatives(config) if name in samples}
    return fitted_samples(config, samples) | others


def alternatives(config: Config) -> list[str]:
    """Return the samples that stand for others in a variation."""
    found = [v.instead.values() for v in config.variations.values() if isinstance(v, SampleVariation)]
    return list(dict.fromkeys(name for names in found for name in names))


def hypotheses(config: Config, samples: Mapping[str, Sample]) -> list[str]:
    """Return the masses [GeV] of the fitted signals, as text, lightest first."""
    fitted = fitted_samples(config, samples).values()
    return [f"{mass:g}" for mass in sorted({s.mass_gev for s in fitted if s.role == "signal" and s.mass_gev})]


def object_variations(config: Config) -> dict[str, ObjectVariation]:
    """Return the variations of objects, if limits are set at all."""
    asked = config.variations.items() if config.inference.variants else ()
    return {name: v for name, v in asked if isinstance(v, ObjectVariation)}


def weight_variations(config: Config) -> dict[str, WeightVariation]:
    """Return the variations of weights, if limits are set at all."""
    asked = config.variations.items() if config.inference.variants else ()
    return {name: v for name, v in asked if isinstance(v, WeightVariation)}


def varied_samples(config: Config, samples: Mapping[str, Sample], name: str) -> dict[str, Sample]:
    """Return the fitted samples that a variation acts on."""
    variation, fitted = config.variations[name], fitted_samples(config, samples)
    if isinstance(variation, SampleVariation):
        return {n: s for n, s in fitted.items() if n in variation.instead}
    return {n: s for n, s in fitted.items() if not variation.processes or s.process in variation.processes}


def standing_for(config: Config, samples: Mapping[str, Sample]) -> list[dict[str, Any]]:
    """Return the samples that stand for others: ``variation``, ``sample``, ``other`` and ``rate``.

    ``rate`` is what the other's expected events are multiplied by, so that both have one cross section; acceptances
    still differ.
    """
    found = []
    for name, variation in config.variations.items():
        if not isinstance(variation, SampleVariation):
            continue
        for sample in varied_samples(config, samples, name):
            other = variation.instead[sample]
            sigmas = [samples[each].cross_section_pb if each in samples else None for each in (sample, other)]
            rate = 1.0 if variation.rate or None in sigmas else (sigmas[0] or 0.0) / (sigmas[1] or 1.0)
            found.append({"variation": name, "sample": sample, "other": other, "rate": rate})
    return found


def fitted_streams(config: Config) -> list[str]:
    """Return the streams that the fitted classifiers read."""
    names = [stream_names(config.models[variant]) for variant in config.inference.variants]
    return list(dict.fromkeys(name for of in names for name in of))


def systematics(config: Config, samples: Mapping[str, Sample]) -> list[dict[str, Any]]:
    """Return what the fit knows of each systematic: see :class:`jetlens.inference.systematics.Systematic`.

    The rate of each background is uncertain by ``evaluation.background_uncertainty``, by itself.
    """
    fitted = fitted_samples(config, samples).values()
    uncertainty = config.evaluation.background_uncertainty
    backgrounds = dict.fromkeys(sample.process for sample in fitted if sample.role == "background")
    found: list[dict[str, Any]] = [
        {"name": f"rate {process}", "processes": [process], "kind": "normalisation", "size": uncertainty}
        for process in (backgrounds if uncertainty else ())
    ]
    for name, variation in config.variations.items():
        own: dict[str, Any] = {
            "name": name,
            "processes": _processes(varied_samples(config, samples, name).values()),
        }
        if isinstance(variation, RateVariation):
            own |= {"kind": "normalisation", "size": variation.size, "size_down": variation.size_down}
        elif not isinstance(model := config.inference.background, SimulationModel):
            # what is estimated from events moves with them
            own["processes"] += [model.name] if set(model.processes) & set(own["processes"]) else []
        found.append(own)
    return found


def groups(config: Config, samples: Mapping[str, Sample]) -> dict[str, str]:
    """Return the group of each systematic, by its name: what limits are broken down by."""
    defaults = {
        name: "rates" if isinstance(variation, RateVariation) else "variations"
        for name, variation in config.variations.items()
    }
    given = {name: variation.group for name, variation in config.variations.items() if variation.group}
    named = defaults | given
    return {str(each["name"]): named.get(each["name"], "rates") for each in systematics(config, samples)}


def _processes(samples: Iterable[Sample]) -> list[str]:
    return list(dict.fromkeys(SIGNAL if s.role == SIGNAL else s.process for s in samples))
