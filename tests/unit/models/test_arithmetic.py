"""Values and gradients by hand are those of Keras' own layers, differentiated by TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from jetlens.models import arithmetic, attention, layers


@pytest.fixture(autouse=True)
def fast() -> Iterator[None]:
    """The layers take the functions under test."""
    with arithmetic.fast_path():
        yield


EVENTS, TOKENS, HEADS, WIDTH = 5, 4, 2, 6


def draw(*shape: int) -> Any:
    return tf.constant(np.random.default_rng(list(shape)).normal(size=shape).astype(np.float32))


REAL = tf.constant(np.array([[1, 1, 1, 1], [1, 1, 0, 0], [0, 1, 0, 1], [1, 0, 0, 0], [0, 0, 0, 0]]) > 0)


def slopes(function: Callable[..., Any], arguments: Sequence[Any]) -> list[Any]:
    """Return the value and the gradients of a random projection of it with respect to each argument."""
    with tf.GradientTape() as tape:
        tape.watch(arguments)
        value = function(*arguments)
        total = tf.reduce_sum(value * draw(*value.shape))
    return [value, *tape.gradient(total, arguments)]


def compare(
    by_hand: Callable[..., Any], plain: Callable[..., Any], arguments: Sequence[Any], weights: int = 0
) -> None:
    """Compare with known and, in a graph, with unknown sizes; the last arguments are weights, of known size."""
    expected = slopes(plain, arguments)
    data = len(arguments) - weights
    free = [tf.TensorSpec([None] * (len(a.shape) - 1) + [a.shape[-1]]) for a in arguments[:data]]
    free += [tf.TensorSpec(a.shape) for a in arguments[data:]]
    graph = tf.function(lambda *a: by_hand(*a), input_signature=free)
    for found in (slopes(by_hand, arguments), slopes(graph, arguments)):
        for left, right in zip(found, expected, strict=True):
            np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(EVENTS, 3), (EVENTS, TOKENS, 3), (EVENTS, TOKENS, TOKENS, 3)])
@pytest.mark.parametrize("activation", ["gelu", "linear", "relu"])
def test_dense(shape: tuple[int, ...], activation: str) -> None:
    layer = layers.Dense(WIDTH, activation=activation)
    layer.build(shape)
    activate = keras.activations.get(activation)

    def by_hand(x: Any, kernel: Any, bias: Any) -> Any:
        if activation == "gelu":
            return arithmetic.dense_gelu(x, kernel, bias)
        return activate(arithmetic.dense(x, kernel, bias))

    arguments = draw(*shape), draw(3, WIDTH), draw(WIDTH)
    compare(by_hand, lambda x, w, b: activate(keras.ops.matmul(x, w) + b), arguments, 2)
    layer.set_weights([a.numpy() for a in arguments[1:]])
    np.testing.assert_array_equal(layer(arguments[0]), by_hand(*arguments))


@pytest.mark.parametrize("shape", [(EVENTS, WIDTH), (EVENTS, TOKENS, WIDTH)])
def test_layer_norm(shape: tuple[int, ...]) -> None:
    compare(
        lambda x, gamma, beta: arithmetic.layer_norm(x, gamma, beta, 1e-5),
        lambda x, gamma, beta: keras.ops.layer_normalization(x, gamma, beta, epsilon=1e-5),
        [draw(*shape), draw(WIDTH), draw(WIDTH)],
        weights=2,
    )


@pytest.mark.parametrize("biased", [False, True])
def test_self_attention(biased: bool) -> None:
    """One event has a gap among its real tokens, one has none at all."""
    layer = attention.SelfAttention(HEADS, ["a"], ["a"])

    def plain(qkv: Any, bias: Any = None) -> Any:
        return layer.attend(*tf.split(qkv, 3, axis=-1), REAL, bias)[0]

    arguments = [draw(EVENTS, TOKENS, 3 * WIDTH)] + [draw(EVENTS, HEADS, TOKENS, TOKENS)] * biased
    compare(lambda qkv, bias=None: layer(qkv, REAL, bias)[0], plain, arguments)
    scores = layer.attend(*tf.split(arguments[0], 3, axis=-1), REAL, *arguments[1:])[1]
    np.testing.assert_allclose(layer(arguments[0], REAL, *arguments[1:])[1], scores, atol=1e-6)


def test_cross_attention() -> None:
    layer = attention.CrossAttention(HEADS, ["a"], ["b"])

    def plain(q: Any, kv: Any) -> Any:
        return layer.attend(q, *tf.split(kv, 2, axis=-1), REAL)[0]

    arguments = [draw(EVENTS, 3, WIDTH), draw(EVENTS, TOKENS, 2 * WIDTH)]
    compare(lambda q, kv: layer(q, kv, REAL)[0], plain, arguments)
    scores = layer.attend(arguments[0], *tf.split(arguments[1], 2, axis=-1), REAL)[1]
    np.testing.assert_allclose(layer(*arguments, REAL)[1], scores, atol=1e-6)


def test_dropout_keeps_the_mean_and_drops_the_gradient_with_the_value() -> None:
    layer = layers.Dropout(0.2, seed=1)
    x = tf.ones((200, 300))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=True)
        total = tf.reduce_sum(y * 3.0)
    np.testing.assert_allclose(tape.gradient(total, x), y * 3.0)
    assert np.unique(y).tolist() == pytest.approx([0.0, 1.25])
    assert np.mean(y == 0) == pytest.approx(0.2, abs=0.01)
    assert not np.array_equal(layer(x, training=True), y)
    assert np.array_equal(layers.Dropout(0.2, seed=1)(x, training=True), y)
    assert np.array_equal(layer(x, training=False), x)
