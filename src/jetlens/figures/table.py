"""All figures: the one table that rules, targets, captions, the page of results and tests come from.

To add a figure, write a function ``draw(outputs, csv, *, figures, **inputs, **settings)`` in a module of this package
and add a line to :data:`FIGURES`. Importing this module loads no drawing library.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jetlens.config import Config
from jetlens.config.consistency import has_places, placed_streams
from jetlens.config.evaluation import FiguresConfig
from jetlens.config.explanation import methods_of
from jetlens.config.fitted import fitted_samples
from jetlens.config.inference import SCORE, SimulationModel
from jetlens.config.samples import Sample
from jetlens.config.slices import Context
from jetlens.expressions import used
from jetlens.figures import captions
from jetlens.figures.entry import FigureEntry
from jetlens.figures.palette import at_mass, curve_looks, process_looks, variant_looks

NORMALISATION = "features/normalisation.json"
MANY = (
    "skims",
    "events",
    "constituents",
    "roc",
    "metrics",
    "histories",
    "applied",
    "first_method",
    "all_methods",
)
"""Inputs that are lists of files, made by the workflow."""


def draw(
    rule: str,
    outputs: Sequence[Path],
    csv: Path,
    *,
    look: Mapping[str, Any],
    inputs: Mapping[str, Path | Sequence[Path]],
    settings: Mapping[str, Any],
) -> None:
    """Draw one figure of the table: what the script of all its rules does."""
    entry = next(entry for entry in FIGURES if entry.rule == rule)
    entry.function()(
        outputs=outputs, csv=csv, figures=FiguresConfig.model_validate(look), **inputs, **settings
    )


def _quantities(config: Config) -> list[dict[str, str]]:
    return [{"quantity": name} for name in config.figures.kinematics]


def _variants(config: Config) -> list[dict[str, str]]:
    return [{"variant": name} for name in config.training.variants]


def _explained(config: Config) -> list[dict[str, str]]:
    return [{"variant": name} for name in config.explanation.variants]


def _mapped(config: Config) -> list[str]:
    """Return the explained variants of whose constituents there are maps."""
    return [n for n in config.explanation.variants if has_places(config.models[n], config.features.streams)]


def _with_method(*methods: str) -> Callable[[Config], list[dict[str, str]]]:
    def each(config: Config) -> list[dict[str, str]]:
        return [
            {"variant": name}
            for name in _mapped(config)
            if set(methods) & set(methods_of(config.models[name], config.explanation.methods))
        ]

    return each


def _methods(config: Config) -> list[dict[str, str]]:
    return [
        {"variant": name, "method": method}
        for name in _mapped(config)
        for method in methods_of(config.models[name], config.explanation.methods)
        if method != "attention"
    ]


def _framed(config: Config) -> list[dict[str, str]]:
    return [
        *_methods(config),
        *(entry | {"method": "attention"} for entry in _with_method("attention")(config)),
    ]


def _compared(config: Config) -> list[dict[str, str]]:
    return [{"variant": name} for name in _mapped(config)]


def _single_events(config: Config) -> list[dict[str, str]]:
    return _with_method(_answer(config))(config) if config.explanation.display_events else []


def _answer(config: Config) -> str:
    """The first method of the configuration: the one that single events are shown with."""
    return config.explanation.methods[0]


def _grid(context: Context) -> dict[str, Any]:
    explanation = context.config.explanation
    return {"bins": explanation.bins, "half_width": explanation.half_width}


def _shown(context: Context) -> dict[str, Any]:
    explanation = context.config.explanation
    return {"half_width": explanation.half_width, "events": explanation.display_events}


def _with_images(config: Config) -> list[dict[str, str]]:
    return [{}] if placed_streams(config.features.streams) else []


def _luminosity(context: Context) -> dict[str, Any]:
    return {"luminosity_fb": context.config.luminosity_fb}


def _histogram(context: Context) -> dict[str, Any]:
    name = context.wildcards["quantity"]
    histogram = context.config.figures.kinematics[name].model_dump(mode="json")
    definitions = used([histogram["quantity"]], context.config.define)
    return {
        "histogram": histogram,
        "definitions": definitions,
        **_curves(context),
        **_luminosity(context),
    }


def _processes(context: Context) -> dict[str, Any]:
    return {"processes": process_looks(context.config.figures, context.samples)}


def _curves(context: Context) -> dict[str, Any]:
    looks, apart = curve_looks(context.config.figures, context.samples)
    return {"processes": looks, "apart": apart}


def _yields(context: Context) -> dict[str, Any]:
    return {**_processes(context), **_luminosity(context)}


def _variants_drawn(context: Context) -> dict[str, Any]:
    return {"variants": variant_looks(context.config.figures, context.config.training.variants)}


def _variant(context: Context) -> dict[str, Any]:
    name = context.wildcards["variant"]
    return {"label": variant_looks(context.config.figures, [name])[name]["label"]}


def _applications(context: Context) -> dict[str, Any]:
    applied = {name: s.process for name, s in context.samples.items() if s.role == "application"}
    return {"applications": applied, **_curves(context), **_variant(context)}


def _inferred(config: Config) -> list[dict[str, str]]:
    return [{"variant": name} for name in config.inference.variants]


def _once_inferred(config: Config) -> list[dict[str, str]]:
    return [{}] if config.inference.variants else []


def _tagged(config: Config) -> list[dict[str, str]]:
    return _once_inferred(config) if config.inference.tag_weights else []


def _estimated(config: Config) -> list[dict[str, str]]:
    return [] if config.inference.background.model == "simulation" else _inferred(config)


def _signal(context: Context) -> str:
    fitted = fitted_samples(context.config, context.samples).values()
    return next((sample.process for sample in fitted if sample.role == "signal"), "signal")


def _demonstration(context: Context) -> dict[str, Any]:
    return {"demonstration": bool(context.config.inference.scale)}


def _limits(context: Context) -> dict[str, Any]:
    theory = context.config.inference.theory_fb
    own = {"variant": context.wildcards["variant"], "theory": theory, "signal": _signal(context)}
    return {**own, **_luminosity(context), **_fitted(context)}


def _limits_of_all(context: Context) -> dict[str, Any]:
    looks = variant_looks(context.config.figures, context.config.inference.variants)
    return {"variants": looks, "signal": _signal(context), **_luminosity(context), **_demonstration(context)}


def _by_cut(context: Context) -> dict[str, Any]:
    axis = {"against": "signal_efficiency", "axis_label": "Signal efficiency of the cut"}
    return {**axis, **_variants_drawn(context), **_luminosity(context), "where": {"class": "total"}}


def _by_luminosity(context: Context) -> dict[str, Any]:
    looks = variant_looks(context.config.figures, context.config.inference.variants)
    axis = {"against": "luminosity_fb", "axis_label": "Integrated luminosity [fb$^{-1}$]"}
    where = {"mass_GeV": float(context.wildcards["mass"])}
    return {**axis, "variants": looks, "where": where, **_demonstration(context)}


def _observable(context: Context) -> dict[str, str]:
    fit = context.config.inference.fit
    return {"observable": f"{fit.label} [{fit.unit}]" if fit.unit else fit.label}


def _templates_drawn(context: Context) -> dict[str, Any]:
    """Looks of all that templates are of: signals by mass, an estimated process as the first of those it is for."""
    config, looks = context.config, process_looks(context.config.figures, context.samples)
    for sample in fitted_samples(config, context.samples).values():
        if sample.role == "signal" and sample.mass_gev:
            own = looks[sample.process]
            looks[f"signal_{sample.mass_gev:g}"] = {**own, "label": at_mass(own["label"], sample.mass_gev)}
    model = config.inference.background
    if not isinstance(model, SimulationModel) and model.processes[0] in looks:
        looks[model.name] = {**looks[model.processes[0]], "label": f"{model.name} ({model.model})"}
    return {"processes": looks, **_observable(context)}


def _postfit(context: Context) -> dict[str, Any]:
    return {**_templates_drawn(context), **_luminosity(context), **_fitted(context)}


def _fitted(context: Context) -> dict[str, Any]:
    """Of a variant, from its templates: scaled or not."""
    return {**_variant(context), **_demonstration(context)}


def _variations(context: Context) -> dict[str, Any]:
    return {"processes": _templates_drawn(context)["processes"], **_fitted(context)}


def _sculpting(context: Context) -> dict[str, Any]:
    drawn, inference = _templates_drawn(context), context.config.inference
    if inference.fit.observable == SCORE:  # what the score may shape is the first observable then
        drawn["observable"] = next(iter(inference.observables))
    return {"variant": context.wildcards["variant"], **drawn, **_variant(context)}


ROC = {"roc": "roc", "metrics": "metrics"}
ATTENTION = {"maps": "explanation/{variant}/attention.npz"}

FIGURES: tuple[FigureEntry, ...] = (
    FigureEntry(
        "kinematics/{quantity}", "kinematics.draw_kinematics",
        {"skims": "skims", "events": "events", "normalisation": NORMALISATION},
        "Selection", "{quantity}", captions.KINEMATICS, _quantities, _histogram, memory_mb=2000,
    ),
    FigureEntry(
        "cutflow", "cutflow.draw_cutflow", {"cutflow": "skim/cutflow.csv"},
        "Selection", "cutflow", captions.CUTFLOW, settings=_yields,
    ),
    FigureEntry(
        "jet_images", "images.draw_jet_images",
        {"events": "events", "streams": "constituents", "normalisation": NORMALISATION},
        "Selection", "jet images", captions.JET_IMAGES, _with_images, memory_mb=2000,
    ),
    FigureEntry(
        "training/{variant}", "training.draw_training", {"histories": "histories"},
        "Classifiers", "training of {variant}", captions.TRAINING, _variants, _variant,
    ),
    FigureEntry(
        "roc", "roc.draw_roc", ROC, "Classifiers", "ROC of all variants", captions.ROC, settings=_variants_drawn,
    ),
    FigureEntry(
        "rejection", "roc.draw_rejection", ROC,
        "Classifiers", "background rejection", captions.REJECTION, settings=_variants_drawn,
    ),
    FigureEntry(
        "scores/{variant}", "scores.draw_scores",
        {"scores": "evaluation/{variant}/scores.npz", "applied": "applied"},
        "Classifiers", "output of {variant}", captions.SCORES, _variants, _applications,
    ),
    FigureEntry(
        "relevance/{variant}/{method}", "relevance.draw_relevance",
        {"maps": "explanation/{variant}/{method}.npz"},
        "Explanation", "{method} of {variant}", captions.RELEVANCE, _methods, _grid,
    ),
    FigureEntry(
        "subjets/{variant}/{method}", "subjets.draw_subjet_map",
        {"maps": "explanation/{variant}/{method}.npz"},
        "Explanation", "{method} of {variant}, subjets aligned", captions.SUBJETS, _framed,
    ),
    FigureEntry(
        "attention/{variant}", "attention.draw_attention", ATTENTION,
        "Explanation", "attention of {variant}", captions.ATTENTION, _with_method("attention"), _grid,
    ),
    FigureEntry(
        "attention_matrices/{variant}", "matrices.draw_attention_matrices", ATTENTION,
        "Explanation", "attention by head, {variant}", captions.ATTENTION_MATRICES, _with_method("attention"),
    ),
    FigureEntry(
        "faithfulness/{variant}", "faithfulness.draw_faithfulness",
        {"faithfulness": "explanation/{variant}/faithfulness.json"},
        "Explanation", "tests of explanations, {variant}", captions.FAITHFULNESS, _explained,
    ),
    FigureEntry(
        "methods/{variant}", "methods.draw_methods",
        {"maps": "all_methods", "faithfulness": "explanation/{variant}/faithfulness.json"},
        "Explanation", "all methods, {variant}", captions.METHODS, _compared,
    ),
    FigureEntry(
        "single_events/{variant}", "events.draw_single_events", {"maps": "first_method"},
        "Explanation", "single events, {variant}", captions.SINGLE_EVENTS, _single_events, _shown,
    ),
    FigureEntry(
        "significance", "limits.draw_significance", {"significance": "inference/significance.csv"},
        "Inference", "significance by cut", captions.SIGNIFICANCE, settings=_by_cut,
    ),
    FigureEntry(
        "limits/{variant}", "limits.draw_limits", {"limits": "inference/limits.csv"},
        "Inference", "limits, {variant}", captions.LIMITS, _inferred, _limits,
    ),
    FigureEntry(
        "limits_of_all", "limits.draw_limits_by_variant", {"limits": "inference/limits.csv"},
        "Inference", "limits of all variants", captions.LIMITS_OF_ALL, _once_inferred, _limits_of_all,
    ),
    FigureEntry(
        "luminosity/{mass}", "limits.draw_significance", {"significance": "inference/luminosity.csv"},
        "Inference", "significance by luminosity, {mass} GeV", captions.LUMINOSITY, _once_inferred, _by_luminosity,
        by_mass=True,
    ),
    FigureEntry(
        "postfit/{variant}/{mass}", "fits.draw_postfit", {"yields": "inference/{variant}/{mass}/postfit.csv"},
        "Inference", "fit of {variant}, {mass} GeV", captions.POSTFIT, _inferred, _postfit, by_mass=True,
    ),
    FigureEntry(
        "pulls/{variant}/{mass}", "fits.draw_pulls", {"pulls": "inference/{variant}/{mass}/pulls.csv"},
        "Inference", "pulls and impacts of {variant}, {mass} GeV", captions.PULLS, _inferred, _fitted,
        by_mass=True,
    ),
    FigureEntry(
        "sculpting/{variant}", "modelling.draw_sculpting", {"sculpting": "inference/sculpting.csv"},
        "Inference", "sculpting by {variant}", captions.SCULPTING, _inferred, _sculpting,
    ),
    FigureEntry(
        "closure/{variant}", "modelling.draw_closure", {"closure": "inference/{variant}/closure.csv"},
        "Inference", "closure of the background, {variant}", captions.CLOSURE, _estimated, _fitted,
    ),
    FigureEntry(
        "tag_closure", "modelling.draw_closure", {"closure": "inference/tag_closure.csv"},
        "Inference", "closure of tag weights", captions.TAG_CLOSURE, _tagged, lambda context: {"label": "tag weights"},
    ),
    FigureEntry(
        "variations/{variant}", "modelling.draw_variations", {"variations": "inference/{variant}/variations.csv"},
        "Inference", "systematic variations, {variant}", captions.VARIATIONS, _inferred, _variations,
    ),
)  # fmt: skip


def targets(config: Config, samples: Mapping[str, Sample]) -> list[str]:
    """Return every figure of an analysis, as its path under ``figures/`` without suffix."""
    return [name for entry in FIGURES for name in entry.targets(config, samples)]
