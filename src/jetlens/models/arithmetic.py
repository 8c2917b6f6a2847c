"""Affine maps, layer norm, attention and dropout on TensorFlow, with gradients written out.

Batches of short jets are small: on a CPU, TensorFlow spends more time on starting operations than on arithmetic, above
all on the dozens that derive shapes and broadcasts when it differentiates by itself. Here each gradient takes as few
operations as it can. The layers use these functions within :func:`fast_path` on TensorFlow in float32, that is in
training; elsewhere they use ``keras.ops``, which give the same values and gradients.

Shapes: B events, T tokens, H heads of width d.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf

NEGLIGIBLE = -1.0e9
"""Added to the scores of padded keys: their softmax is exactly zero wherever one key is real."""

ROOT_HALF = 0.5**0.5
GAUSS = 0.3989422804014327  # 1 / √(2π)


_enabled = False


@contextmanager
def fast_path(enabled: bool = True) -> Iterator[None]:
    """Let layers that are called or traced in here take the functions of this module where they can.

    They give the gradients that training needs, and none with respect to attention scores.
    """
    global _enabled
    before, _enabled = _enabled, enabled
    try:
        yield
    finally:
        _enabled = before


def by_hand(dtype: Any) -> bool:
    """Return whether the gradients below are taken: within :func:`fast_path`, on TensorFlow, in float32."""
    return bool(_enabled and keras.backend.backend() == "tensorflow" and dtype == "float32")


def tensors(*variables: Any) -> list[Any]:
    """Return the values of Keras' variables: a gradient by hand may not depend on variables themselves."""
    return [tf.convert_to_tensor(variable) for variable in variables]


def _with_gradient(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function that returns value and gradient function one that TensorFlow differentiates by the latter."""

    @functools.wraps(function)
    def call(*args: Any) -> Any:
        return tf.custom_gradient(function)(*args)

    return call


@_with_gradient
def dense(x: Any, kernel: Any, bias: Any) -> Any:
    """Return x W + b for (…, n)."""
    flat = _rows(x)
    y = tf.nn.bias_add(tf.matmul(flat, kernel), bias)

    def gradient(dy: Any) -> tuple[Any, Any, Any]:
        rows = _rows(dy)
        dx = tf.matmul(rows, kernel, transpose_b=True)
        return _like(dx, x), tf.matmul(flat, rows, transpose_a=True), _column_sums(rows)

    return _like(y, x), gradient


@_with_gradient
def dense_gelu(x: Any, kernel: Any, bias: Any) -> Any:
    """Return gelu(x W + b) for (…, n), by the exact normal distribution function."""
    flat = _rows(x)
    z = tf.nn.bias_add(tf.matmul(flat, kernel), bias)
    below = 0.5 * tf.math.erfc(z * -ROOT_HALF)

    def gradient(dy: Any) -> tuple[Any, Any, Any]:
        slope = below + z * (GAUSS * tf.exp(-0.5 * z * z))
        rows = _rows(dy) * slope
        dx = tf.matmul(rows, kernel, transpose_b=True)
        return _like(dx, x), tf.matmul(flat, rows, transpose_a=True), _column_sums(rows)

    return _like(z * below, x), gradient


def layer_norm(x: Any, gamma: Any, beta: Any, epsilon: float) -> Any:
    """Return (x − mean) / √(variance + ε) · γ + β over the last axis."""

    @_with_gradient
    def norm(x: Any, gamma: Any, beta: Any) -> Any:
        flat = _rows(x)
        centred = flat - tf.reduce_mean(flat, -1, keepdims=True)
        inverse = tf.math.rsqrt(tf.reduce_mean(tf.square(centred), -1, keepdims=True) + epsilon)
        normal = centred * inverse

        def gradient(dy: Any) -> tuple[Any, Any, Any]:
            rows = _rows(dy)
            product = rows * normal
            g = rows * gamma
            along = tf.reduce_mean(g * normal, -1, keepdims=True)
            dx = (g - tf.reduce_mean(g, -1, keepdims=True) - normal * along) * inverse
            return _like(dx, x), _column_sums(product), _column_sums(rows)

        return _like(normal * gamma + beta, x), gradient

    return norm(x, gamma, beta)


def dropout(x: Any, rate: float, seed: Any) -> Any:
    """Return x with a share ``rate`` set to zero, the rest scaled up."""
    kept = tf.random.stateless_uniform(tf.shape(x), seed) >= rate
    factor = tf.cast(kept, x.dtype) * (1.0 / (1.0 - rate))

    @_with_gradient
    def drop(x: Any) -> Any:
        return x * factor, lambda dy: dy * factor

    return drop(x)


def self_attend(qkv: Any, real: Any, heads: int, bias: Any = None) -> tuple[Any, Any]:
    """Return what tokens (B, T, 3·H·d) gather from one another, (B, T, H·d), and the softmax (B, H, T, T)."""
    width = qkv.shape[-1] // (3 * heads)
    length = _length(qkv)

    def attend(qkv: Any, *bias: Any) -> Any:
        parts = tf.reshape(qkv, (-1, length, 3, heads, width))
        q, k, v = tf.unstack(tf.transpose(parts, (2, 0, 3, 1, 4)))
        (y, scores), back = _attend(q, k, v, real, *bias)

        def gradient(dy: Any, _: Any) -> Any:
            *parts, ds = back(_heads_apart(dy, heads))
            dqkv = tf.reshape(tf.transpose(tf.stack(parts), (1, 3, 0, 2, 4)), (-1, length, 3 * heads * width))
            return (dqkv, ds) if bias else dqkv

        return (_heads_joined(y), scores), gradient

    arguments = (qkv,) if bias is None else (qkv, bias)
    y, scores = _with_gradient(attend)(*arguments)
    return y, scores


def cross_attend(q: Any, kv: Any, real: Any, heads: int) -> tuple[Any, Any]:
    """Return what queries (B, Tq, H·d) gather from (B, Tk, 2·H·d), (B, Tq, H·d), and the softmax (B, H, Tq, Tk)."""
    width = q.shape[-1] // heads
    length = _length(kv)

    @_with_gradient
    def attend(q: Any, kv: Any) -> Any:
        k, v = tf.unstack(tf.transpose(tf.reshape(kv, (-1, length, 2, heads, width)), (2, 0, 3, 1, 4)))
        (y, scores), back = _attend(_heads_apart(q, heads), k, v, real)

        def gradient(dy: Any, _: Any) -> Any:
            dq, dk, dv, _ = back(_heads_apart(dy, heads))
            dkv = tf.transpose(tf.stack([dk, dv]), (1, 3, 0, 2, 4))
            return _heads_joined(dq), tf.reshape(dkv, (-1, length, 2 * heads * width))

        return (_heads_joined(y), scores), gradient

    y, scores = attend(q, kv)
    return y, scores


def _attend(
    q: Any, k: Any, v: Any, real: Any, bias: Any = None
) -> tuple[tuple[Any, Any], Callable[[Any], Any]]:
    """Return output and scores, and the function from the output's gradient to those of q, k, v and bias.

    All of q, k, v are (B, H, T, d). The scores are for looking at: no gradient flows back through them.
    """
    weight = tf.cast(real, "float32")[:, None, None, :]
    # without a single real key the softmax is flat over padding: nothing is then gathered
    some = tf.reduce_max(weight, axis=-1, keepdims=True)
    scale = q.shape[-1] ** -0.5
    q = q * scale
    logits = tf.matmul(q, k, transpose_b=True) + (1.0 - weight) * NEGLIGIBLE
    scores = tf.nn.softmax(logits if bias is None else logits + bias)
    y = tf.matmul(scores, v) * some

    def back(dy: Any) -> tuple[Any, Any, Any, Any]:
        dy = dy * some
        # Σ over keys of scores · gradient is Σ over channels of output · gradient
        along = tf.reduce_sum(dy * y, -1, keepdims=True)
        ds = scores * (tf.matmul(dy, v, transpose_b=True) - along)
        dq = tf.matmul(ds, k) * scale
        return dq, tf.matmul(ds, q, transpose_a=True), tf.matmul(scores, dy, transpose_a=True), ds

    return (y, tf.stop_gradient(scores * weight)), back


def _length(x: Any) -> Any:
    return tf.shape(x)[1] if x.shape[1] is None else x.shape[1]


def _heads_apart(x: Any, heads: int) -> Any:
    """Turn (B, T, H·d) into (B, H, T, d)."""
    return tf.transpose(tf.reshape(x, (-1, _length(x), heads, x.shape[-1] // heads)), (0, 2, 1, 3))


def _heads_joined(x: Any) -> Any:
    """Turn (B, H, T, d) into (B, T, H·d)."""
    y = tf.transpose(x, (0, 2, 1, 3))
    return tf.reshape(y, (-1, _length(y), x.shape[1] * x.shape[3]))


def _rows(x: Any) -> Any:
    return x if len(x.shape) == 2 else tf.reshape(x, (-1, x.shape[-1]))


def _like(rows: Any, x: Any) -> Any:
    """Give rows (N, m) the leading axes of x."""
    if len(x.shape) == 2:
        return rows
    middle = [tf.shape(x)[i] if x.shape[i] is None else x.shape[i] for i in range(1, len(x.shape) - 1)]
    return tf.reshape(rows, (-1, *middle, rows.shape[-1]))


def _column_sums(rows: Any) -> Any:
    return tf.raw_ops.BiasAddGrad(out_backprop=rows)
