"""Explanations by taking players away: leave-one-out, exactly, and Shapley values, by permutations.

Both ask the model itself and nothing else, so they serve networks and trees alike.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from jetlens.config.explanation import ExplanationConfig
from jetlens.explanation.players import ROWS, Floats, Players
from jetlens.explanation.relevance import Relevance
from jetlens.features.featurefile import FeatureSet
from jetlens.trained.model import TrainedModel

Keys = NDArray[np.uint64]


def leave_one_out(model: TrainedModel, features: FeatureSet, settings: ExplanationConfig) -> Relevance:
    """Return z(all) − z(all but i) for every player i: what the logit loses with it, exactly.

    Blind to players that stand in for one another: with one of two redundant prongs away, the other is still there.

    Args:
        model: network or trees.
        features: N events.
        settings: not used.
    """
    players = Players(model, features)
    values = np.zeros(players.real.shape)
    events, who = np.nonzero(players.real)
    whole = players.whole()
    for start in range(0, len(events), ROWS):
        e, i = events[start : start + ROWS], who[start : start + ROWS]
        present = players.real[e]
        present[np.arange(len(e)), i] = False
        values[e, i] = whole[e] - players.logits(e, present)
    return _relevance(players, features, values)


def shapley(model: TrainedModel, features: FeatureSet, settings: ExplanationConfig) -> Relevance:
    """Return Shapley values by permutations (Castro et al., Comput. Oper. Res. 36 (2009) 1726), with their errors.

    Players join in random order; a player's value is the mean change of the logit as it joins. Every order is run
    backwards, too (Mitchell et al., arXiv:2104.12199), so the error is the spread between such pairs. Orders follow
    from what the tokens are, not from their slots: permuted tokens get permuted values. Values sum to
    z(all) − z(none), exactly.

    Args:
        model: network or trees.
        features: N events.
        settings: ``permutations`` (rounded up to pairs) and ``seed``.
    """
    players = Players(model, features)
    pairs = -(-settings.permutations // 2)
    keys = _keys(players, features, settings.seed)
    total, squares = np.zeros(players.real.shape), np.zeros(players.real.shape)
    for pair in range(pairs):
        drawn = _mix(keys + np.uint64(pair + 1)) >> np.uint64(1)
        order = np.argsort(np.where(players.real, drawn, ~np.uint64(0)), axis=1, kind="stable")
        mean = (_marginal(players, order) + _marginal(players, order, backwards=True)) / 2
        total += mean
        squares += mean**2
    value = total / pairs
    spread = np.sqrt(np.maximum(squares / pairs - value**2, 0) * pairs / max(pairs - 1, 1))
    error = spread / np.sqrt(pairs) if pairs > 1 else np.full_like(value, np.nan)
    return _relevance(players, features, value, error)


def _marginal(players: Players, order: NDArray[np.int64], backwards: bool = False) -> Floats:
    """Return (N, P): by how much the logit changes as each real player joins in its turn.

    Args:
        players: of N events.
        order: (N, P) players in order, padded ones last.
        backwards: real players in the reversed order.
    """
    number = players.real.sum(axis=1)
    turn = np.empty_like(order)
    np.put_along_axis(turn, order, np.broadcast_to(np.arange(order.shape[1]), order.shape), axis=1)
    if backwards:
        turn = np.where(players.real, number[:, None] - 1 - turn, turn)
    values = np.zeros(players.real.shape)
    # a few events at a time: each takes as many rows as it has players, and one
    step = max(1, ROWS // int(number.max() + 1))
    for first in range(0, len(number), step):
        chosen = np.arange(first, min(first + step, len(number)))
        events = np.repeat(chosen, number[chosen] + 1)
        joined = np.concatenate([np.arange(n + 1) for n in number[chosen]])
        z = players.logits(events, players.real[events] & (turn[events] < joined[:, None]))
        ends = np.cumsum(number[chosen] + 1)
        for event, end in zip(chosen, ends, strict=True):
            gains = np.diff(z[end - number[event] - 1 : end])
            real = players.real[event]
            values[event, real] = gains[turn[event, real]]
    return values


def _keys(players: Players, features: FeatureSet, seed: int) -> Keys:
    """Return (N, P) numbers that depend on the event and on what a token is, not on its slot."""
    start = _mix(features.event_number.astype(np.uint64) ^ _mix(np.array([seed], dtype=np.uint64)))
    parts = []
    for index, name in enumerate(players.streams):
        values = np.ascontiguousarray(players.arrays[name], dtype=np.float32)
        key = np.broadcast_to(start[:, None] + np.uint64(index + 1), values.shape[:2]).copy()
        named = players.metadata.streams[name].kind == "kinematics"
        if named:  # these are told apart by their place
            key += np.arange(values.shape[1], dtype=np.uint64) << np.uint64(8)
        bits = values.view(np.uint32).astype(np.uint64)
        for f in range(values.shape[2]):
            key = _mix(key ^ bits[..., f])
        parts.append(key)
    event = start[:, None] + (np.arange(1, players.event_features + 1, dtype=np.uint64) << np.uint64(32))
    return np.concatenate([*parts, _mix(event)], axis=1)


def _mix(x: Keys) -> Keys:
    """Scramble 64-bit numbers: the finaliser of SplitMix64 (Steele et al., OOPSLA 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(x ^ (x >> np.uint64(31)), dtype=np.uint64)


def _relevance(
    players: Players, features: FeatureSet, values: Floats, error: Floats | None = None
) -> Relevance:
    event = np.zeros((1, *features.event.shape))
    event[0, :, : players.event_features] = values[:, players.tokens :]
    return Relevance(
        maps=("logit",),
        value=values[None, :, : players.tokens],
        event_value=event,
        error=None if error is None else error[None, :, : players.tokens],
    )
