"""One gradient step on each of Keras' back ends."""

from __future__ import annotations

from typing import Any, Protocol

import keras
import numpy as np
from keras import ops

from jetlens.features.batches import Batch
from jetlens.trained.predict import free_inputs, lengthened, read_by, rounded
from jetlens.training.optimizer import FlatAdamW


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
        inputs = read_by(self.model, batch.inputs)
        target = np.stack([batch.label, batch.weight], axis=1)
        if keras.backend.backend() == "jax":
            inputs = rounded(inputs, free_inputs(self.model))
            number = len(next(iter(inputs.values())))
            target = lengthened(target, number)
            target[len(batch) :, 1] = 0.0
            target[:, 1] *= number / len(batch)  # the mean is over the events that are there
        self.model.reset_metrics()
        return float(self.model.train_on_batch(inputs, target))

    def finish(self) -> None:
        """Do nothing: the trainer writes to the model's own variables."""
