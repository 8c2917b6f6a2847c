"""TensorFlow's fused kernel takes the very steps of AdamW as it is written down."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from jetlens.training.fast_path import step_in_place
from jetlens.training.optimizer import FlatAdamW, flat


@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_steps_in_place_agree_with_the_formula(decay: float, momentum: float) -> None:
    keras.utils.set_random_seed(1)
    layer = keras.layers.Dense(4)
    layer.build((None, 3))
    variables = layer.trainable_variables
    plain, fused = (FlatAdamW(0.01, decay, 1.0, momentum) for _ in range(2))
    for optimizer in (plain, fused):
        optimizer.build(variables)
    weights = flat(variables)
    in_place = tf.Variable(weights)
    rng = np.random.default_rng(3)
    for rate in (0.01, 0.02, 0.005, 0.0):
        gradient = tf.constant(rng.normal(size=weights.shape), dtype="float32") * 10.0 ** rng.integers(-9, 2)
        plain.learning_rate = rate
        weights = plain.stepped(weights, gradient)
        step_in_place(fused, in_place, gradient, tf.constant(rate))
        np.testing.assert_allclose(in_place, weights, rtol=1e-4, atol=1e-6)
        for left, right in zip(fused.variables, plain.variables, strict=True):
            if left.name != "learning_rate":
                # the kernel takes 1 − β₂ in float32, which keeps five digits of it
                np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-6)
