"""Do explanations find what is known to decide? Toy jets with planted constituents, all methods, five seeds.

    python benchmarks/planted.py [--toy displaced_track] [--network config/full.yaml:particle_transformer] [--epochs 5]

The networks are the pipeline's own, with its own training. Prints the rank accuracy of each training, then per method,
and per baseline where it has two, the share of relevance on the planted constituents and the rank accuracy: mean and
standard deviation over trainings, the worst training, the largest standard error over events, and what the mean of all
trainings' relevances has, as the pipeline's maps and figures average over seeds; pT order beside them.
Blind spots to look for: Grad-CAM, and leave-one-out on redundant prongs (``two_prong``, events with a displaced track
in both). Of the mass pair also, what a constituent's partner is worth to its self-attention: through what is gathered
from it, and through how much attention it takes from others.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import io
import time
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from jetlens.config.explanation import ExplanationConfig, methods_of
from jetlens.config.load import load
from jetlens.config.training import TrainingConfig
from jetlens.explanation.chefer import relevance_of_random_gradients
from jetlens.explanation.network import network_of
from jetlens.explanation.planted import STREAM, TOYS, Toy, network, score, train
from jetlens.explanation.registry import METHODS
from jetlens.features.featurefile import FeatureSet
from jetlens.trained.model import TrainedModel, input_arrays

NETWORKS = ("config/config.yaml:self_attention", "config/full.yaml:particle_transformer")
TESTED = 200
SETTINGS = ExplanationConfig(variants=[], methods=list(METHODS), permutations=20)
Floats = NDArray[np.float64]


def explanations(model: TrainedModel, events: FeatureSet) -> dict[str, Floats]:
    """Return (N, T) of every method and map in favour of signal, of the rule on random gradients, and pT order."""
    found: dict[str, Floats] = {}
    for method in methods_of(model.options, SETTINGS.methods):
        result = METHODS[method].explain(model, events, SETTINGS)
        maps = [
            (name, v) for name, v in zip(result.maps, result.value, strict=True) if "background" not in name
        ]
        found |= {method if len(maps) == 1 else f"{method}, {name}": value for name, value in maps}
    null = relevance_of_random_gradients(model, events, np.random.default_rng(1))
    found["relevance, random gradients"] = null.value[0]
    return found | {"pT order": events.streams[STREAM][..., 2].astype(float)}


def removed(model: TrainedModel, test: Toy) -> dict[str, float]:
    """Return the AUC, and the median logit of signal as it is and without its first planted constituent."""
    events = test.features
    first = test.planted & (np.cumsum(test.planted, axis=1) == 1)
    mask = events.masks[STREAM] & ~first
    less = dataclasses.replace(
        events, streams={STREAM: events.streams[STREAM] * mask[..., None]}, masks={STREAM: mask}
    )
    signal = events.label == 1
    z, without = model.predict_logits(events), model.predict_logits(less)
    return {
        "AUC": roc_auc_score(events.label, z),
        "signal": float(np.median(z[signal])),
        "signal without one planted": float(np.median(without[signal])),
        "background": float(np.median(z[~signal])),
        "still signal without it": float((without[signal] > 0).mean()),
    }


def partner(model: TrainedModel, events: FeatureSet, planted: NDArray[np.bool_]) -> dict[str, float]:
    """Return the mean logit lost as each of a pair loses its partner in the self-attention, both ways at once.

    Values: nothing is gathered from the partner, all weights as they are. Weights: the partner gets no attention, and
    all others what it had. The partner's own token stays in either case.
    """
    import keras

    from jetlens.models import probe

    own_network: Any = network_of(model)
    name = f"{STREAM}_self_attention_0"
    inputs = input_arrays(events, [STREAM])
    weights = probe.attention_scores(own_network, inputs, [name])[name].astype(float)
    again = keras.models.model_from_json(own_network.to_json())  # to be cut open
    layer = again.get_layer(name)
    cut = probe.Cut(again, {"gathered": layer.output[0], "qkv": layer.input[0]})
    cut.fill(own_network)
    point = cut.point(inputs)
    own = np.split(point["qkv"], 3, axis=-1)[2]
    own = own.reshape(*own.shape[:2], layer.heads, -1).transpose(0, 2, 1, 3)
    other = (planted[:, :, None] & planted[:, None, :] & ~np.eye(planted.shape[1], dtype=bool))[:, None]
    less = np.where(other, 0, weights)
    share = less.sum(axis=-1, keepdims=True)
    changed = {"values": less, "weights": less / np.where(share > 0, share, 1)}
    whole = cut.logits(point, inputs)
    lost = {}
    for way, attention in changed.items():
        gathered = (attention @ own).transpose(0, 2, 1, 3).reshape(point["gathered"].shape)
        lost[way] = float((whole - cut.logits(point | {"gathered": gathered}, inputs)).mean())
    return lost


def trained(
    name: str, options: Any, settings: TrainingConfig, events: int, seed: int
) -> tuple[TrainedModel, dict[str, float]]:
    """Return a network, and what the training took."""
    rng, started = np.random.default_rng(seed), time.process_time()
    with contextlib.redirect_stderr(io.StringIO()):
        model = train(TOYS[name](events, rng), options, settings, seed)
    return model, {"CPU seconds": time.process_time() - started, "epoch kept": model.manifest["best_epoch"]}


def explained(test: Toy) -> Toy:
    """Return the test toys with most planted constituents, :data:`TESTED` of them."""
    planted = test.planted.sum(axis=1)
    chosen = np.flatnonzero(planted == planted.max())[:TESTED]
    return Toy(test.features.select(chosen), test.planted[chosen])


def rows(values: dict[str, Floats], toy: Toy) -> list[dict[str, Any]]:
    """Return the scores of all methods, with errors."""
    found = []
    for method, value in values.items():
        scores = score(value, toy.planted, toy.features.masks[STREAM])
        own = {k: v[0] for k, v in scores.items()} | {f"{k}_error": v[1] for k, v in scores.items()}
        found.append({"method": method, **own})
    return found


def of_toy(
    name: str, options: Any, settings: TrainingConfig, events: int, seeds: int
) -> list[dict[str, Any]]:
    """Train on one kind of toy, once per seed, and return the scores of each training and of all together (seed 0)."""
    test = TOYS[name](8 * TESTED, np.random.default_rng(0))
    few = explained(test)
    found: list[dict[str, Any]] = []
    answers: list[dict[str, Floats]] = []
    for seed in range(1, seeds + 1):
        model, facts = trained(name, options, settings, events, seed)
        facts |= removed(model, test)
        if name == "mass_pair":
            lost = partner(model, few.features, few.planted)
            facts |= {f"lost with the partner's {k}": v for k, v in lost.items()}
        answers.append(explanations(model, few.features))
        own = rows(answers[-1], few)
        found += [{"toy": name, "seed": seed, "auc": facts["AUC"], **row} for row in own]
        ranked = {row["method"]: round(row["rank_accuracy"], 3) for row in own}
        print(name, seed, {k: round(v, 3) for k, v in facts.items()}, ranked, flush=True)
    together = {method: np.mean([each[method] for each in answers], axis=0) for method in answers[0]}
    return found + [{"toy": name, "seed": 0, **row} for row in rows(together, few)]


def table(found: pd.DataFrame) -> pd.DataFrame:
    """Return by network, epochs, toy and method the mean, spread and worst over trainings, the largest error, and what
    all trainings have together, with its error.
    """
    groups, together = (
        part.groupby(["network", "epochs", "toy", "method"], sort=False)
        for part in (found[found["seed"] > 0], found[found["seed"] == 0])
    )
    columns: dict[str, Any] = {"auc": groups["auc"].mean()}
    for name in ("mass", "rank_accuracy"):
        columns |= {
            name: groups[name].mean(),
            f"{name}_spread": groups[name].std(),
            f"{name}_worst": groups[name].min(),
            f"{name}_error": groups[f"{name}_error"].max(),
            f"{name}_together": together[name].first(),
            f"{name}_together_error": together[f"{name}_error"].first(),
        }
    return pd.DataFrame(columns).round(3)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", action="append", help="FILE:VARIANT, default: " + ", ".join(NETWORKS))
    parser.add_argument("--epochs", type=int, action="append", help="instead of the file's")
    parser.add_argument("--events", type=int, default=12000)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--toy", choices=list(TOYS), action="append")
    arguments = parser.parse_args()
    found: list[dict[str, Any]] = []
    for which in arguments.network or NETWORKS:
        file, _, variant = which.rpartition(":")
        config = load(file)
        options = network(config.models[variant])
        for epochs in arguments.epochs or [config.training.epochs]:
            settings = config.training.model_copy(update={"epochs": epochs})
            for name in arguments.toy or TOYS:
                print(f"{variant}, {epochs} epochs")
                own = of_toy(name, options, settings, arguments.events, arguments.seeds)
                found += [{"network": variant, "epochs": epochs, **row} for row in own]
    print(table(pd.DataFrame(found)).to_string())


if __name__ == "__main__":
    main()
