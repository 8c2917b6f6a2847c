"""Explanation of one variant: attention, Grad-CAM, and the tests that say how far to trust them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jetlens.config.evaluation import ExplanationConfig
from jetlens.errors import ConfigError
from jetlens.evaluation.testset import TestSet, read_test_set
from jetlens.explanation.attention import View, attend, choose_view
from jetlens.explanation.faithfulness import (
    randomise_weights,
    rank_correlation,
    removal_curves,
    summarise_curves,
)
from jetlens.explanation.gradcam import MAPS, gradcam_layers, gradcam_values
from jetlens.explanation.mapfile import Arrays, assemble, single_events, write_maps
from jetlens.explanation.maps import column, locate, normalise
from jetlens.features.featurefile import FeatureSet
from jetlens.features.normalisation import Normalisation
from jetlens.files import write_json

Floats = NDArray[np.float64]


def explain(
    models: Sequence[Path],
    features: Sequence[Path],
    output: Path,
    *,
    variant: str,
    normalisation: Normalisation,
    explanation: ExplanationConfig,
) -> None:
    """Explain a variant on test events; write ``attention.npz``, ``gradcam.npz`` and ``faithfulness.json``.

    Class averages weigh events by their σ·L weight: the background's map is that of the background as it would be
    recorded, of which rare processes are a small part.

    Args:
        models: folders ``training/<variant>/seed<k>``, one per seed.
        features: folders of the feature files, all parts of all samples.
        output: folder ``explanation/<variant>``.
        variant: name of the variant.
        normalisation: process of each sample, and expected events per generator weight.
        explanation: number of events, grid, steps.

    Raises:
        ConfigError: if the variant has no attention to, or tokens of, constituents with a place in a jet.
        FileError: if a model or a feature file cannot be used.
        NoEventsError: if no event is in the test folds.
    """
    from jetlens.models import probe
    from jetlens.trained import load_model  # brings a whole back end with it

    trained = [load_model(folder) for folder in models]
    test = read_test_set(features, normalisation, explanation.events, trained[0].streams)
    networks = [_network(entry, variant) for entry in trained]
    layers = {
        name: probe.attention_streams(networks[0], name) for name in probe.attention_layers(networks[0])
    }
    view = choose_view(layers, test.features, variant)
    targets = gradcam_layers(networks[0], test.features, variant)

    attended = [attend(network, test.features, view, matrices=n == 0) for n, network in enumerate(networks)]
    attention, matrices = np.stack([values for values, _ in attended]), attended[0][1]
    cams = [gradcam_values(network, test.features, targets) for network in networks]
    gradcams, logits = np.stack([values for values, _ in cams]), np.mean([z for _, z in cams], axis=0)

    context = _Context(test, explanation, logits, [int(entry.manifest["seed"]) for entry in trained])
    attention_file = context.maps(view.queries, attention, view.streams) | matrices
    gradcam_file = context.maps(MAPS, gradcams, list(targets))
    faithfulness = _test_maps(models, trained, test, attention, gradcams, view, targets, explanation)

    write_maps(output / "attention.npz", attention_file | {"view_layers": np.array(view.layers)})
    write_maps(output / "gradcam.npz", gradcam_file | {"view_layers": np.array(list(targets.values()))})
    write_json(output / "faithfulness.json", {"variant": variant, "seeds": context.seeds, **faithfulness})


def _network(trained: Any, variant: str) -> Any:
    """Return the Keras network of a trained model.

    Raises:
        ConfigError: if it is none.
    """
    if not hasattr(trained, "model"):
        raise ConfigError(
            f"explanation.variants: '{variant}' is no neural network, so it has neither attention nor Grad-CAM; "
            f"name a network"
        )
    return trained.model


class _Context:
    """What attention and Grad-CAM maps share."""

    def __init__(
        self, test: TestSet, explanation: ExplanationConfig, logits: Floats, seeds: list[int]
    ) -> None:
        self.test, self.explanation, self.logits, self.seeds = test, explanation, logits, seeds

    def maps(self, names: Sequence[str], values: Floats, streams: list[str]) -> Arrays:
        """Average (S, M, N, T) values and keep some single events."""
        features, settings = self.test.features, self.explanation
        tokens = locate(features, streams)
        edges = np.linspace(-settings.half_width, settings.half_width, settings.bins + 1)
        averages = assemble(names, values, tokens, features.label, features.weight, edges)
        mean = normalise(normalise(values, tokens.mask).mean(axis=0), tokens.mask)
        log_pt = np.concatenate([column(features, name, "log_pt") for name in streams], axis=1)
        single = single_events(
            mean, tokens, log_pt, features.label, features.event_number, self.logits, settings.single_events
        )
        alignment = np.array([features.metadata.streams[name].alignment for name in streams])
        return averages | single | {"seeds": np.array(self.seeds), "alignment": alignment}


def _test_maps(
    models: Sequence[Path],
    trained: Sequence[Any],
    test: TestSet,
    attention: Floats,
    gradcams: Floats,
    view: View,
    targets: dict[str, str],
    explanation: ExplanationConfig,
) -> dict[str, Any]:
    """Deletion and insertion on signal events, and agreement of maps between seeds and with random weights."""
    from jetlens.trained import load_model

    streams = list(targets)
    chosen = np.flatnonzero(test.features.label == 1)[: explanation.faithfulness_events]
    events = test.features.select(chosen)
    mask = np.concatenate([events.masks[name] for name in streams], axis=1)
    log_pt = np.concatenate([column(events, name, "log_pt") for name in streams], axis=1)
    same = view.streams == streams
    per_seed = []
    for seed, network in enumerate(trained):
        orders = {"gradcam": gradcams[seed, 0, chosen], "pt": np.where(mask, log_pt, -np.inf)}
        if same:
            orders["attention"] = attention[seed][:, chosen].mean(axis=0)
        shares, curves = removal_curves(
            network.predict_logits, events, streams, orders, explanation.steps, explanation.seed
        )
        per_seed.append(curves)

    random = _network(load_model(models[0]), "")
    randomise_weights(random, explanation.seed)
    randomised = {
        "gradcam": gradcam_values(random, events, targets)[0][0],
        "attention": attend(random, events, view)[0].mean(axis=0),
    }
    maps = {"gradcam": gradcams[:, 0, chosen], "attention": attention[:, :, chosen].mean(axis=1)}
    masks = {"gradcam": mask, "attention": _mask(events, view.streams)}
    return {
        "events": len(chosen),
        "curves": summarise_curves(shares, per_seed),
        "rank_correlation": {
            name: {
                "between_seeds": _between_seeds(maps[name], masks[name]),
                "with_randomised_weights": _rounded(
                    rank_correlation(maps[name][0], randomised[name], masks[name])
                ),
                "with_pt": _rounded(
                    rank_correlation(maps[name][0], _log_pt(events, view, targets, name), masks[name])
                ),
            }
            for name in maps
        },
    }


def _mask(events: FeatureSet, streams: Sequence[str]) -> NDArray[np.bool_]:
    return np.concatenate([events.masks[name] for name in streams], axis=1)


def _log_pt(events: FeatureSet, view: View, targets: dict[str, str], name: str) -> Floats:
    streams = list(targets) if name == "gradcam" else view.streams
    return np.concatenate([column(events, stream, "log_pt") for stream in streams], axis=1)


def _between_seeds(maps: Floats, mask: NDArray[np.bool_]) -> list[float] | None:
    pairs = [rank_correlation(a, b, mask) for a, b in itertools.combinations(maps, 2)]
    found = [pair for pair in pairs if pair is not None]
    if not found:
        return None
    return _rounded((float(np.mean([p[0] for p in found])), float(np.mean([p[1] for p in found]))))


def _rounded(pair: tuple[float, float] | None) -> list[float] | None:
    return None if pair is None else [round(x, 4) for x in pair]
