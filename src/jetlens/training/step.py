"""One gradient step and one prediction, on each of Keras' back ends."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Protocol

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from jetlens.training.data import Arrays, Batch
from jetlens.training.optimizer import FlatAdamW

Predict = Callable[[Arrays], NDArray[np.float32]]


def weighted_loss(label: Any, logit: Any, weight: Any) -> Any:
    """Return the mean over the batch of weight × binary cross-entropy, from logits (B,).

    Written as softplus(z) − y z, which neither overflows nor loses digits.
    """
    return ops.mean(weight * (ops.softplus(logit) - label * logit))


class Step(Protocol):
    """Takes gradient steps on a model."""

    def __call__(self, batch: Batch, rate: float) -> float:
        """Take one step with a learning rate; return the batch's loss before it."""

    def finish(self) -> None:
        """Bring the model's weights up to date: after a step they may lag behind."""


def make_step(model: keras.Model, optimizer: FlatAdamW, fast_path: bool = True) -> Step:
    """Return what takes gradient steps from the weights that the model has now.

    Through Keras' own trainer, which on JAX shares the batch among devices where a distribution is set; on TensorFlow
    with ``fast_path`` by :class:`jetlens.training.fast_path.TensorFlowStep`.
    """
    if fast_path and keras.backend.backend() == "tensorflow":
        from jetlens.training.fast_path import TensorFlowStep

        return TensorFlowStep(model, optimizer)
    return KerasStep(model, optimizer)


def make_predict(model: keras.Model) -> Predict:
    """Return a function from input arrays of B events to logits (B,)."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        signature = {t.name: tf.TensorSpec(t.shape, t.dtype) for t in model.inputs}

        @tf.function(input_signature=[signature], autograph=False)  # type: ignore[untyped-decorator, unused-ignore]
        def forward(inputs: Any) -> Any:
            return model(inputs, training=False)[:, 0]

        return lambda inputs: np.asarray(forward(_inputs(model, inputs)), dtype=np.float32)

    def predict(inputs: Arrays) -> NDArray[np.float32]:
        chosen = _inputs(model, inputs)
        number = len(next(iter(chosen.values())))
        if keras.backend.backend() == "jax":
            chosen = rounded(chosen, _free(model))
        return np.asarray(model.predict_on_batch(chosen)[:number, 0], dtype=np.float32)

    return predict


def rounded(inputs: Arrays, free: Collection[str]) -> Arrays:
    """Return a batch in one of few shapes, since XLA compiles anew for each: padded to powers of two.

    Streams of free length get one common length, their new slots masked; the last event is repeated until its devices
    share the batch evenly. Neither changes any event's score.

    Args:
        inputs: a batch, by input's name.
        free: the inputs whose second axis has no fixed length.
    """
    number = len(next(iter(inputs.values())))
    distribution = keras.distribution.distribution()
    devices = distribution.device_mesh.devices.size if distribution else 1
    events = -(-_power(number) // devices) * devices
    slots = _power(max((inputs[name].shape[1] for name in free), default=1))
    result = {}
    for name, array in inputs.items():
        if name in free:
            missing = [(0, 0), (0, slots - array.shape[1])] + [(0, 0)] * (array.ndim - 2)
            array = np.pad(array, missing)
        result[name] = _lengthened(array, events)
    return result


def _power(number: int) -> int:
    return 1 << max(3, (number - 1).bit_length())


def _lengthened(array: NDArray[Any], number: int) -> NDArray[Any]:
    return np.concatenate([array, np.repeat(array[-1:], number - len(array), axis=0)])


def _free(model: keras.Model) -> list[str]:
    return [t.name for t in model.inputs if len(t.shape) > 1 and t.shape[1] is None]


class KerasStep:
    """Steps of Keras' own trainer."""

    def __init__(self, model: keras.Model, optimizer: FlatAdamW) -> None:
        """Compile the model with the optimiser."""
        self.model = model
        self.optimizer = optimizer

        def loss(target: Any, logit: Any) -> Any:
            return weighted_loss(target[:, 0], logit[:, 0], target[:, 1])

        # the optimiser scales the loss by itself where that is called for
        model.compile(optimizer=optimizer, loss=loss, jit_compile="auto", auto_scale_loss=False)

    def __call__(self, batch: Batch, rate: float) -> float:
        """Take one step; see :class:`Step`."""
        self.optimizer.learning_rate = rate
        inputs = _inputs(self.model, batch.inputs)
        target = np.stack([batch.label, batch.weight], axis=1)
        if keras.backend.backend() == "jax":
            inputs = rounded(inputs, _free(self.model))
            number = len(next(iter(inputs.values())))
            target = _lengthened(target, number)
            target[len(batch) :, 1] = 0.0
            target[:, 1] *= number / len(batch)  # the mean is over the events that are there
        self.model.reset_metrics()
        return float(self.model.train_on_batch(inputs, target))

    def finish(self) -> None:
        """Do nothing: the trainer writes to the model's own variables."""


def _inputs(model: keras.Model, inputs: Arrays) -> Arrays:
    return {t.name: inputs[t.name] for t in model.inputs}
