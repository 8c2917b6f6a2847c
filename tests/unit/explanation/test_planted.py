"""Explanations against a known answer; the whole table is benchmarks/planted.py."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from jetlens.config.explanation import ExplanationConfig
from jetlens.explanation.planted import (
    MASS,
    STREAM,
    TOYS,
    displaced_track,
    mass_pair,
    score,
    train,
    two_prong,
)
from jetlens.explanation.registry import METHODS

SETTINGS = ExplanationConfig(variants=[], permutations=6)


def test_the_planted_pair_has_its_mass():
    toy = mass_pair(400, np.random.default_rng(0))
    eta, phi, log_pt = (toy.features.streams[STREAM][..., i].astype(float) for i in range(3))
    for n in np.flatnonzero(toy.features.label == 1)[:50]:
        i, j = np.flatnonzero(toy.planted[n])
        m2 = (
            2
            * np.exp(log_pt[n, i] + log_pt[n, j])
            * (np.cosh(eta[n, i] - eta[n, j]) - np.cos(phi[n, i] - phi[n, j]))
        )
        assert np.sqrt(m2) == pytest.approx(MASS, abs=5)


@pytest.mark.parametrize("name", TOYS)
def test_planted_constituents_are_real_and_of_signal_alone(name):
    toy = TOYS[name](300, np.random.default_rng(1))
    assert not (toy.planted & ~toy.features.masks[STREAM]).any()
    assert ((toy.planted.sum(axis=1) > 0) == (toy.features.label == 1)).all()


def test_the_truth_scores_one_and_chance_what_chance_is():
    toy = two_prong(2000, np.random.default_rng(2))
    signal = toy.features.label == 1
    planted, mask = toy.planted[signal], toy.features.masks[STREAM][signal]
    assert score(planted.astype(float), planted, mask) == {"mass": [1, 0], "rank_accuracy": [1, 0]}
    mean, error = score(np.random.default_rng(3).random(mask.shape), planted, mask)["rank_accuracy"]
    assert abs(mean - (planted.sum(1) / mask.sum(1)).mean()) < 4 * error


def test_the_displaced_track_is_found_by_methods_that_ask_the_network():
    rng = np.random.default_rng(1)
    model = train(displaced_track(2000, rng), epochs=6)
    test = displaced_track(400, rng)
    assert roc_auc_score(test.features.label, model.predict_logits(test.features)) > 0.95
    chosen = np.flatnonzero(test.features.label == 1)[:30]
    events = test.features.select(chosen)
    for method in ("leave_one_out", "relevance", "integrated_gradients", "shapley"):
        value = METHODS[method].explain(model, events, SETTINGS).value[0]
        found = score(value, test.planted[chosen], events.masks[STREAM])
        assert found["rank_accuracy"][0] >= 0.9, method
