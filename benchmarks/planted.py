"""Do explanations find what is known to decide? Toy jets with planted constituents, all methods, five seeds.

    python benchmarks/planted.py [--events 12000] [--epochs 20] [--seeds 5] [--toy displaced_track]

Prints per method, and per baseline where it has two, the share of relevance on the planted constituents and the rank
accuracy: mean and standard deviation over trainings, the worst training, the largest standard error over events; pT
order beside them. Blind spots to look for: Grad-CAM, and leave-one-out on redundant prongs (``two_prong``, events with
a displaced track in both). Of the mass pair also, what a constituent's partner is worth to its self-attention: through
what is gathered from it, and through how much attention it takes from others.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from jetlens.config.explanation import ExplanationConfig, methods_of
from jetlens.explanation.planted import STREAM, TOYS, Toy, score, train
from jetlens.explanation.registry import METHODS
from jetlens.features.featurefile import FeatureSet
from jetlens.trained.model import TrainedNetwork, input_arrays

TESTED = 200
SETTINGS = ExplanationConfig(variants=[], methods=list(METHODS), permutations=20)
Floats = NDArray[np.float64]


def explanations(model: TrainedNetwork, events: FeatureSet) -> dict[str, Floats]:
    """Return (N, T) of every method and map in favour of signal, and pT order."""
    found: dict[str, Floats] = {}
    for method in methods_of(model.options, SETTINGS.methods):
        result = METHODS[method].explain(model, events, SETTINGS)
        maps = [
            (name, v) for name, v in zip(result.maps, result.value, strict=True) if "background" not in name
        ]
        found |= {method if len(maps) == 1 else f"{method}, {name}": value for name, value in maps}
    return found | {"pT order": events.streams[STREAM][..., 2].astype(float)}


def removed(model: TrainedNetwork, test: Toy) -> dict[str, float]:
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


def partner(model: TrainedNetwork, events: FeatureSet, planted: NDArray[np.bool_]) -> dict[str, float]:
    """Return the mean logit lost as each of a pair loses its partner in the self-attention, both ways at once.

    Values: nothing is gathered from the partner, all weights as they are. Weights: the partner gets no attention, and
    all others what it had. The partner's own token stays in either case.
    """
    from jetlens.models import probe

    network: Any = model.model
    name = f"{STREAM}_self_attention_0"
    layer = network.get_layer(name)
    inputs = input_arrays(events, [STREAM])
    weights = probe.attention_scores(network, inputs, [name])[name].astype(float)
    cut = probe.Cut(network, {"gathered": layer.output[0], "qkv": layer.input[0]})
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


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=12000)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--toy", choices=list(TOYS), action="append")
    options = parser.parse_args()
    rows = []
    for name in options.toy or TOYS:
        for seed in range(1, options.seeds + 1):
            rng, started = np.random.default_rng(seed), time.process_time()
            model = train(TOYS[name](options.events, rng), options.epochs, seed)
            facts = {"CPU seconds": time.process_time() - started}
            test = TOYS[name](8 * TESTED, rng)
            facts |= removed(model, test)
            planted = test.planted.sum(axis=1)
            chosen = np.flatnonzero(planted == planted.max())[:TESTED]
            events = test.features.select(chosen)
            if name == "mass_pair":
                lost = partner(model, events, test.planted[chosen])
                facts |= {f"lost with the partner's {way}": value for way, value in lost.items()}
            print(name, seed, {key: round(value, 3) for key, value in facts.items()}, flush=True)
            for method, value in explanations(model, events).items():
                found = score(value, test.planted[chosen], events.masks[STREAM])
                row = {"toy": name, "seed": seed, "method": method}
                row |= {k: v[0] for k, v in found.items()} | {f"{k}_error": v[1] for k, v in found.items()}
                rows.append(row)
    groups = pd.DataFrame(rows).groupby(["toy", "method"], sort=False)
    columns: dict[str, Any] = {}
    for name in ("mass", "rank_accuracy"):
        columns |= {
            name: groups[name].mean(),
            f"{name}_spread": groups[name].std(),
            f"{name}_worst": groups[name].min(),
            f"{name}_error": groups[f"{name}_error"].max(),
        }
    print(pd.DataFrame(columns).round(3).to_string())


if __name__ == "__main__":
    main()
