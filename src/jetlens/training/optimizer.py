"""AdamW (arXiv:1711.05101) on one flat vector of all weights.

Networks of this kind have a hundred small weights; updating each on its own costs more time than the arithmetic. Joined
to one vector, clipping, both moments, decay and the moving average are a dozen operations in all.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops


class FlatAdamW(keras.optimizers.Optimizer):  # type: ignore[misc]
    """AdamW with clipping of the global norm and an optional moving average of the weights.

    Decay acts on matrices (``kernel``) only; biases, norms, tokens and scales are left alone. Moments are corrected for
    their start at zero, and the average for its start at the first step.

    Args:
        learning_rate: may be set anew before each step.
        decay: decoupled weight decay, times the learning rate per step.
        clip: largest global norm of the gradient.
        momentum: of the moving average; 0: none.
        loss_scale: factor that the loss of the gradients carries (float16); None: none. A step whose gradients
            overflow with it counts as one without gradients.
    """

    BETA_1 = 0.9
    BETA_2 = 0.999
    EPSILON = 1e-8

    def __init__(
        self,
        learning_rate: float,
        decay: float,
        clip: float,
        momentum: float = 0.0,
        loss_scale: float | None = None,
    ) -> None:
        """Take the arguments above."""
        super().__init__(learning_rate=learning_rate, loss_scale_factor=loss_scale)
        self.decay = decay
        self.clip = clip
        self.momentum = momentum

    def build(self, variables: list[Any]) -> None:
        """Create moments and average: vectors as long as all weights together."""
        if self.built:
            return
        super().build(variables)
        self._sizes = [int(np.prod(v.shape)) for v in variables]
        self.decayed = np.concatenate(
            [np.full(n, v.name == "kernel", np.float32) for n, v in zip(self._sizes, variables, strict=True)]
        )
        total = sum(self._sizes)
        self.first = self.add_variable((total,), name="first_moment")
        self.second = self.add_variable((total,), name="second_moment")
        self.average = self.add_variable((total,), name="average") if self.momentum else None

    def apply(self, grads: list[Any], trainable_variables: list[Any] | None = None) -> None:
        """Take one step; ``grads`` in the order of the variables, None where one has no influence."""
        variables = trainable_variables or self._trainable_variables
        self.build(variables)
        gradient = flat(
            [ops.zeros(v.shape) if g is None else g for g, v in zip(grads, variables, strict=True)]
        )
        self.fill(variables, self.stepped(flat(variables), gradient))

    def stepped(self, weights: Any, gradient: Any) -> Any:
        """Return the weights after a step, and update moments and average: flat weights, flat gradient."""
        gradient = self.clipped(gradient)
        self.iterations.assign(self.iterations + 1)
        step = ops.cast(self.iterations, "float32")
        rate = ops.cast(self.learning_rate, "float32")
        first = self.first * self.BETA_1 + gradient * (1.0 - self.BETA_1)
        second = self.second * self.BETA_2 + gradient * gradient * (1.0 - self.BETA_2)
        self.first.assign(first)
        self.second.assign(second)
        first = first / (1.0 - self.BETA_1**step)
        second = second / (1.0 - self.BETA_2**step)
        change = (
            first / (ops.sqrt(second) + self.EPSILON)
            + self.decay * ops.convert_to_tensor(self.decayed) * weights
        )
        weights = weights - rate * change
        self.remember(weights, step)
        return weights

    def clipped(self, gradient: Any) -> Any:
        """Return a flat gradient without the loss scale, its norm limited."""
        if self.loss_scale_factor is not None:
            gradient = gradient / self.loss_scale_factor
            gradient = ops.where(ops.all(ops.isfinite(gradient)), gradient, ops.zeros_like(gradient))
        norm = ops.sqrt(ops.sum(gradient * gradient))
        return gradient * (self.clip / ops.maximum(norm, self.clip))

    def remember(self, weights: Any, step: Any) -> None:
        """Update the moving average, if there is one, after step number ``step``."""
        if self.average is not None:
            # a shorter memory in the first steps, so that the random start is soon forgotten
            memory = ops.minimum(self.momentum, (1.0 + step) / (10.0 + step))
            self.average.assign(self.average * memory + weights * (1.0 - memory))

    def use_average(self, variables: list[Any]) -> None:
        """Put the moving average in the weights' place."""
        self.fill(variables, ops.convert_to_tensor(self.average))

    def parts(self, variables: list[Any], vector: Any) -> list[Any]:
        """Return a flat vector cut into the shapes and types of the variables."""
        parts = ops.split(vector, np.cumsum(self._sizes)[:-1].tolist())
        return [
            ops.cast(ops.reshape(part, v.shape), v.dtype) for v, part in zip(variables, parts, strict=True)
        ]

    def fill(self, variables: list[Any], vector: Any) -> None:
        """Put a flat vector in the weights' place."""
        for variable, part in zip(variables, self.parts(variables, vector), strict=True):
            variable.assign(part)


def flat(tensors: list[Any]) -> Any:
    """Return tensors joined to one vector in float32."""
    return ops.concatenate([ops.reshape(ops.cast(t, "float32"), (-1,)) for t in tensors])
