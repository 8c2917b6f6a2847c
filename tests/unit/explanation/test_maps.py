import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jetlens.errors import FileError
from jetlens.explanation.maps import Tokens, average, column, masked_mean, normalise, rank_profile, ranks
from jetlens.features.featurefile import FeatureSet

EDGES = np.linspace(-0.8, 0.8, 9)


def random_tokens(seed, events=20, slots=12):
    """Two jets of constituents, some outside of the grid, some slots padded, one event without any."""
    rng = np.random.default_rng(seed)
    mask = rng.random((events, slots)) < 0.7
    mask[0] = False
    eta, phi = (np.where(mask, rng.normal(0, 0.4, mask.shape), 0) for _ in range(2))
    rank = np.argsort(np.argsort(np.where(mask, rng.random(mask.shape), 2), axis=1), axis=1)
    return Tokens(eta, phi, mask, np.repeat([0, 1], slots // 2), ["jet1", "jet2"], rank)


@given(st.integers(0, 1000))
@settings(max_examples=30)
def test_uniform_values_show_no_preference_anywhere(seed):
    tokens = random_tokens(seed)
    weight = np.random.default_rng(seed).uniform(0.1, 5, len(tokens.mask))
    values = normalise(np.ones(tokens.mask.shape), tokens.mask)
    for stream in (0, 1):
        result = average(values, tokens, stream, weight, EDGES)
        filled = result.entries > 0
        np.testing.assert_allclose(result.relative[filled], 1)
        np.testing.assert_allclose(result.relative_error[filled], 0, atol=1e-12)
        assert np.isnan(result.relative[~filled]).all()
    profile, _ = rank_profile(values, tokens, weight)
    np.testing.assert_allclose(profile[np.isfinite(profile)], 1)


@given(st.integers(0, 1000))
@settings(max_examples=30)
def test_shares_of_both_jets_and_what_lies_outside_add_up_to_one(seed):
    tokens = random_tokens(seed)
    rng = np.random.default_rng(seed)
    values = normalise(rng.random(tokens.mask.shape), tokens.mask)
    parts = [average(values, tokens, j, np.ones(len(values)), EDGES) for j in (0, 1)]
    assert sum(part.density.sum() + part.outside for part in parts) == pytest.approx(1)


@given(st.integers(0, 1000))
@settings(max_examples=30)
def test_padding_and_order_of_slots_change_nothing(seed):
    tokens = random_tokens(seed)
    rng = np.random.default_rng(seed)
    raw, weight = rng.random(tokens.mask.shape), rng.uniform(0.1, 5, len(tokens.mask))
    first = average(normalise(raw, tokens.mask), tokens, 0, weight, EDGES)
    order = rng.permutation(6)
    shuffle = np.concatenate([order, np.arange(6, 12)])
    padded = np.where(tokens.mask, raw, 99)[:, shuffle]
    moved = Tokens(
        np.where(tokens.mask, tokens.eta, 0.1)[:, shuffle],
        np.where(tokens.mask, tokens.phi, -0.1)[:, shuffle],
        tokens.mask[:, shuffle],
        tokens.stream[shuffle],
        tokens.streams,
        tokens.rank[:, shuffle],
    )
    second = average(normalise(padded, moved.mask), moved, 0, weight, EDGES)
    for name in ("density", "density_error", "relative", "relative_error", "entries"):
        np.testing.assert_allclose(getattr(first, name), getattr(second, name), atol=1e-12)


def test_a_constituent_lands_at_its_own_place():
    mask = np.array([[True, True]])
    tokens = Tokens(
        np.array([[0.5, -0.3]]), np.array([[-0.7, 0.1]]), mask, np.array([0, 0]), ["jet1"], np.array([[0, 1]])
    )
    result = average(np.array([[0.9, 0.1]]), tokens, 0, np.ones(1), EDGES)
    # cells are 0.2 wide: Δη = 0.5 is the seventh, Δφ = −0.7 the first
    assert result.density[6, 0] == pytest.approx(0.9)
    assert result.density[2, 4] == pytest.approx(0.1)
    assert result.relative[6, 0] == pytest.approx(1.8)


def test_errors_match_repeated_samples():
    samples = [random_tokens(seed, events=200) for seed in range(200)]
    relative, density, errors = [], [], []
    for seed, tokens in enumerate(samples):
        rng = np.random.default_rng(1000 + seed)
        weight = rng.uniform(0.5, 1.5, 200)
        result = average(normalise(rng.random(tokens.mask.shape), tokens.mask), tokens, 0, weight, EDGES)
        relative.append(result.relative[4, 4])
        density.append(result.density[4, 4])
        errors.append((result.relative_error[4, 4], result.density_error[4, 4]))
    quoted = np.mean(errors, axis=0)
    assert quoted[0] == pytest.approx(np.std(relative), rel=0.2)
    assert quoted[1] == pytest.approx(np.std(density), rel=0.2)


def test_events_without_a_map_count_in_no_average():
    tokens = random_tokens(3)
    values = normalise(np.random.default_rng(0).random(tokens.mask.shape), tokens.mask)
    silent = values.copy()
    silent[5:10] = 0
    chosen = np.r_[0:5, 10:20]
    part = Tokens(
        tokens.eta[chosen],
        tokens.phi[chosen],
        tokens.mask[chosen],
        tokens.stream,
        tokens.streams,
        tokens.rank,
    )
    first = average(silent, tokens, 0, np.ones(20), EDGES)
    second = average(values[chosen], part, 0, np.ones(15), EDGES)
    np.testing.assert_allclose(first.density, second.density)


def test_mean_over_real_entries_only():
    values, mask = np.array([[1.0, 9.0], [3.0, 5.0]]), np.array([[True, False], [True, False]])
    mean, error = masked_mean(values, mask, np.array([1.0, 3.0]))
    assert mean[0] == pytest.approx(2.5)
    assert np.isnan(mean[1])
    assert error[0] == pytest.approx(np.sqrt(1.5**2 + 9 * 0.5**2) / 4)


def test_ranks_count_from_the_hardest():
    log_pt, mask = np.array([[1.0, 3.0, 2.0, 9.0]]), np.array([[True, True, True, False]])
    assert ranks(log_pt, mask).tolist() == [[2, 0, 1, 3]]


def test_a_missing_feature_is_named(demo_features):
    features = FeatureSet.read(demo_features["signal_H1000"])
    with pytest.raises(FileError, match="did you mean 'delta_eta'"):
        column(features, "jet1", "delta_et")
