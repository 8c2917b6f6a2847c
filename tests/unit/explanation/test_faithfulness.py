"""Tests of the tests: on a judge whose workings are known, the true order must win, and chance must not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from jetlens.explanation.agreement import (
    between_methods,
    between_seeds,
    rank_correlation,
)
from jetlens.explanation.curves import greedy, masked, order_of, removal_curves, replaced, shuffled_at_equal
from jetlens.explanation.faithfulness import _summary

SHARES = (0.1, 0.2, 0.5)


@pytest.fixture
def additive():
    """Forty events of up to twenty tokens; each adds its own worth to the logit."""
    rng = np.random.default_rng(0)
    real = np.arange(20) < rng.integers(8, 21, 40)[:, None]
    worth = np.where(real, rng.normal(size=real.shape), 0)
    return real, worth, lambda events, kept: (worth[events] * kept).sum(axis=1)


def test_the_true_order_is_the_best_and_its_reverse_the_worst(additive):
    real, worth, judge = additive
    rng = np.random.default_rng(1)
    values = {"true": worth, "wrong": -worth, "pt": rng.random(worth.shape)}
    turns = {name: order_of(v, real) for name, v in values.items()}
    turns |= {name: greedy(judge, real, real, SHARES, sign) for name, sign in (("best", 1), ("worst", -1))}
    curves = removal_curves(judge, turns, real, real, SHARES)
    np.testing.assert_allclose(curves["true"]["deletion"], curves["best"]["deletion"])
    np.testing.assert_allclose(curves["wrong"]["deletion"], curves["worst"]["deletion"])
    np.testing.assert_allclose(curves[""]["none"], 0)
    orders = _summary([curves], 1)["orders"]
    assert orders["true"]["deletion"]["normalised"][0] == 1
    assert orders["wrong"]["deletion"]["normalised"][0] == 0
    assert 0.2 < orders["pt"]["deletion"]["normalised"][0] < 0.8
    difference, error = orders["true"]["deletion"]["minus_pt"]
    assert difference > 5 * error
    # kept alone, the best constituents lose less than nothing: the bad ones are gone
    assert orders["true"]["sufficiency"]["0.2"][0] < orders["pt"]["sufficiency"]["0.2"][0]


def test_every_order_of_the_greedy_search_is_a_whole_one(additive):
    real, _, judge = additive
    turn = greedy(judge, real, real, SHARES, 1)
    for row, there in zip(turn, real, strict=True):
        assert sorted(row[there]) == list(range(there.sum()))


@given(st.integers(0, 1000))
def test_matched_orders_keep_their_taste_for_hard_constituents(seed):
    rng = np.random.default_rng(seed)
    real = np.arange(23) < rng.integers(3, 24, 8)[:, None]
    log_pt = np.where(real, rng.normal(size=real.shape), -99)
    values = np.where(real, rng.random(real.shape), 0)
    shuffled = shuffled_at_equal(values, log_pt, real, seed)
    for a, b, p, there in zip(values, shuffled, log_pt, real, strict=True):
        order = np.argsort(-p[there], kind="stable")
        for start in range(0, there.sum() // 5 * 5, 5):
            block = order[start : start + 5]
            np.testing.assert_array_equal(np.sort(a[there][block]), np.sort(b[there][block]))


def test_judges_see_what_is_kept(events, network_of_kind):
    model = network_of_kind("cross_attention")
    real = np.concatenate([events.masks[name] for name in model.streams], axis=1)
    everyone = np.arange(len(events))
    for judge in (masked(model, events), replaced(model, events, 1)):
        np.testing.assert_allclose(judge(everyone, real), model.predict_logits(events), atol=1e-5)
    few = real & (np.arange(real.shape[1]) % 2 == 0)
    assert (np.abs(masked(model, events)(everyone, few) - model.predict_logits(events)) > 1e-4).all()
    stand_ins = replaced(model, events, 1)(everyone, np.zeros_like(real))
    assert np.isfinite(stand_ins).all()


@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=3, max_size=15))
def test_rank_correlation_is_spearmans(pairs):
    first, second = np.array(pairs, dtype=float).T[:, None, :]
    result = rank_correlation(first, second, np.ones_like(first, dtype=bool))
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        assert result is None
    else:
        assert result is not None
        assert result[0] == pytest.approx(spearmanr(first[0], second[0]).statistic, abs=1e-9)


def test_rank_correlation_ignores_padding():
    rng = np.random.default_rng(0)
    first, second = rng.random((2, 5, 8))
    mask = np.repeat(np.arange(8)[None] < 6, 5, axis=0)
    cut = rank_correlation(first[:, :6], second[:, :6], mask[:, :6])
    assert rank_correlation(np.where(mask, first, 9), np.where(mask, second, -9), mask) == cut
    assert between_seeds(first[None], mask) is None
    assert between_methods({"a": first, "b": second}, mask)["b"]["a"] == cut


def test_values_shuffled_at_equal_quantity_are_the_same_values():
    rng = np.random.default_rng(0)
    values, quantity = rng.normal(size=(2, 20, 13))
    removable = rng.random((20, 13)) < 0.7
    found = shuffled_at_equal(values, quantity, removable, seed=1)
    for own, before, real in zip(found, values, removable, strict=True):
        np.testing.assert_array_equal(np.sort(own[real]), np.sort(before[real]))
        np.testing.assert_array_equal(own[~real], before[~real])
    assert (found != values)[removable].mean() > 0.5
