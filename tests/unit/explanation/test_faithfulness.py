import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from jetlens.evaluation.testset import select
from jetlens.explanation.faithfulness import keep, rank_correlation, removal_curves, summarise_curves
from jetlens.explanation.maps import column
from jetlens.features.featurefile import FeatureSet

STREAMS = ["jet1", "jet2"]


@pytest.fixture(scope="module")
def events(demo_features):
    features = FeatureSet.read(demo_features["signal_H1000"])
    return select(features, np.arange(60))


def worth(features):
    """What each constituent adds to the logit of a network whose workings are known: the sum of |Δη|."""
    return np.concatenate([np.abs(column(features, name, "delta_eta")) for name in STREAMS], axis=1)


def additive_logits(features):
    return worth(features).sum(axis=1) - 2


def test_kept_constituents_stay_as_they_are_and_others_vanish(events):
    mask = np.concatenate([events.masks[name] for name in STREAMS], axis=1)
    kept = np.random.default_rng(0).random(mask.shape) < 0.5
    thinned = keep(events, STREAMS, kept)
    left = np.concatenate([thinned.masks[name] for name in STREAMS], axis=1)
    np.testing.assert_array_equal(left, mask & kept)
    for name in STREAMS:
        assert not thinned.streams[name][~thinned.masks[name]].any()
        np.testing.assert_array_equal(
            thinned.streams[name][thinned.masks[name]], events.streams[name][thinned.masks[name]]
        )
    np.testing.assert_array_equal(thinned.streams["kinematics"], events.streams["kinematics"])


def test_the_true_order_beats_all_others(events):
    orders = {"gradcam": worth(events), "wrong": -worth(events)}
    orders["pt"] = np.concatenate([column(events, name, "log_pt") for name in STREAMS], axis=1)
    shares, curves = removal_curves(additive_logits, events, STREAMS, orders, 6, 1)
    result = summarise_curves(shares, [curves])
    for kind, sign in (("deletion", 1), ("insertion", -1)):
        areas = {name: sign * entry["area"] for name, entry in result[kind].items()}
        assert areas["gradcam"] == min(areas.values())
        assert areas["wrong"] == max(areas.values())
        difference, error = result[kind]["gradcam"]["minus_random"]
        assert sign * difference < -5 * error


def test_curves_begin_and_end_where_they_must(events):
    shares, curves = removal_curves(additive_logits, events, STREAMS, {"gradcam": worth(events)}, 5, 1)
    whole = 1 / (1 + np.exp(-additive_logits(events)))
    empty = 1 / (1 + np.exp(2))
    for curve in curves.values():
        np.testing.assert_allclose(curve["deletion"][:, 0], whole)
        np.testing.assert_allclose(curve["deletion"][:, -1], empty)
        np.testing.assert_allclose(curve["insertion"][:, 0], empty)
        np.testing.assert_allclose(curve["insertion"][:, -1], whole)
        assert (np.diff(curve["deletion"], axis=1) <= 1e-12).all()  # every constituent adds to this logit
    assert shares.tolist() == [0, 0.25, 0.5, 0.75, 1]


def test_random_orders_repeat_with_their_seed(events):
    first, second, other = (
        removal_curves(additive_logits, events, STREAMS, {}, 4, seed)[1]["random"]["deletion"]
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()


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
    mask = np.arange(8) < 6
    mask = np.repeat(mask[None], 5, axis=0)
    cut = rank_correlation(first[:, :6], second[:, :6], mask[:, :6])
    assert rank_correlation(np.where(mask, first, 9), np.where(mask, second, -9), mask) == cut
