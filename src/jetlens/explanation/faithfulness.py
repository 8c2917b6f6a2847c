"""Tests of explanations: is what they mark what the model needs? All on logits, for signal and for background.

An order is good if the logit falls fast while its first constituents are taken away, and if these alone make up the
logit. For background it is −z that must fall. Yardsticks: each method's own order shuffled among constituents of equal
pT, pT order, |d0| order. Areas are scaled per event between the best and the worst order known (arXiv:2408.08137); all
constituents away is a point by itself, not the end of a curve. Random weights must change an explanation
(arXiv:1810.03292). Errors are standard errors over events, of paired differences where two orders are compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jetlens.config.explanation import ExplanationConfig, MethodName
from jetlens.explanation.agreement import (
    between_methods,
    between_seeds,
    rank_correlation,
)
from jetlens.explanation.curves import (
    Judge,
    greedy,
    masked,
    order_of,
    removal_curves,
    replaced,
    shuffled_at_equal,
)
from jetlens.explanation.randomised import random_weights
from jetlens.explanation.relevance import layout
from jetlens.explanation.yardsticks import (
    known_log_pt,
    mean_and_error,
    removable_slots,
    shares,
    size_of_d0,
)
from jetlens.features.featurefile import FeatureSet
from jetlens.trained.model import TrainedModel

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
SHARES = (0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
"""Shares of the constituents that are taken away or kept; comprehensiveness and sufficiency are at the first three."""
CLASSES = (("signal", 1, 1), ("background", 0, -1))


def faithfulness(
    models: Sequence[Path],
    trained: Sequence[TrainedModel],
    features: FeatureSet,
    answers: Mapping[MethodName, Mapping[str, Floats]],
    explanation: ExplanationConfig,
    companions: Sequence[TrainedModel] = (),
) -> dict[str, Any]:
    """Return all tests of a variant's explanations, as ``faithfulness.json`` holds them.

    Args:
        models: folders of the trainings, from which a network with random weights is made.
        trained: one per seed.
        features: N events.
        answers: by method, values (S, N, T) in favour of ``signal`` and of ``background``.
        explanation: ``test_events`` and ``seed``.
        companions: of each seed, trained with constituents dropped: judges where they are masked; none: each network.
    """
    chosen = np.concatenate(
        [np.flatnonzero(features.label == truth)[: explanation.test_events] for _, truth, _ in CLASSES]
    )
    events = features.select(chosen)
    about = layout(events, list(trained[0].streams))
    removable = about["mask"] & removable_slots(about)[None]
    own = {name: {side: v[:, chosen] for side, v in sides.items()} for name, sides in answers.items()}
    tests = {}
    for name, truth, sign in CLASSES:
        members = np.flatnonzero(events.label == truth)
        if not len(members):
            continue
        part = _Part(events.select(members), about["mask"][members], removable[members], sign)
        orders = {method: sides[name][:, members] for method, sides in own.items()}
        tests[name] = _tests(trained, companions, part, orders, explanation.seed)
    signed = {method: sides["signal"] for method, sides in own.items()}
    log_pt = known_log_pt(about)
    return {
        "events": {name: int((events.label == truth).sum()) for name, truth, _ in CLASSES},
        "removable": [
            str(s) for s in about["streams"][np.unique(about["slot_stream"][removable_slots(about)])]
        ],
        "masked_judged_by": "companion" if companions else "itself",
        "shares": list(SHARES),
        "tests": tests,
        "agreement": {
            "between_seeds": {m: _plain(between_seeds(v, removable)) for m, v in signed.items()},
            "between_methods": {
                a: {b: _plain(pair) for b, pair in row.items()}
                for a, row in between_methods({m: v[0] for m, v in signed.items()}, removable).items()
            },
            "with_pt": {m: _plain(rank_correlation(v[0], log_pt, removable)) for m, v in signed.items()},
        },
        "lies_on": shares(layout(features, list(trained[0].streams)), answers, {n: t for n, t, _ in CLASSES}),
        "random_weights": random_weights(models, events, signed, removable, explanation),
    }


class _Part:
    """The events of one class."""

    def __init__(self, features: FeatureSet, real: Mask, removable: Mask, sign: int) -> None:
        self.features, self.real, self.removable, self.sign = features, real, removable, sign


def _tests(
    trained: Sequence[TrainedModel],
    companions: Sequence[TrainedModel],
    part: _Part,
    orders: Mapping[Any, Floats],
    seed: int,
) -> dict[str, Any]:
    """Return the tests of one class, by way of taking away."""
    about = layout(part.features, list(trained[0].streams))
    log_pt, d0 = known_log_pt(about), size_of_d0(part.features, trained[0].streams)
    yardsticks = {"pt": log_pt} | ({} if d0 is None else {"d0": d0})
    result = {}
    bounds: dict[str, NDArray[np.int64]] = {}
    for way in ("masked", "replaced"):
        per_seed = []
        for s, model in enumerate(trained):
            values = {name: v[s] for name, v in orders.items()} | yardsticks
            values |= {
                f"{name}, matched in pt": shuffled_at_equal(v[s], log_pt, part.removable, seed)
                for name, v in orders.items()
            }
            turns = {name: order_of(v, part.removable) for name, v in values.items()}
            judge: Judge = (
                masked(companions[s] if companions else model, part.features)
                if way == "masked"
                else replaced(model, part.features, seed)
            )
            if way == "masked":
                if not bounds:  # searched for once: what is best for one training is hardly worse for another
                    bounds = {
                        name: greedy(judge, part.removable, part.real, SHARES[::2], direction * part.sign)
                        for name, direction in (("best", 1), ("worst", -1))
                    }
                turns |= bounds
            per_seed.append(removal_curves(judge, turns, part.removable, part.real, SHARES))
        result[way] = _summary(per_seed, part.sign)
    return result


def _summary(per_seed: Sequence[dict[str, dict[str, Floats]]], sign: int) -> dict[str, Any]:
    """Sum the curves up: what is lost of the class's logit, per order."""
    lost = [_lost(curves, sign) for curves in per_seed]
    areas = [
        {name: {kind: v.mean(axis=1) for kind, v in own.items()} for name, own in seed.items()}
        for seed in lost
    ]
    none = np.mean([sign * (c[""]["whole"] - c[""]["none"])[:, 0] for c in per_seed], axis=0)
    result: dict[str, Any] = {"all_removed": mean_and_error(none), "orders": {}}
    for name in lost[-1]:
        entry: dict[str, Any] = {}
        for kind, label in (("deletion", "comprehensiveness"), ("insertion", "sufficiency")):
            curve = np.mean([seed[name][kind] for seed in lost], axis=0)
            own = np.mean([seed[name][kind] for seed in areas], axis=0)
            scaled = [_scaled(seed, name, kind) for seed in areas]
            spread = [float(seed[name][kind].mean()) for seed in areas]
            entry[kind] = {
                "lost": [mean_and_error(column) for column in curve.T],
                "area": mean_and_error(own),
                "area_spread": _round(np.std(spread, ddof=1)) if len(spread) > 1 else None,
                "normalised": mean_and_error(np.ma.masked_invalid(scaled).mean(axis=0).filled(np.nan)),
            }
            entry[label] = {str(share): mean_and_error(curve[:, k]) for k, share in enumerate(SHARES[:3])}
            for other in ("pt", "d0", f"{name}, matched in pt"):
                if other in lost[-1] and other != name:
                    key = "minus_matched" if other.endswith("matched in pt") else f"minus_{other}"
                    yardstick = np.mean([seed[other][kind] for seed in areas], axis=0)
                    entry[kind][key] = mean_and_error(own - yardstick)
        result["orders"][name] = entry
    return result


def _lost(curves: dict[str, dict[str, Floats]], sign: int) -> dict[str, dict[str, Floats]]:
    whole = curves[""]["whole"]
    return {
        name: {kind: sign * (whole - z) for kind, z in own.items()} for name, own in curves.items() if name
    }


def _scaled(areas: dict[str, dict[str, Floats]], name: str, kind: str) -> Floats:
    """Return each event's area between the least and the most that any order of the same network reaches."""
    everything = np.stack([own[kind] for own in areas.values()])
    low, high = everything.min(axis=0), everything.max(axis=0)
    return np.where(high > low, (areas[name][kind] - low) / np.where(high > low, high - low, 1), np.nan)


def _plain(pair: tuple[float, float] | None) -> list[float] | None:
    return None if pair is None else [_round(x) for x in pair]


def _round(value: Any) -> float:
    return round(float(value), 5)
