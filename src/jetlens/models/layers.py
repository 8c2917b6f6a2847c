"""The layers that Keras does not bring along, on ``keras.ops`` alone, so that they run on every back end.

Shapes: B events, T tokens, F features, D width of a token, H heads. ``real`` is a boolean (B, T), True where a token
is real; it is never guessed from the features. No layer lets a padded slot change any output.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from jetlens.models import arithmetic
from jetlens.models.arithmetic import NEGLIGIBLE

register = keras.saving.register_keras_serializable(package="jetlens")


@register
class Dense(keras.layers.Dense):  # type: ignore[misc]
    """Keras' dense layer, by :mod:`jetlens.models.arithmetic`."""

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Return activation(x W + b) for (…, n)."""
        if not (arithmetic.by_hand(self.compute_dtype) and self.use_bias):
            return super().call(inputs, training)
        arguments = inputs, *arithmetic.tensors(self.kernel, self.bias)
        if self.activation is keras.activations.gelu:
            return arithmetic.dense_gelu(*arguments)
        return self.activation(arithmetic.dense(*arguments))


@register
class LayerNormalization(keras.layers.LayerNormalization):  # type: ignore[misc]
    """Keras' layer normalisation over the last axis, by :mod:`jetlens.models.arithmetic`."""

    def call(self, inputs: Any) -> Any:
        """Normalise (…, D)."""
        if not arithmetic.by_hand(self.compute_dtype):
            return super().call(inputs)
        gamma, beta = arithmetic.tensors(self.gamma, self.beta)
        return arithmetic.layer_norm(inputs, gamma, beta, self.epsilon)


@register
class Dropout(keras.layers.Dropout):  # type: ignore[misc]
    """Keras' dropout, by :mod:`jetlens.models.arithmetic`."""

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Drop channels of (…, D) at random."""
        if not (training and self.rate > 0 and arithmetic.by_hand(self.compute_dtype)):
            return super().call(inputs, training)
        return arithmetic.dropout(inputs, self.rate, self.seed_generator.next())


@register
class Standardisation(keras.layers.Layer):  # type: ignore[misc]
    """(x − mean) / scale with stored statistics, zero in padded slots, tails bent logarithmically.

    The statistics are weights, so that a saved model is self-contained, but never trained; they are fitted on real
    tokens of training events by :func:`jetlens.training.statistics.fit`. Beyond ± ``clip`` the output grows as
    clip + ln(1 + |z| − clip): impact-parameter significances have tails of hundreds of σ.

    Args:
        per_token: separate statistics for each token, for streams whose tokens are not interchangeable.
        clip: where bending starts, in standard deviations.
    """

    def __init__(self, per_token: bool = False, clip: float = 5.0, **kwargs: Any) -> None:
        """Take the arguments above."""
        super().__init__(**kwargs)
        self.per_token = per_token
        self.clip = clip

    def build(self, x_shape: tuple[int | None, ...], real_shape: Any = None) -> None:
        """Create mean and scale of shape (F,), or (T, F) if ``per_token``."""
        shape = tuple(x_shape[1:]) if self.per_token else (x_shape[-1],)
        self.mean = self.add_weight(name="mean", shape=shape, initializer="zeros", trainable=False)
        self.scale = self.add_weight(name="scale", shape=shape, initializer="ones", trainable=False)

    def call(self, x: Any, real: Any = None) -> Any:
        """Standardise (B, T, F) with ``real`` (B, T), or (B, F) without."""
        z = (x - self.mean) / self.scale
        core = ops.clip(z, -self.clip, self.clip)
        tail = z - core
        z = core + ops.sign(tail) * ops.log1p(ops.abs(tail))
        if real is None:
            return z
        # where, not a product: whatever stands in a padded slot, even NaN, stays out
        return ops.where(ops.expand_dims(real, -1), z, ops.zeros_like(z))

    def get_config(self) -> dict[str, Any]:
        """Return what rebuilds the layer."""
        return {**super().get_config(), "per_token": self.per_token, "clip": self.clip}


@register
class PiecewiseLinear(keras.layers.Layer):  # type: ignore[misc]
    """Standardised features, each joined by ramps between evenly spaced knots (arXiv:2203.05556, section 3.2).

    Ramp k rises from 0 to 1 between knots k and k + 1. A dense layer behind can so bend at every knot: a mass window
    is within its reach from the first step, as it is within a decision tree's.

    Args:
        bins: ramps per feature.
        reach: knots lie between ± this many standard deviations.
    """

    def __init__(self, bins: int, reach: float = 2.5, **kwargs: Any) -> None:
        """Take the arguments above."""
        super().__init__(**kwargs)
        self.bins = bins
        self.reach = reach

    def call(self, z: Any) -> Any:
        """Return (…, F·(1 + bins)) for standardised features (…, F)."""
        width = 2.0 * self.reach / self.bins
        knots = [-self.reach + width * k for k in range(self.bins)]
        ramps = [ops.clip((z - knot) / width, 0.0, 1.0) for knot in knots]
        return ops.concatenate([z, *ramps], axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Return what rebuilds the layer."""
        return {**super().get_config(), "bins": self.bins, "reach": self.reach}


@register
class TokenOffset(keras.layers.Layer):  # type: ignore[misc]
    """Add a trained vector to tokens: one for all (which jet they belong to), or one each (which object it is).

    Args:
        tokens: 1 for all alike, or the number of tokens T.
    """

    def __init__(self, tokens: int = 1, **kwargs: Any) -> None:
        """Take the arguments above."""
        super().__init__(**kwargs)
        self.tokens = tokens

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the (tokens, D) offsets."""
        initializer = keras.initializers.RandomNormal(stddev=0.02)
        self.offset = self.add_weight(
            name="offset", shape=(self.tokens, input_shape[-1]), initializer=initializer
        )

    def call(self, x: Any) -> Any:
        """Shift (B, T, D)."""
        return x + self.offset

    def get_config(self) -> dict[str, Any]:
        """Return what rebuilds the layer."""
        return {**super().get_config(), "tokens": self.tokens}


@register
class ClassToken(keras.layers.Layer):  # type: ignore[misc]
    """A trained token, the same for every event: a weight, drawn once at initialisation and never again."""

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the token (1, D)."""
        initializer = keras.initializers.RandomNormal(stddev=0.02)
        self.token = self.add_weight(name="token", shape=(1, input_shape[-1]), initializer=initializer)

    def call(self, x: Any) -> Any:
        """Return (B, 1, D) for tokens (B, T, D)."""
        return ops.broadcast_to(ops.expand_dims(self.token, 0), (ops.shape(x)[0], 1, x.shape[-1]))


@register
class LayerScale(keras.layers.Layer):  # type: ignore[misc]
    """A trained factor per channel on a residual branch, small at first (arXiv:2103.17239, section 2).

    Args:
        initial: the factors' initial value.
    """

    def __init__(self, initial: float = 0.1, **kwargs: Any) -> None:
        """Take the arguments above."""
        super().__init__(**kwargs)
        self.initial = initial

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the factors (D,)."""
        initializer = keras.initializers.Constant(self.initial)
        self.factor = self.add_weight(name="factor", shape=(input_shape[-1],), initializer=initializer)

    def call(self, x: Any) -> Any:
        """Scale (B, T, D)."""
        return x * self.factor

    def get_config(self) -> dict[str, Any]:
        """Return what rebuilds the layer."""
        return {**super().get_config(), "initial": self.initial}


@register
class HeadScale(keras.layers.Layer):  # type: ignore[misc]
    """A trained factor on each head's output, one at first (NormFormer, arXiv:2110.09456, eq. 4).

    Args:
        heads: number of heads H, side by side on the last axis.
    """

    def __init__(self, heads: int, **kwargs: Any) -> None:
        """Take the arguments above."""
        super().__init__(**kwargs)
        self.heads = heads

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the factors (H,)."""
        self.factor = self.add_weight(name="factor", shape=(self.heads,), initializer="ones")

    def call(self, x: Any) -> Any:
        """Scale (B, T, H·d)."""
        return x * ops.repeat(self.factor, x.shape[-1] // self.heads)

    def get_config(self) -> dict[str, Any]:
        """Return what rebuilds the layer."""
        return {**super().get_config(), "heads": self.heads}


@register
class MaskedPooling(keras.layers.Layer):  # type: ignore[misc]
    """Mean or maximum over real tokens, zero for an event without any; or all tokens side by side.

    Args:
        mode: ``mean``, ``max`` or ``flatten``; the last needs a fixed number of tokens, of which missing ones are zero.
    """

    def __init__(self, mode: str = "mean", **kwargs: Any) -> None:
        """Take the arguments above."""
        super().__init__(**kwargs)
        self.mode = mode

    def call(self, x: Any, real: Any) -> Any:
        """Pool (B, T, D) to (B, D), flattened (B, T·D)."""
        x = ops.cast(x, "float32")  # sums over many tokens, and a number as large as NEGLIGIBLE
        weight = ops.expand_dims(ops.cast(real, x.dtype), -1)
        if self.mode == "flatten":
            pooled = ops.reshape(x * weight, (-1, x.shape[1] * x.shape[2]))
        elif self.mode == "mean":
            pooled = ops.sum(x * weight, axis=1) / ops.maximum(ops.sum(weight, axis=1), 1.0)
        else:
            highest = ops.max(x + (1.0 - weight) * NEGLIGIBLE, axis=1)
            pooled = highest * ops.cast(ops.any(real, axis=1, keepdims=True), x.dtype)
        return ops.cast(pooled, self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """Return what rebuilds the layer."""
        return {**super().get_config(), "mode": self.mode}


@register
class AlwaysReal(keras.layers.Layer):  # type: ignore[misc]
    """The mask of tokens with a class token ahead, which is always real: (B, T) to (B, 1 + T)."""

    def call(self, real: Any) -> Any:
        """Prepend True."""
        first = ops.ones_like(real[:, :1])
        return ops.concatenate([first, real], axis=1)


@register
class Tokens(keras.layers.Layer):  # type: ignore[misc]
    """The identity, under a name: marks the last place where a stream still has one row per token.

    Args:
        stream: the stream whose tokens these are.
    """

    def __init__(self, stream: str, **kwargs: Any) -> None:
        """Take the arguments above."""
        super().__init__(**kwargs)
        self.stream = stream

    def call(self, x: Any) -> Any:
        """Return (B, T, D) as it is."""
        return x

    def get_config(self) -> dict[str, Any]:
        """Return what rebuilds the layer."""
        return {**super().get_config(), "stream": self.stream}
