"""Choices of players: what is shared between them must not change what they score."""

import dataclasses

import numpy as np
import pytest

from jetlens.explanation.players import Players

from .conftest import OPTIONS


def choices(players, rng, number=60):
    """Choices of several events, mixed: any, nobody, everybody, one stream alone, some of them twice."""
    events = rng.integers(0, len(players.real), number)
    present = players.real[events] & (rng.random((number, players.real.shape[1])) < rng.random((number, 1)))
    present[:3] = False
    present[3:6] = players.real[events[3:6]]
    present[6:9, players.slots[0] :] = False
    return np.tile(events, 2), np.tile(present, (2, 1))


@pytest.mark.parametrize("kind", OPTIONS)
def test_a_network_in_stages_scores_as_the_whole(kind, events, network_of_kind, monkeypatch):
    from jetlens.models import staged

    monkeypatch.setattr(staged, "ROWS", 16)  # several batches, the last one shorter
    model = network_of_kind(kind)
    holes = {name: mask.copy() for name, mask in events.masks.items()}
    holes["jet1"][:, 1] = False  # real tokens need not stand first
    events = dataclasses.replace(events, masks=holes)
    players = Players(model, events)
    assert players._staged is not None
    who, present = choices(players, np.random.default_rng(0))
    found = players.logits(who, present)
    whole = model.predict_arrays(players._inputs(who, present), events.metadata)
    np.testing.assert_allclose(found, whole, rtol=1e-5, atol=2e-5)
    assert found.std() > 0.01


def test_weights_that_change_are_those_that_score(events, network_of_kind):
    model = network_of_kind("cross_attention")
    players, before = Players(model, events), model.model.get_weights()
    first = players.whole()
    for variable in model.model.trainable_variables:
        variable.assign(0.9 * np.asarray(variable))
    np.testing.assert_allclose(players.whole(), model.predict_logits(events), rtol=1e-5, atol=2e-5)
    assert np.abs(players.whole() - first).max() > 1e-3
    model.model.set_weights(before)
    np.testing.assert_array_equal(players.whole(), first)


def test_stages_are_made_once_for_all_trainings(events, network_of_kind):
    import keras

    model = network_of_kind("concatenation")
    other = keras.models.clone_model(model.model)
    twin = type(model)(other, model.manifest, model.options)
    assert Players(model, events)._staged is Players(twin, events)._staged
    np.testing.assert_allclose(
        Players(twin, events).whole(), twin.predict_logits(events), rtol=1e-5, atol=2e-5
    )
