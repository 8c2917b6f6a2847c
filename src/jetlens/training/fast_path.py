"""Gradient steps on TensorFlow, faster than Keras' trainer: ``training.fast_path``.

The layers' part is :mod:`jetlens.models.arithmetic`. Both take the steps of the plain path, to rounding (tested).
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from jetlens.features.batches import Batch
from jetlens.training.optimizer import FlatAdamW, flat
from jetlens.training.step import weighted_loss


def step_in_place(optimizer: FlatAdamW, weights: Any, gradient: Any, rate: Any) -> None:
    """Do on a TensorFlow variable what :meth:`FlatAdamW.stepped` does, by TensorFlow's fused kernel for Adam.

    The kernel divides m by √v + ε, Adam m / (1 − β₁ᵗ) by √(v / (1 − β₂ᵗ)) + ε: with the ε below both are the same.
    """
    gradient = optimizer.clipped(gradient)
    optimizer.iterations.assign(optimizer.iterations + 1)
    step = ops.cast(optimizer.iterations, "float32")
    powers = optimizer.BETA_1**step, optimizer.BETA_2**step
    if optimizer.decay:
        weights.assign(weights * (1.0 - (rate * optimizer.decay) * optimizer.decayed))
    tf.raw_ops.ResourceApplyAdam(
        var=weights.handle,
        m=optimizer.first.value.handle,
        v=optimizer.second.value.handle,
        beta1_power=powers[0],
        beta2_power=powers[1],
        lr=rate,
        beta1=optimizer.BETA_1,
        beta2=optimizer.BETA_2,
        epsilon=optimizer.EPSILON * tf.sqrt(1.0 - powers[1]),
        grad=gradient,
    )
    optimizer.remember(weights, step)


class TensorFlowStep:
    """One graph of forward pass, gradient and update, in which all weights are one vector.

    Reading and writing a hundred small variables takes longer than the arithmetic on them. So the vector is what is
    trained, and the model's own variables lag behind until :meth:`finish`.
    """

    def __init__(self, model: keras.Model, optimizer: FlatAdamW) -> None:
        """Trace the graph, by the arithmetic that :func:`jetlens.models.arithmetic.fast_path` allows now."""
        self.model = model
        self.optimizer = optimizer
        variables = model.trainable_variables
        self.weights = tf.Variable(flat(variables), trainable=False)
        names = [t.name for t in model.inputs]
        vector = tf.TensorSpec((None,), "float32")
        signature = [tf.TensorSpec(t.shape, t.dtype) for t in model.inputs]
        signature += [vector, vector, tf.TensorSpec((), "float32")]

        @tf.function(input_signature=signature, autograph=False)  # type: ignore[untyped-decorator, unused-ignore]
        def graph(*arguments: Any) -> Any:
            *inputs, label, weight, rate = arguments
            x = dict(zip(names, inputs, strict=True))
            weights = self.weights.read_value()
            with tf.GradientTape() as tape:
                tape.watch(weights)
                parts = optimizer.parts(variables, weights)
                with keras.StatelessScope(list(zip(variables, parts, strict=True))) as scope:
                    loss = weighted_loss(label, model(x, training=True)[:, 0], weight)
                    scaled = optimizer.scale_loss(loss)
            for variable in model.non_trainable_variables:  # such as counters of random numbers
                value = scope.get_current_value(variable)
                if value is not None:
                    variable.assign(value)
            step_in_place(optimizer, self.weights, tape.gradient(scaled, weights), rate)
            return loss

        self._names = names
        self._constant = tf.constant
        self._graph = graph.get_concrete_function()

    def __call__(self, batch: Batch, rate: float) -> float:
        """Take one step; see :class:`jetlens.training.step.Step`."""
        arrays = [batch.inputs[name] for name in self._names]
        # called with tensors alone, a concrete function need not look for the right one
        tensors = [self._constant(array) for array in (*arrays, batch.label, batch.weight, np.float32(rate))]
        return float(self._graph(*tensors))

    def finish(self) -> None:
        """Write the vector to the model's own variables."""
        self.optimizer.fill(self.model.trainable_variables, self.weights)
