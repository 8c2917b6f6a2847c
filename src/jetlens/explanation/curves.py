"""What becomes of a model's logit while constituents are taken away, or brought back, in the order of an explanation.

Two ways of taking away. *masked*: as if they had never been reconstructed; with few constituents left this is far from
what a network was trained on, so the judge is a companion network trained with some constituents dropped, where there
is one. *replaced*: by constituents of other real jets, of the same rank in pT, and the network itself is the judge.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from jetlens.explanation.players import ROWS, Players
from jetlens.features.featurefile import FeatureSet
from jetlens.trained.model import TrainedModel, input_arrays

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Judge = Callable[[NDArray[np.int64], Mask], Floats]
"""Logits (R,) of R choices: the event of each, and which of its tokens (R, T) are kept."""


def masked(model: TrainedModel, features: FeatureSet) -> Judge:
    """Return a judge that masks what is not kept; event features stay."""
    players = Players(model, features)

    def judge(events: NDArray[np.int64], kept: Mask) -> Floats:
        stay = np.ones((len(kept), players.event_features), dtype=bool)
        return players.logits(
            events, np.concatenate([kept & players.real[events, : players.tokens], stay], axis=1)
        )

    return judge


def replaced(model: TrainedModel, features: FeatureSet, seed: int) -> Judge:
    """Return a judge that puts tokens of another event in the place of what is not kept.

    The stand-in is the token in the same slot, so of the same rank in pT, of one other event, the same for every
    choice; a slot that is empty there is masked.
    """
    arrays = input_arrays(features, list(model.streams))
    number = len(features)
    other = (
        np.arange(number) + 1 + np.random.default_rng(seed).integers(0, max(number - 1, 1), number)
    ) % number

    def judge(events: NDArray[np.int64], kept: Mask) -> Floats:
        parts = [np.zeros(0)]
        for first in range(0, len(events), ROWS):
            own, stay = events[first : first + ROWS], kept[first : first + ROWS]
            inputs, start = {"event": arrays["event"][own]}, 0
            for name in model.streams:
                mask = arrays[f"{name}_mask"]
                here = stay[:, start : start + mask.shape[1]]
                inputs[name] = np.where(here[..., None], arrays[name][own], arrays[name][other[own]])
                # an empty slot stays empty
                inputs[f"{name}_mask"] = mask[own] & (here | mask[other[own]])
                inputs[name] = inputs[name] * inputs[f"{name}_mask"][..., None]
                start += mask.shape[1]
            parts.append(model.predict_arrays(inputs, features.metadata).astype(np.float64))
        return np.concatenate(parts)

    return judge


def order_of(values: Floats, removable: Mask) -> NDArray[np.int64]:
    """Return each token's turn (N, T), 0 for the largest value; what is not removable comes last."""
    order = np.argsort(-np.where(removable, values, -np.inf), axis=1, kind="stable")
    turn = np.empty_like(order)
    np.put_along_axis(turn, order, np.broadcast_to(np.arange(order.shape[1]), order.shape), axis=1)
    return turn


def shuffled_at_equal(values: Floats, quantity: Floats, removable: Mask, seed: int, block: int = 5) -> Floats:
    """Return values shuffled among neighbours in a quantity: with pT chance, but with the same taste for hard ones.

    Args:
        values: (N, T).
        quantity: (N, T), such as pT.
        removable: (N, T), the others keep theirs.
        seed: of the shuffling.
        block: neighbours that are shuffled among each other.
    """
    rng = np.random.default_rng(seed)
    rank = order_of(quantity, removable)
    by_rank = np.argsort(rank, axis=1)
    slots = np.arange(values.shape[1])
    # what is not removable stands last, and stays
    free = np.take_along_axis(removable, by_rank, axis=1)
    drawn = slots // block + rng.random(values.shape)
    shuffled = np.argsort(np.where(free, drawn, len(slots) + slots), axis=1)
    source = np.take_along_axis(by_rank, shuffled, axis=1)
    result = np.empty_like(values)
    np.put_along_axis(result, by_rank, np.take_along_axis(values, source, axis=1), axis=1)
    return result


def removal_curves(
    judge: Judge, turns: Mapping[str, NDArray[np.int64]], removable: Mask, real: Mask, shares: Sequence[float]
) -> dict[str, dict[str, Floats]]:
    """Return logits while the first in order are taken away (deletion), or alone are kept (insertion).

    Args:
        judge: who scores.
        turns: by order, (N, T) from :func:`order_of`.
        removable: (N, T) what may be taken away; all else stays.
        real: (N, T).
        shares: of the removable tokens.

    Returns:
        By order ``deletion`` and ``insertion`` (N, K); under ``""`` the logits of ``whole`` and ``none`` (N, 1).
    """
    number = removable.sum(axis=1, keepdims=True)
    fixed = real & ~removable
    choices = [real, fixed]
    for turn in turns.values():
        counts = [np.maximum(1, np.round(share * number)) for share in shares]
        choices += [fixed | (removable & (turn >= n)) for n in counts]
        choices += [fixed | (removable & (turn < n)) for n in counts]
    z = _all(judge, choices)
    result = {"": {"whole": z[0][:, None], "none": z[1][:, None]}}
    k = len(shares)
    for i, name in enumerate(turns):
        own = np.stack(z[2 + 2 * k * i : 2 + 2 * k * (i + 1)], axis=1)
        result[name] = {"deletion": own[:, :k], "insertion": own[:, k:]}
    return result


def greedy(
    judge: Judge, removable: Mask, real: Mask, shares: Sequence[float], sign: int
) -> NDArray[np.int64]:
    """Return an order (N, T) that lowers (``sign`` 1) or raises (−1) the logit as fast as a greedy search finds.

    At each share every token left is tried by itself, and those that change most go. The bounds of a normalised area
    (arXiv:2408.08137, there by beam search) are those of the best and the worst order known.
    """
    number = removable.sum(axis=1)
    turn = np.full(removable.shape, removable.shape[1])
    left, gone = removable.copy(), np.zeros(len(removable), dtype=int)
    for share in [*shares, 1.0]:
        goal = number if share == 1.0 else np.maximum(1, np.round(share * number)).astype(int)
        events, who = np.nonzero(left)
        kept = (real & ~removable)[events] | left[events]
        kept[np.arange(len(events)), who] = False
        effect = np.full(removable.shape, -np.inf)
        if share < 1.0:
            effect[events, who] = -sign * judge(events, kept)
        else:
            effect[events, who] = 0
        rank = order_of(effect, left)
        chosen = left & (rank < np.maximum(goal - gone, 0)[:, None])
        turn = np.where(chosen, gone[:, None] + rank, turn)
        left &= ~chosen
        gone = np.maximum(gone, goal)
    return turn


def _all(judge: Judge, choices: Sequence[Mask]) -> list[Floats]:
    """Score all choices together, those with most tokens first, since batches are trimmed to their longest."""
    kept = np.concatenate(choices)
    order = np.argsort(-kept.sum(axis=1), kind="stable")
    events = np.tile(np.arange(len(choices[0])), len(choices))[order]
    z = np.empty(len(order))
    z[order] = judge(events, kept[order])
    return list(np.split(z, len(choices)))
