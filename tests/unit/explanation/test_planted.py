"""Explanations against a known answer; the whole table is benchmarks/planted.py."""

import itertools

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from jetlens.config.explanation import ExplanationConfig
from jetlens.config.load import load
from jetlens.config.models import stream_names
from jetlens.explanation.planted import (
    MASS,
    STREAM,
    TOYS,
    displaced_track,
    mass_pair,
    network,
    pair_mass,
    score,
    train,
    two_prong,
)
from jetlens.explanation.registry import METHODS
from tests.conftest import ROOT

SETTINGS = ExplanationConfig(variants=[], permutations=6)
CONFIG = ROOT / "config"


@pytest.fixture(scope="module")
def pairs():
    """Toy jets of the mass pair, with all they hold (N, T, 4), and which constituents are hard (N, T)."""
    toy = mass_pair(2000, np.random.default_rng(0))
    values = toy.features.streams[STREAM].astype(float)
    return toy, values, values[..., 2] > 3


def test_the_planted_pair_alone_has_its_mass(pairs):
    toy, values, hard = pairs
    assert not (toy.planted & ~hard).any()
    for n in range(400):
        for i, j in itertools.combinations(np.flatnonzero(hard[n]), 2):
            away = abs(pair_mass(values[n, i], values[n, j]) - MASS)
            assert away < 5 if toy.planted[n, [i, j]].all() else away > 7.9


def test_half_of_a_pair_is_background(pairs):
    """It takes both: neither what one is by itself nor how many there are tells."""
    toy, values, hard = pairs
    signal = toy.features.label == 1
    assert set(hard[~signal].sum(axis=1)) == {0, 1, 2, 3}
    assert set((hard & ~toy.planted)[signal].sum(axis=1)) == {0, 1}
    # were pairs centred on the jet's axis, each would know its partner's place: |m − 40 GeV| from one of the two
    radius = np.hypot(values[..., 0], values[..., 1])
    guess = -np.abs(2 * radius * np.exp(values[..., 2]) - MASS)
    one = np.concatenate([guess[toy.planted], guess[hard & ~signal[:, None]]])
    of_signal = np.arange(len(one)) < toy.planted.sum()
    assert abs(roc_auc_score(of_signal, one) - 0.5) < 0.07


@pytest.mark.parametrize("name", TOYS)
def test_planted_constituents_are_real_and_of_signal_alone(name):
    toy = TOYS[name](300, np.random.default_rng(1))
    assert not (toy.planted & ~toy.features.masks[STREAM]).any()
    others = (toy.features.masks[STREAM] & ~toy.planted).sum(axis=1)
    assert others.min() <= 1
    assert ((toy.planted.sum(axis=1) > 0) == (toy.features.label == 1)).all()


def test_the_truth_scores_one_and_chance_what_chance_is():
    toy = two_prong(2000, np.random.default_rng(2))
    signal = toy.features.label == 1
    planted, mask = toy.planted[signal], toy.features.masks[STREAM][signal]
    assert score(planted.astype(float), planted, mask) == {"mass": [1, 0], "rank_accuracy": [1, 0]}
    mean, error = score(np.random.default_rng(3).random(mask.shape), planted, mask)["rank_accuracy"]
    assert abs(mean - (planted.sum(1) / mask.sum(1)).mean()) < 4 * error


@pytest.mark.parametrize(
    ("file", "variant"), [("config.yaml", "self_attention"), ("full.yaml", "particle_transformer")]
)
def test_toys_are_learnt_by_the_pipelines_own_networks(file, variant):
    """Nothing but what is read differs; symmetries are those of what toys have: none."""
    given = load(CONFIG / file).models[variant]
    options = network(given)
    assert stream_names(options) == [STREAM]
    assert not options.use_event
    same = {"stream", "streams", "use_event", "training"}
    assert options.model_dump(exclude=same) == given.model_dump(exclude=same)
    assert options.training.augmentation == []


def test_the_displaced_track_is_found_by_methods_that_ask_the_network():
    config = load(CONFIG / "config.yaml")
    options, settings = network(config.models["self_attention"]), config.training
    rng = np.random.default_rng(1)
    model = train(displaced_track(4000, rng), options, settings.model_copy(update={"epochs": 6}))
    test = displaced_track(400, rng)
    assert roc_auc_score(test.features.label, model.predict_logits(test.features)) > 0.95
    chosen = np.flatnonzero(test.features.label == 1)[:30]
    events = test.features.select(chosen)
    for method in ("leave_one_out", "integrated_gradients", "shapley"):
        value = METHODS[method].explain(model, events, SETTINGS).value[0]
        found = score(value, test.planted[chosen], events.masks[STREAM])
        assert found["rank_accuracy"][0] >= 0.9, method
