import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score
from sklearn.metrics import roc_curve as sklearn_roc_curve

from jetlens.errors import NoEventsError
from jetlens.evaluation.metrics import (
    auc,
    auc_replicas,
    background_rejection,
    interval_68,
    paired_difference,
    resample,
    roc_curve,
)


@st.composite
def events(draw):
    """Scores with many ties, labels of both classes, positive weights."""
    number = draw(st.integers(2, 40))
    scores = draw(st.lists(st.integers(-5, 5), min_size=number, max_size=number))
    label = draw(st.lists(st.integers(0, 1), min_size=number, max_size=number))
    weight = draw(st.lists(st.floats(0.01, 100), min_size=number, max_size=number))
    label[0], label[1] = 0, 1
    return np.array(scores, dtype=float), np.array(label), np.array(weight)


def gaussian(signal=400, background=600, distance=1.5, seed=0):
    rng = np.random.default_rng(seed)
    scores = np.concatenate([rng.normal(distance, 1, signal), rng.normal(0, 1, background)])
    return scores, np.repeat([1, 0], [signal, background])


@given(events())
def test_area_and_curve_agree_with_scikit_learn(sample):
    scores, label, weight = sample
    assert auc(scores, label, weight) == pytest.approx(roc_auc_score(label, scores, sample_weight=weight))
    curve = roc_curve(scores, label, weight)
    fpr, tpr, _ = sklearn_roc_curve(label, scores, sample_weight=weight, drop_intermediate=False)
    np.testing.assert_allclose(curve.signal, tpr, atol=1e-12)
    np.testing.assert_allclose(curve.background, fpr, atol=1e-12)


@given(events())
def test_only_the_order_of_scores_counts(sample):
    scores, label, weight = sample
    assert auc(np.exp(scores / 3), label, weight) == auc(scores, label, weight)


@given(events())
def test_an_event_twice_is_an_event_of_double_weight(sample):
    scores, label, weight = sample
    double = np.ones_like(weight)
    double[::2] = 2
    repeats = double.astype(int)
    np.testing.assert_allclose(
        auc(np.repeat(scores, repeats), np.repeat(label, repeats), np.repeat(weight, repeats)),
        auc(scores, label, weight * double),
        rtol=1e-12,
    )


@given(events())
def test_swapping_the_classes_mirrors_the_area(sample):
    scores, label, weight = sample
    assert auc(scores, 1 - label, weight) == pytest.approx(1 - auc(scores, label, weight), abs=1e-12)


@given(events(), st.floats(0.01, 1.0))
def test_the_cut_keeps_at_least_the_wanted_signal_and_is_the_tightest_that_does(sample, efficiency):
    scores, label, weight = sample
    result = background_rejection(scores, label, efficiency, weight)
    assert result.signal_efficiency >= efficiency * (1 - 1e-9)
    curve = roc_curve(scores, label, weight)
    tighter = curve.signal[curve.signal < result.signal_efficiency - 1e-12]
    assert (tighter < efficiency).all()
    if result.is_limit:
        assert result.error is None
        assert result.passing == 0
        assert np.isfinite(result.value)
    else:
        assert result.value == pytest.approx(1 / result.background_efficiency)


def test_rejection_error_is_binomial():
    scores, label = gaussian(signal=1000, background=1000)
    result = background_rejection(scores, label, 0.5)
    share = result.passing / 1000
    assert result.value == pytest.approx(1 / share)
    assert result.error == pytest.approx(np.sqrt(share * (1 - share) / 1000) / share**2)


def test_rejection_without_background_is_the_limit_of_zero_counts():
    scores = np.array([3.0, 4.0, 0.0, 1.0, -1.0])
    result = background_rejection(scores, [1, 1, 0, 0, 0], 0.5)
    assert result.is_limit
    # (1 − 1/limit)³ = 5 %: with a smaller rejection three of three events would fail less often than that
    assert (1 - 1 / result.value) ** 3 == pytest.approx(0.05)


def test_rejection_error_covers_in_repeated_experiments():
    truth = background_rejection(*gaussian(200_000, 200_000, seed=99), 0.5).background_efficiency
    inside = 0
    for seed in range(200):
        scores, label = gaussian(2000, 2000, seed=seed)
        result = background_rejection(scores, label, 0.5)
        # signal statistics move the cut; large signal samples are assumed at fixed cut, so allow 1.5 σ here
        inside += abs(result.background_efficiency - truth) < 1.5 * result.error / result.value**2
    assert inside / 200 > 0.68


def test_resampling_keeps_the_number_of_each_class():
    label = np.array([1, 0, 0, 1, 0, 0, 0])
    counts = resample(label, 50, np.random.default_rng(3))
    assert (counts[:, label == 1].sum(axis=1) == 2).all()
    assert (counts[:, label == 0].sum(axis=1) == 5).all()
    assert counts[:, 0].std() > 0


@given(events())
@settings(max_examples=25)
def test_replicas_are_areas_of_resampled_events(sample):
    scores, label, weight = sample
    counts = resample(label, 4, np.random.default_rng(0))
    replicas = auc_replicas(scores, label, counts, weight)
    for replica, count in zip(replicas, counts, strict=True):
        slow = roc_auc_score(
            np.repeat(label, count), np.repeat(scores, count), sample_weight=np.repeat(weight, count)
        )
        assert replica == pytest.approx(slow)


def test_bootstrap_interval_covers_the_true_area():
    # P(s_S > s_B) of two unit Gaussians at distance d is Φ(d/√2)
    from math import erf

    truth = 0.5 * (1 + erf(1.5 / 2))
    inside = 0
    for seed in range(120):
        scores, label = gaussian(150, 200, seed=seed)
        counts = resample(label, 200, np.random.default_rng(seed))
        low, high = interval_68(auc_replicas(scores, label, counts))
        inside += low < truth < high
    # 68 % of 120 is 82 ± 5
    assert 66 <= inside <= 98


def test_pairing_cancels_common_fluctuations():
    scores, label = gaussian()
    rng = np.random.default_rng(5)
    close = scores + 0.1 * rng.normal(size=len(scores))
    paired = paired_difference(scores[None], close[None], label, replicas=300, seed=1)
    counts = resample(label, 300, np.random.default_rng(1))
    alone = auc_replicas(scores, label, counts).std()
    assert paired.error_events < 0.4 * alone
    assert paired.interval[0] < paired.value < paired.interval[1]
    again = paired_difference(scores[None], close[None], label, replicas=300, seed=1)
    assert again == paired


def test_a_variant_does_not_differ_from_itself_but_seeds_add_spread():
    scores, label = gaussian()
    rng = np.random.default_rng(5)
    seeds = np.stack([scores + noise * rng.normal(size=len(scores)) for noise in (0.1, 1.0, 2.0)])
    same = paired_difference(scores, scores, label, replicas=100, seed=1)
    assert same.value == 0
    assert same.interval == (0, 0)
    spread = paired_difference(seeds, seeds, label, replicas=300, seed=1)
    assert spread.error_events == 0
    area = [auc(row, label) for row in seeds]
    # two independent means of three seeds each
    expected = np.sqrt(2 / 3) * np.std(area, ddof=1)
    assert (spread.interval[1] - spread.interval[0]) / 2 == pytest.approx(expected, rel=0.35)


def test_bootstrap_is_fast_enough_for_large_test_samples():
    import time

    scores, label = gaussian(10_000, 10_000)
    start = time.process_time()
    auc_replicas(scores, label, resample(label, 200, np.random.default_rng(0)))
    assert time.process_time() - start < 3


@pytest.mark.parametrize("label", [[1, 1, 1], [0, 0, 0]])
def test_an_empty_class_is_an_error(label):
    with pytest.raises(NoEventsError, match="both classes"):
        auc([1.0, 2.0, 3.0], label)
