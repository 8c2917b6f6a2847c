"""What each rule of the workflow is handed of the configuration and of the sample table: exactly what its result takes.

A job runs again when its slice changes, its stage's number, or its input files; see ``docs/reruns.md``. Memory,
threads, names and the like are in no slice. What figures are handed stands in :mod:`jetlens.figures.table`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from jetlens.config import Config
from jetlens.config.fitted import (
    fitted_samples,
    fitted_streams,
    groups,
    hypotheses,
    normalised_samples,
    standing_for,
    systematics,
    trained_samples,
    varied_samples,
    weight_variations,
)
from jetlens.config.models import stream_names
from jetlens.config.samples import Sample, class_of
from jetlens.config.variations import ObjectVariation
from jetlens.expressions import used
from jetlens.expressions.feature import MASS_FEATURE

STAGE = {
    "skim": 4,
    "features": 2,
    "training": 3,
    "evaluation": 4,
    "application": 3,
    "explanation": 13,
    "inference": 13,
    "figures": 10,
}
"""A stage's number. Raise it when a change of library or scripts changes the stage's results: its jobs, and what
follows from them, then run again everywhere. No other edit of code reruns anything."""


@dataclass(frozen=True)
class Context:
    """What a rule may depend on besides its input files."""

    config: Config
    samples: Mapping[str, Sample]
    wildcards: Mapping[str, str] = field(default_factory=dict)

    @property
    def sample(self) -> Sample:
        """The sample that the job is about."""
        return self.samples[self.wildcards["sample"]]

    @property
    def options(self) -> Any:
        """The options of the variant that the job is about."""
        return self.config.models[self.wildcards["variant"]]

    @property
    def trained(self) -> dict[str, Sample]:
        """The samples that are trained on and evaluated."""
        return trained_samples(self.config, self.samples)


Slice = Callable[[Context], dict[str, Any]]


def _rows(samples: Mapping[str, Sample], *columns: str) -> list[dict[str, Any]]:
    """Return columns of the sample table."""
    return [{name: getattr(sample, name) for name in ("name", *columns)} for sample in samples.values()]


def _plain(section: Any, *without: str) -> dict[str, Any]:
    return dict(section.model_dump(mode="json", exclude=set(without)))


def _selection(context: Context) -> dict[str, Any]:
    return {
        "reading": _plain(context.config.reading.in_place(), "memory_gb"),
        "skim": _plain(context.config.skim.unnamed()),
        "define": used(context.config.skim.texts, context.config.define),
    }


def _skim(context: Context) -> dict[str, Any]:
    sample, selection = context.sample, _selection(context)
    selection["define"] |= used([sample.where], context.config.define)
    return {"source": sample.files[context.wildcards["part"]], "where": sample.where, **selection}


def _vary(context: Context) -> dict[str, Any]:
    """A variation of objects, and all that the skim of its sample takes."""
    config, name = context.config, context.wildcards["variation"]
    variation = config.variations[name]
    assert isinstance(variation, ObjectVariation)
    moves = {side: [list(move) for move in of] for side, of in variation.moves().items()}
    texts = [text for of in moves.values() for *_, text in of]
    content = _skim(context)
    content["define"] = content["define"] | used(texts, config.define)
    return {**content, "variation": name, "moves": moves, "balance": variation.balance}


def _cutflow(context: Context) -> dict[str, Any]:
    return {
        "cuts": [cut.name for cut in context.config.skim.cuts],
        "samples": _rows(context.trained, "process", "cross_section_pb", "events"),
        "luminosity_fb": context.config.luminosity_fb,
    }


def _event_features(context: Context) -> dict[str, Any]:
    config, sample = context.config, context.sample
    masses = [s.mass_gev for s in context.trained.values() if s.role == "signal" and s.mass_gev]
    recipe = config.features.event_recipe(config.define, masses)
    if not recipe.hypotheses:
        return {"recipe": _plain(recipe, "hypotheses"), "label": class_of(sample)}
    mass = sample.mass_gev if sample.role == "signal" else None
    return {"recipe": _plain(recipe), "label": class_of(sample), "mass": mass}


def _stream_features(context: Context) -> dict[str, Any]:
    config = context.config
    return {"recipe": _plain(config.features.stream_recipe(context.wildcards["stream"], config.define))}


def _varied_features(context: Context) -> dict[str, Any]:
    """The event file, and all streams that a fitted classifier reads."""
    config = context.config
    streams = {name: config.features.stream_recipe(name, config.define) for name in fitted_streams(config)}
    return {**_event_features(context), "streams": {name: _plain(recipe) for name, recipe in streams.items()}}


def _classes(context: Context) -> dict[str, Any]:
    """Masses are in here as soon as a training reads them."""
    return {"samples": _rows(context.trained, "role")}


def _normalisation(context: Context) -> dict[str, Any]:
    return {
        "samples": _rows(
            normalised_samples(context.config, context.samples), "process", "cross_section_pb", "events"
        ),
        "luminosity_fb": context.config.luminosity_fb,
    }


def _recipe(context: Context) -> dict[str, Any]:
    """How the features of a variant's own streams are made: what scoring new files takes."""
    config = context.config
    features = config.features.of(stream_names(context.options))
    definitions = used([*config.skim.texts, *features.texts], config.define)
    return {**_selection(context), "define": definitions, "features": _plain(features)}


def _train_network(context: Context) -> dict[str, Any]:
    """The training section as the variant has it; neither lists of jobs nor memory."""
    training = context.config.training.with_overrides(context.options.training)
    return {
        "options": _plain(context.options),
        "training": _plain(training, "variants", "seeds", "k_fold", "memory_gb"),
        "recipe": _recipe(context),
    }


def _train_companion(context: Context) -> dict[str, Any]:
    """As the network itself; what judges masked constituents has epochs of its own, all of which it runs."""
    content, epochs = _train_network(context), context.config.explanation.companion_epochs
    if context.wildcards["companion"] == "permuted":
        return content
    own = {"epochs": epochs, "patience": max(epochs, 1)}
    return {
        **content,
        "options": {**content["options"], "training": {}},
        "training": {**content["training"], **own},
    }


def _train_boosting(context: Context) -> dict[str, Any]:
    """Trees have neither epochs nor a back end."""
    return {
        "options": _plain(context.options),
        "training": {"weights": context.config.training.weights},
        "recipe": _recipe(context),
    }


def _evaluation(context: Context) -> dict[str, Any]:
    return {"evaluation": _plain(context.config.evaluation, "background_uncertainty", "unlock")}


def _application_summary(context: Context) -> dict[str, Any]:
    applied = {name: s for name, s in context.samples.items() if s.role == "application"}
    return {
        "samples": _rows(applied, "process", "cross_section_pb", "events"),
        "luminosity_fb": context.config.luminosity_fb,
    }


def _observables(context: Context) -> dict[str, Any]:
    observables = context.config.inference.observables
    return {"observables": observables, "define": used(observables.values(), context.config.define)}


def _score_events(context: Context) -> dict[str, Any]:
    config = context.config
    content = {**_observables(context), "unlock": config.evaluation.unlock}
    return {**content, **_of_hypothesis(context, "masses", _masses(context))}


def _score_data(context: Context) -> dict[str, Any]:
    content = {**_observables(context), "sources": list(context.sample.files.values())}
    return {**content, **_of_hypothesis(context, "masses", _masses(context))}


def _apply(context: Context) -> dict[str, Any]:
    source = context.sample.files[context.wildcards["part"]]
    return {"source": source, **_of_hypothesis(context, "mass", context.sample.mass_gev)}


def _of_hypothesis(context: Context, key: str, value: object) -> dict[str, Any]:
    """What only networks that read the mass hypothesis take."""
    return {key: value} if MASS_FEATURE in context.config.features.event else {}


def _masses(context: Context) -> list[float]:
    return [float(mass) for mass in hypotheses(context.config, context.samples)]


def _significance(context: Context) -> dict[str, Any]:
    signals = (sample for sample in context.trained.values() if sample.role == "signal")
    return {
        "background_uncertainty": context.config.evaluation.background_uncertainty,
        "masses": sorted({sample.mass_gev for sample in signals if sample.mass_gev}),
    }


def _weigh(context: Context) -> dict[str, Any]:
    config = context.config
    factors = weight_variations(config)[context.wildcards["variation"]].factors()
    return {"factors": factors, "define": used(factors.values(), config.define)}


def _tags(context: Context) -> dict[str, Any]:
    """How patterns of tags are drawn."""
    return {"tags": _tag_weights(context)}


def _tag_efficiency(context: Context) -> dict[str, Any]:
    """What efficiencies are measured of; not how many patterns are drawn from them."""
    return {"tags": _tag_weights(context, "patterns", "seed")}


def _tag_weights(context: Context, *without: str) -> dict[str, Any]:
    tags = context.config.inference.tag_weights
    return {} if tags is None else _plain(tags, *without)


def _simulation(context: Context) -> dict[str, Any]:
    """What templates, and what is shown of the events behind them, are made of."""
    config = context.config
    fitted = fitted_samples(config, context.samples).values()
    columns = ("name", "process", "role", "mass_gev")
    content = _plain(config.inference, *_OF_LIMITS, *_OF_TEMPLATES)
    content["fit"] = _plain(config.inference.fit, "label")
    return {
        "inference": content,
        "samples": [{column: getattr(sample, column) for column in columns} for sample in fitted],
        "validation": config.features.split.validation,
    }


_OF_LIMITS = (
    "variants",
    "cross_sections_fb",
    "theory_fb",
    "luminosities_fb",
    "level",
    "toys",
    "seed",
    "reaction",
    "tag_weights",
)
"""Keys of the section that no template depends on, but for the events that it is filled from."""
_OF_TEMPLATES = ("data", "unblind", "replicas", "pruning")
"""Keys of the section that templates and their models depend on, and nothing that is shown of the events themselves."""


def _templates(context: Context) -> dict[str, Any]:
    config, samples = context.config, context.samples
    simulation = _simulation(context)
    simulation["inference"] |= _plain_of(config.inference, *_OF_TEMPLATES)
    return {
        **simulation,
        "background_uncertainty": config.evaluation.background_uncertainty,
        "systematics": systematics(config, samples),
        "weights": {name: list(varied_samples(config, samples, name)) for name in weight_variations(config)},
        "others": standing_for(config, samples),
    }


def _limit(context: Context) -> dict[str, Any]:
    config, mass = context.config, context.wildcards["mass"]
    fitted = fitted_samples(config, context.samples).values()
    signals = [sample for sample in fitted if sample.role == "signal"]
    own = [s.cross_section_pb or 0.0 for s in signals if s.mass_gev and f"{s.mass_gev:g}" == mass]
    return {
        "cross_section_fb": config.inference.cross_sections_fb.get(mass, 1000.0 * sum(own)),
        "theory_fb": config.inference.theory_fb.get(mass),
        "luminosity_fb": config.luminosity_fb,
        "groups": groups(config, context.samples),
        **_plain_of(config.inference, "luminosities_fb", "level", "toys", "seed", "unblind"),
    }


def _plain_of(section: Any, *keys: str) -> dict[str, Any]:
    return dict(section.model_dump(mode="json", include=set(keys)))


def _limits(context: Context) -> dict[str, Any]:
    config = context.config
    return {
        "energy_tev": config.figures.energy_tev,
        "luminosity_fb": config.luminosity_fb,
        "reaction": config.inference.reaction,
        "demonstration": bool(config.inference.scale),
    }


_NOT_EXPLAINED = ("variants", "bins", "half_width", "companion_epochs", "permuted_labels")
"""Keys of the section that no explanation depends on; of companions it reads the files."""

SLICES: dict[str, tuple[str, Slice]] = {
    "skim": ("skim", _skim),
    "vary": ("skim", _vary),
    "sample_cutflow": ("skim", lambda context: {}),
    "cutflow": ("skim", _cutflow),
    "event_features": ("features", _event_features),
    "stream_features": ("features", _stream_features),
    "varied_features": ("features", _varied_features),
    "classes": ("features", _classes),
    "normalisation": ("features", _normalisation),
    "train_network": ("training", _train_network),
    "train_boosting": ("training", _train_boosting),
    "train_companion": ("training", _train_companion),
    "evaluate": ("evaluation", _evaluation),
    "summary": ("evaluation", _evaluation),
    "locked": ("evaluation", _evaluation),
    "locked_table": ("evaluation", lambda context: {}),
    "significance": ("inference", _significance),
    "score_events": ("inference", _score_events),
    "score_varied": ("inference", _score_events),
    "score_data": ("inference", _score_data),
    "weigh": ("inference", _weigh),
    "tag_efficiency": ("inference", _tag_efficiency),
    "tag_patterns": ("inference", _tags),
    "tag_closure": ("inference", _tags),
    "templates": ("inference", _templates),
    "limit": ("inference", _limit),
    "limits": ("inference", _limits),
    "sculpting": ("inference", _simulation),
    "apply": ("application", _apply),
    "application_summary": ("application", _application_summary),
    "explain": (
        "explanation",
        lambda context: {"explanation": _plain(context.config.explanation, *_NOT_EXPLAINED)},
    ),
    "event_display": (
        "explanation",
        lambda context: {"events": context.config.explanation.display_events},
    ),
}
"""Rule → its stage, and what it is handed."""


def settings_of(rule: str, context: Context) -> dict[str, Any]:
    """Return what a rule is handed, the number of its stage included."""
    stage, of = SLICES[rule]
    return {"stage": STAGE[stage], **of(context)}
