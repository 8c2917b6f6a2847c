"""Do explanations depend on what was learnt, and do they mark what a network trained anew cannot do without?

    python benchmarks/explanation_controls.py --results <results of benchmarks/explanations.py>

1. *Label randomisation* (Adebayo et al., arXiv:1810.03292): networks trained on permuted labels must get other
   explanations than those trained on true ones: rank correlation on the same test events, beside that of two trainings
   on true labels, with its spread over trainings: one that has learnt nothing is like the true one, or its opposite,
   by chance.
2. *ROAR* (Hooker et al., arXiv:1806.10758): of every event, training events too, the constituents with the largest
   |value| are removed and the network is trained anew. The better the explanation, the lower its AUC on test events.
   Each of several trainings explains, and is trained anew with its own seed. Differences are of mean AUCs, paired over
   test events with errors by bootstrap; behind the comma stands their standard deviation over trainings.

One variant of constituents alone, so that no kinematic token makes up for what is removed.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from jetlens.config.explanation import ExplanationConfig, methods_of
from jetlens.config.training import TrainingConfig
from jetlens.explanation.curves import order_of
from jetlens.explanation.randomised import random_labels
from jetlens.explanation.registry import METHODS
from jetlens.explanation.relevance import layout
from jetlens.explanation.yardsticks import known_log_pt, removable_slots, size_of_d0
from jetlens.features.featurefile import FeatureSet
from jetlens.trained import load_model
from jetlens.trained.model import TrainedModel
from jetlens.training import train

Floats = NDArray[np.float64]
REPLICAS = 400


def again(
    results: Path,
    variant: str,
    sets: Sequence[FeatureSet],
    folder: Path,
    seed: int = 1,
    permuted: bool = False,
) -> TrainedModel:
    """Train a variant anew, on changed features or on permuted labels."""
    first = load_model(results / "training" / variant / "seed1")
    parts = []
    for number, features in enumerate(sets):
        parts.append(folder / "features" / features.metadata.sample / f"part{number}")
        features.write(parts[-1])
    settings = {"variants": [variant], "seeds": [seed], **first.manifest["training"]}
    train(
        parts,
        folder / "model",
        variant=variant,
        options=first.options,
        training=TrainingConfig(**settings),
        seed=seed,
        permuted=permuted,
    )
    return load_model(folder / "model")


def strength(model: TrainedModel, features: FeatureSet, method: str, settings: ExplanationConfig) -> Floats:
    """Return |value| (N, T) of the method's answer; of one with a map for each class the sum."""
    found = METHODS[method].explain(model, features, settings)  # type: ignore[index]
    value = found.value if found.maps[-1] == "towards background" else found.value[:1]
    return np.asarray(np.abs(value).sum(axis=0))


def without_first(features: FeatureSet, streams: list[str], values: Floats, share: float) -> FeatureSet:
    """Return the events without the constituents of the largest values."""
    about = layout(features, streams)
    removable = about["mask"] & removable_slots(about)[None]
    away = np.round(share * removable.sum(axis=1))[:, None]
    gone = removable & (order_of(values, removable) < away)
    arrays, masks, start = dict(features.streams), dict(features.masks), 0
    for name in streams:
        width = masks[name].shape[1]
        masks[name] = masks[name] & ~gone[:, start : start + width]
        arrays[name] = arrays[name] * masks[name][..., None]
        start += width
    return dataclasses.replace(features, streams=arrays, masks=masks)


def test_scores(model: TrainedModel, sets: Sequence[FeatureSet]) -> tuple[Floats, NDArray[np.int8]]:
    """Return logits and labels of the test events."""
    chosen = [s.select(np.isin(s.fold, s.metadata.test_folds)) for s in sets]
    logits = np.concatenate([model.predict_logits(s) for s in chosen]).astype(np.float64)
    return logits, np.concatenate([s.label for s in chosen])


def labels(
    results: Path, variant: str, sets: list[FeatureSet], settings: ExplanationConfig, trainings: int
) -> None:
    """Print rank correlations of explanations: of trainings on true labels, and on permuted ones."""
    folders = sorted((results / "training" / variant).glob("seed?"))[:trainings]
    true, wrong = [load_model(folder) for folder in folders], []
    for seed in range(1, trainings + 1):
        with tempfile.TemporaryDirectory() as name:
            wrong.append(again(results, variant, sets, Path(name), seed, permuted=True))
    events = FeatureSet.join([s.select(np.isin(s.fold, s.metadata.test_folds)) for s in sets])
    rng = np.random.default_rng(2)
    first = [rng.permutation(np.flatnonzero(events.label == t))[: settings.events] for t in (1, 0)]
    events = events.select(np.concatenate(first))
    for name, models in (("true", true), ("permuted", wrong)):
        logits = [model.predict_logits(events) for model in models]
        facts = ", ".join(f"{roc_auc_score(events.label, z):.3f} ({z.std():.2f})" for z in logits)
        print(f"{name} labels: AUC on true ones (standard deviation of the logit): {facts}")
    rows = []
    for method in methods_of(true[0].options, settings.methods):
        values = np.stack([METHODS[method].explain(model, events, settings).value[0] for model in true])
        answers = {method: {"signal": values}}
        found = random_labels(answers, wrong, events, settings, len(events))[method]
        (mean, error), (less, of_less) = found["permuted"], found["less"]
        row = {"method": method, "two seeds": f"{mean + less:.2f}", "permuted": f"{mean:.2f} ± {error:.2f}"}
        row |= {"each": found["trainings"], "less": f"{less:.2f} ± {of_less:.2f}"}
        rows.append(row)
    print(f"\nlabel randomisation, {variant}, {len(events)} events; errors over trainings")
    print(pd.DataFrame(rows).to_string(index=False), flush=True)


def roar(
    results: Path,
    variant: str,
    sets: list[FeatureSet],
    settings: ExplanationConfig,
    share: float,
    trainings: int,
) -> None:
    """Print the AUC of networks trained anew without what each method marks, and what it is below random removal."""
    folders = sorted((results / "training" / variant).glob("seed?"))[:trainings]
    found: dict[str, list[Floats]] = {}
    label = np.zeros(0, np.int8)
    for seed, model in enumerate(map(load_model, folders), 1):
        scores, label = test_scores(model, sets)
        found.setdefault("nothing removed", []).append(scores)
        for name, values in _orders(model, settings, seed).items():
            changed = [without_first(s, list(model.streams), values(s), share) for s in sets]
            with tempfile.TemporaryDirectory() as folder:
                anew = again(results, variant, changed, Path(folder), seed)
            found.setdefault(name, []).append(test_scores(anew, changed)[0])
            area = roc_auc_score(label, found[name][-1])
            print(f"ROAR, {name}, training {seed}: AUC {area:.4f}", flush=True)
    draws = [np.random.default_rng(n).integers(0, len(label), len(label)) for n in range(REPLICAS)]
    areas = {name: [roc_auc_score(label, z) for z in every] for name, every in found.items()}
    replicas = {
        name: np.array([np.mean([roc_auc_score(label[i], z[i]) for z in every]) for i in draws])
        for name, every in found.items()
    }

    def less(name: str, other: str) -> str:
        if name in (other, "nothing removed"):
            return ""
        difference = np.subtract(areas[name], areas[other])
        error, spread = (replicas[name] - replicas[other]).std(ddof=1), difference.std(ddof=1)
        return f"{difference.mean():+.3f} ± {error:.3f}, ±{spread:.3f}"

    rows: list[dict[str, Any]] = [
        {
            "removed by": name,
            "AUC": f"{np.mean(areas[name]):.3f} ± {replicas[name].std(ddof=1):.3f}, ±{np.std(areas[name], ddof=1):.3f}",
            "less random": less(name, "random"),
            "less |d0|": less(name, "|d0|"),
        }
        for name in found
    ]
    print(
        f"\nROAR, {variant}, the first {share:.0%} removed, {len(label)} test events, {trainings} trainings"
    )
    print(pd.DataFrame(rows).to_string(index=False), flush=True)


def _orders(
    model: TrainedModel, settings: ExplanationConfig, seed: int
) -> dict[str, Callable[[FeatureSet], Floats]]:
    """Return the values (N, T) to remove constituents by: of yardsticks, and of every method."""
    streams = list(model.streams)
    rng = np.random.default_rng(seed)

    def by_d0(features: FeatureSet) -> Floats:
        size = size_of_d0(features, streams)
        return np.zeros(layout(features, streams)["mask"].shape) if size is None else size

    orders: dict[str, Callable[[FeatureSet], Floats]] = {
        "random": lambda features: rng.random(layout(features, streams)["mask"].shape),
        "pT": lambda features: known_log_pt(layout(features, streams)),
        "|d0|": by_d0,
    }
    for method in methods_of(model.options, settings.methods):
        orders[method] = lambda features, name=method: strength(model, features, name, settings)
    return orders


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--variant", default="self_attention")
    parser.add_argument("--events", type=int, default=200, help="per class, for label randomisation")
    parser.add_argument("--trainings", type=int, default=3, help="on permuted labels, and of ROAR")
    parser.add_argument("--labels", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--roar", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--share", type=float, default=0.5, help="of the constituents that ROAR removes")
    options = parser.parse_args()
    methods = [name for name in METHODS if name != "tree_shapley"]
    settings = ExplanationConfig(variants=[], methods=methods, events=options.events, permutations=2)
    streams = load_model(options.results / "training" / options.variant / "seed1").streams
    folders = sorted({path.parent for path in options.results.glob("features/*/*/event.npz")})
    sets = [FeatureSet.read(folder, streams) for folder in folders]
    if options.labels:
        labels(options.results, options.variant, sets, settings, options.trainings)
    if options.roar:
        roar(options.results, options.variant, sets, settings, options.share, options.trainings)


if __name__ == "__main__":
    main()
