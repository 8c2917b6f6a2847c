"""One gradient step and one prediction, on each of Keras' back ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from jetlens.training.data import Arrays, Batch

Step = Callable[[Batch], float]
Predict = Callable[[Arrays], NDArray[np.float32]]


def weighted_loss(label: Any, logit: Any, weight: Any) -> Any:
    """Return the mean over the batch of weight × binary cross-entropy, from logits (B,).

    Written as softplus(z) − y z, which neither overflows nor loses digits.
    """
    return ops.mean(weight * (ops.softplus(logit) - label * logit))


def make_step(model: keras.Model, optimizer: keras.optimizers.Optimizer) -> Step:
    """Return a function that takes one gradient step on a batch and returns its loss before the step.

    TensorFlow: one graph for every batch shape, traced once. JAX and PyTorch: through Keras' own trainer.
    """
    if keras.backend.backend() == "tensorflow":
        return _tensorflow_step(model, optimizer)

    def loss(target: Any, logit: Any) -> Any:
        return weighted_loss(target[:, 0], logit[:, 0], target[:, 1])

    model.compile(optimizer=optimizer, loss=loss, jit_compile="auto")

    def step(batch: Batch) -> float:
        target = np.stack([batch.label, batch.weight], axis=1)
        model.reset_metrics()
        return float(model.train_on_batch(_inputs(model, batch.inputs), target))

    return step


def make_predict(model: keras.Model) -> Predict:
    """Return a function from input arrays of B events to logits (B,)."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        signature = {t.name: tf.TensorSpec(t.shape, t.dtype) for t in model.inputs}

        @tf.function(input_signature=[signature], autograph=False)  # type: ignore[untyped-decorator, unused-ignore]
        def forward(inputs: Any) -> Any:
            return model(inputs, training=False)[:, 0]

        return lambda inputs: np.asarray(forward(_inputs(model, inputs)), dtype=np.float32)
    return lambda inputs: np.asarray(model.predict_on_batch(_inputs(model, inputs))[:, 0], dtype=np.float32)


def _tensorflow_step(model: keras.Model, optimizer: keras.optimizers.Optimizer) -> Step:
    import tensorflow as tf

    inputs = {t.name: tf.TensorSpec(t.shape, t.dtype) for t in model.inputs}
    vector = tf.TensorSpec((None,), "float32")
    variables = model.trainable_variables

    @tf.function(input_signature=[inputs, vector, vector], autograph=False)  # type: ignore[untyped-decorator, unused-ignore]
    def graph(x: Any, label: Any, weight: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = weighted_loss(label, model(x, training=True)[:, 0], weight)
        gradients = tape.gradient(loss, [v.value for v in variables])
        optimizer.apply(gradients, variables)
        return loss

    return lambda batch: float(graph(_inputs(model, batch.inputs), batch.label, batch.weight))


def _inputs(model: keras.Model, inputs: Arrays) -> Arrays:
    return {t.name: inputs[t.name] for t in model.inputs}
