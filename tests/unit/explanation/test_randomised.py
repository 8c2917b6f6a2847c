"""Networks that know nothing."""

import numpy as np

from jetlens.config.explanation import ExplanationConfig
from jetlens.explanation.randomised import random_labels, randomise_from_the_top
from jetlens.explanation.registry import METHODS

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
