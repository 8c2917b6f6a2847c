import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score
from sklearn.metrics import roc_curve as sklearn_roc_curve

from jetlens.errors import JetlensWarning, NoEventsError
from jetlens.evaluation.comparison import paired_difference
from jetlens.evaluation.metrics import auc, influence, mean_area, roc_curve, warn_if_few
from jetlens.evaluation.rejection import background_rejection, working_point


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
    point = working_point(scores, label, efficiency, weight)
    assert point.signal_efficiency >= efficiency * (1 - 1e-9)
    curve = roc_curve(scores, label, weight)
    tighter = curve.signal[curve.signal < point.signal_efficiency - 1e-12]
    assert (tighter < efficiency).all()
    passes = (scores >= point.threshold) & (label == 0)
    assert point.events == passes.sum()
    assert point.background_efficiency == pytest.approx(weight[passes].sum() / weight[label == 0].sum())


@given(events(), st.integers(0, 2**31))
def test_weights_of_either_sign_give_a_curve_that_rises_from_0_to_1(sample, seed):
    scores, label, weight = sample
    flipped = weight * np.where(np.random.default_rng(seed).random(len(weight)) < 0.3, -1, 1)
    for own in (label == 0, label == 1):
        flipped[np.flatnonzero(own)[0]] += max(0.0, 1e-3 - flipped[own].sum())  # a class must weigh something
    assert 0 <= auc(scores, label, flipped) <= 1
    curve = roc_curve(scores, label, flipped)
    for efficiency in (curve.signal, curve.background):
        assert (np.diff(efficiency) >= 0).all()
        assert (efficiency[0], efficiency[-1]) == (0, 1)


def test_with_weights_of_either_sign_the_area_is_that_of_the_positive_ones():
    """Weights of −1 for one in ten events at random change nothing but the error: √(Σw²)/Σw is 1.25 times larger."""
    scores, label = gaussian(40_000, 40_000)
    weight = np.where(np.random.default_rng(3).random(len(label)) < 0.1, -1.0, 1.0)
    signed, plain = (mean_area(scores, label, w) for w in (weight, None))
    assert signed.value != plain.value
    assert abs(signed.value - plain.value) < 3 * signed.spread.error
    assert signed.spread.error / plain.spread.error == pytest.approx(1.25, rel=0.05)


def test_an_area_above_one_was_possible():
    """The pair statistic of these weights, Σ w w' [s > s'] / Σ w Σ w', is 1.5."""
    assert auc([3.0, 1.0, 0.0, 2.0], [1, 1, 1, 0], [2.0, -1.0, 1.0, 1.0]) <= 1


def test_few_effective_events_are_warned_of():
    label = np.repeat([1, 0], 200)
    weight = np.where((np.arange(400) % 4 == 0) & (label == 0), -1.0, 1.0)
    with pytest.warns(JetlensWarning, match="200 background events, 50 of negative weight, count like 50"):
        warn_if_few(label, weight, "evaluation")
    assert warn_if_few(label, np.ones(400), "evaluation") == {"signal": 200, "background": 200}
    with pytest.warns(JetlensWarning, match="200 signal events, 0 of negative weight, count like 4 "):
        warn_if_few(label, np.where((label == 1) & (np.arange(400) > 3), 1e-6, 1.0), "evaluation")


def test_a_known_curve_gives_its_rejection():
    """Unit Gaussians at distance d: ε_B = Φ(−d − Φ⁻¹(1 − ε_S) …) in closed form, for each of two seeds."""
    from scipy.stats import norm

    scores, label = gaussian(20_000, 80_000, distance=2.0)
    other, _ = gaussian(20_000, 80_000, distance=2.0, seed=1)
    for efficiency in (0.3, 0.5, 0.7):
        truth = 1 / norm.sf(2 + norm.isf(efficiency))
        result = background_rejection(np.stack([scores, other]), label, efficiency)
        assert abs(result.value - truth) < 4 * (result.high - result.low) / 2
        assert result.value == pytest.approx(truth, rel=0.06)


def test_the_interval_knows_that_the_cut_moves():
    """Few signal events, much background: a fixed cut has an error of 1 %, its true spread is over 10 %."""
    found = []
    for seed in range(60):
        scores, label = gaussian(100, 100_000, distance=1.0, seed=seed)
        found.append(background_rejection(scores, label, 0.5, replicas=200))
    spread = np.std([result.value for result in found])
    half = np.mean([(result.high - result.low) / 2 for result in found])
    fixed = np.mean([result.value * np.sqrt(result.value / 100_000) for result in found])
    assert half == pytest.approx(spread, rel=0.25)
    assert fixed < 0.2 * spread


def test_the_interval_knows_of_processes_of_which_no_event_passes():
    """Of 100 events that weigh 100 times as much half of one passes: the interval of the others alone is too narrow."""
    from scipy.stats import norm

    rng = np.random.default_rng(3)
    label, weight = np.repeat([1, 0], [400, 1100]), np.repeat([1.0, 100.0], [1400, 100])
    place = np.repeat([2.0, 0.0, 2 - norm.isf(0.005)], [400, 1000, 100])
    truth = 11_000 / (1000 * norm.sf(2) + 10_000 * 0.005)
    held = []
    for _ in range(100):
        result = background_rejection(rng.normal(size=1500) + place, label, 0.5, weight, replicas=100)
        held.append(result.low <= truth <= result.high)
    assert np.mean(held) > 0.68 - 2 * 0.047


@pytest.mark.parametrize("passing", [0, 1, 2])
def test_fewer_than_three_background_events_give_a_limit(passing):
    scores = np.concatenate([np.full(50, 1.0), np.full(passing, 2.0), np.zeros(100 - passing)])
    result = background_rejection(scores, np.repeat([1, 0], [50, 100]), 0.5)
    assert result.is_limit
    assert (result.low, result.high, result.events) == (None, None, passing)
    # with a smaller rejection as few events would pass in 5 % of samples
    from scipy.stats import binom

    assert binom.cdf(passing, 100, 1 / result.value) == pytest.approx(0.05, rel=0.05)


def test_three_give_an_asymmetric_interval():
    scores = np.concatenate([np.full(50, 1.0), np.full(3, 2.0), np.zeros(97)])
    result = background_rejection(scores, np.repeat([1, 0], [50, 100]), 0.5)
    assert result.value == pytest.approx(100 / 3)
    assert result.high - result.value > 1.3 * (result.value - result.low) > 0


def test_influences_are_what_an_event_less_changes():
    """The jackknife by leaving out each event in turn, with weights and ties."""
    rng = np.random.default_rng(4)
    scores, label, weight = rng.integers(0, 9, 60) * 1.0, np.repeat([1, 0], 30), rng.uniform(0.5, 2, 60)
    whole = auc(scores, label, weight)
    moved = influence(scores, label, weight)[0]
    for left_out in range(60):
        keep = np.arange(60) != left_out
        change = whole - auc(scores[keep], label[keep], weight[keep])
        assert moved[left_out] == pytest.approx(change, abs=0.08 * np.abs(moved).max())


def test_the_error_is_that_of_a_bootstrap():
    scores, label = gaussian(150, 250)
    rng = np.random.default_rng(1)
    areas = []
    for _ in range(600):
        chosen = np.concatenate([rng.choice(np.flatnonzero(label == k), (label == k).sum()) for k in (1, 0)])
        areas.append(auc(scores[chosen], label[chosen]))
    assert mean_area(scores, label).spread.error == pytest.approx(np.std(areas), rel=0.08)


@pytest.mark.parametrize(("signal", "heavy"), [(300, 8), (5, 0)])
def test_the_error_of_few_events_is_one_of_few_events(signal, heavy):
    """Eight of the background's events weigh 100 times as much as the others; and five events of signal."""
    from scipy.stats import norm

    rng = np.random.default_rng(1)
    held = []
    label, weight = np.repeat([1, 0], [signal, 108]), np.ones(signal + 108)
    weight[signal : signal + heavy] = 100.0
    for _ in range(400):
        scores = rng.normal(size=len(label)) + 1.5 * label
        low, high = mean_area(scores, label, weight).interval
        held.append(low <= norm.cdf(1.5 / np.sqrt(2)) <= high)
    assert np.mean(held) > 0.68 - 2 * 0.023


def test_of_a_class_with_one_event_nothing_is_known():
    scores, label = gaussian(1, 500)
    assert mean_area(scores, label).spread.error >= 0.5
    weight = np.where(np.arange(501) < 2, 1.0, 0.0)
    assert mean_area(scores, label, weight).spread.error >= 0.5
    other = scores + np.random.default_rng(2).normal(size=501)
    assert paired_difference(scores, other, label).p_value > 0.3


def test_pairing_cancels_common_fluctuations():
    scores, label = gaussian()
    close = scores + 0.1 * np.random.default_rng(5).normal(size=len(scores))
    paired = paired_difference(scores, close, label)
    assert paired.spread.events < 0.4 * mean_area(scores, label).spread.events
    assert paired.z == pytest.approx(paired.value / paired.spread.error, rel=0.01)


def test_a_variant_does_not_differ_from_itself_but_seeds_add_spread():
    scores, label = gaussian()
    same = paired_difference(scores, scores, label)
    assert (same.value, same.spread.error, same.p_value, same.z) == (0, 0, 1, 0)
    rng = np.random.default_rng(5)
    seeds = np.stack([scores + (label == 1) * shift for shift in rng.normal(0, 0.3, 3)])
    spread = paired_difference(seeds, seeds, label).spread
    areas = [auc(row, label) for row in seeds]
    # two means of three seeds each, independent of each other
    assert spread.sigma == pytest.approx(np.sqrt(2 / 3) * np.std(areas, ddof=1), rel=0.03)
    assert spread.events == 0
    # known from 2 + 2 degrees of freedom: |t₄| < 1.14 in 68 % of cases
    assert spread.error / spread.sigma == pytest.approx(1.142, rel=0.02)


def test_large_test_samples_take_seconds():
    import time

    scores, label = gaussian(10_000, 10_000)
    start = time.process_time()
    mean_area(np.stack([scores, -scores, scores]), label)
    background_rejection(np.stack([scores, scores]), label, 0.5)
    assert time.process_time() - start < 3


@pytest.mark.parametrize("label", [[1, 1, 1], [0, 0, 0]])
def test_an_empty_class_is_an_error(label):
    with pytest.raises(NoEventsError, match="both classes"):
        auc([1.0, 2.0, 3.0], label)
