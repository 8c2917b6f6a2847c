"""Logits of a network for arrays of events, on each of Keras' back ends."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from jetlens.features.batches import Arrays

Predict = Callable[[Arrays], NDArray[np.float32]]


def make_predict(model: keras.Model) -> Predict:
    """Return a function from input arrays of B events to logits (B,)."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        signature = {t.name: tf.TensorSpec(t.shape, t.dtype) for t in model.inputs}

        @tf.function(input_signature=[signature], autograph=False)  # type: ignore[untyped-decorator, unused-ignore]
        def forward(inputs: Any) -> Any:
            return model(inputs, training=False)[:, 0]

        return lambda inputs: np.asarray(forward(read_by(model, inputs)), dtype=np.float32)

    def predict(inputs: Arrays) -> NDArray[np.float32]:
        chosen = read_by(model, inputs)
        number = len(next(iter(chosen.values())))
        if keras.backend.backend() == "jax":
            chosen = rounded(chosen, free_inputs(model))
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
        result[name] = lengthened(array, events)
    return result


def _power(number: int) -> int:
    return 1 << max(3, (number - 1).bit_length())


def lengthened(array: NDArray[Any], number: int) -> NDArray[Any]:
    """Repeat the last event up to ``number`` events."""
    return np.concatenate([array, np.repeat(array[-1:], number - len(array), axis=0)])


def free_inputs(model: keras.Model) -> list[str]:
    """Return the inputs whose second axis has no fixed length."""
    return [t.name for t in model.inputs if len(t.shape) > 1 and t.shape[1] is None]


def read_by(model: keras.Model, inputs: Arrays) -> Arrays:
    """Return the inputs that a model reads."""
    return {t.name: inputs[t.name] for t in model.inputs}
