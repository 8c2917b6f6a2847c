"""Networks that know nothing."""

import numpy as np

from jetlens.config.explanation import ExplanationConfig
from jetlens.explanation import randomised
from jetlens.explanation.randomised import random_labels, random_weights, randomise_from_the_top
from jetlens.explanation.registry import METHODS
from jetlens.explanation.relevance import layout
from jetlens.explanation.yardsticks import removable_slots
from jetlens.trained import load_model

SETTINGS = ExplanationConfig(variants=[])


def test_trainings_on_permuted_labels_are_the_unit_of_the_error(events, network_of_kind):
    """Two whose orders are the true one and its opposite say on average nothing, and not surely."""
    model = network_of_kind("self_attention")
    true = METHODS["leave_one_out"].explain(model, events, SETTINGS).value[0]

    def of(*signs):
        sides = {"signal": np.stack([sign * true for sign in signs])}
        return random_labels({"leave_one_out": sides}, [model] * 2, events, SETTINGS)["leave_one_out"]

    assert of(1, 1) == {"trainings": [1, 1], "permuted": [1, 0], "less": [0, 0]}
    assert of(1, -1)["permuted"] == [0, 0]
    assert of(1, -1)["less"][0] == -1
    one = random_labels({"leave_one_out": {"signal": true[None]}}, [model], events, SETTINGS)["leave_one_out"]
    assert np.isnan([one["permuted"][1], *one["less"]]).all()
    assert random_labels({}, [], events, SETTINGS) == {}


def test_every_network_with_random_weights_is_made_of_the_trained_one(toy_models, events, monkeypatch):
    """Three at once are what each is by itself: their mean, and its error over networks."""
    model = load_model(toy_models[0])
    about = layout(events, list(model.streams))
    removable = about["mask"] & removable_slots(about)[None]
    true = METHODS["leave_one_out"].explain(model, events, SETTINGS).value[:1]

    def at(seed):
        settings = SETTINGS.model_copy(update={"seed": seed})
        rows = random_weights(toy_models, events, {"leave_one_out": true}, removable, settings)
        return [row["rank_correlation"] for row in rows["leave_one_out"]]

    together = at(5)
    monkeypatch.setattr(randomised, "RANDOMISED", 1)
    each = np.array([at(seed) for seed in (5, 6, 7)])[..., 0]
    np.testing.assert_allclose(np.array(together)[:, 0], each.mean(axis=0), atol=2e-5)
    np.testing.assert_allclose(np.array(together)[:, 1], each.std(axis=0, ddof=1) / np.sqrt(3), atol=2e-5)


def test_weights_are_randomised_from_the_logit_down(network_of_kind):
    from keras.models import clone_model

    original = network_of_kind("cross_attention").model
    network = clone_model(original)
    network.set_weights(original.get_weights())
    before = [np.array(v) for v in network.trainable_variables]
    changed = []
    for _ in randomise_from_the_top(network, 1, (0.2, 1.0)):
        after = [np.array(v) for v in network.trainable_variables]
        changed.append([bool((a != b).any()) for a, b in zip(before, after, strict=True)])
        for a, b in zip(before, after, strict=True):
            np.testing.assert_array_equal(np.sort(a, axis=None), np.sort(b, axis=None))
    assert not any(changed[0][: len(before) // 2])
    assert any(changed[0])
    assert sum(changed[1]) > len(before) / 2
