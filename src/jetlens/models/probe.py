"""Looking inside a trained network: attention scores, token activations and their gradients.

Everything is read off the model's own graph: the scores are a second output of the layer that the classifier itself
goes through, so asking for them cannot change what is scored. Models are Keras models as built by
:func:`jetlens.models.registry.build_model` or loaded from ``model.keras``; inputs are dictionaries of the arrays of
the feature file (stream, ``<stream>_mask``, ``event``), of which those the model does not read are ignored.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import keras
import numpy as np
from numpy.typing import NDArray

from jetlens.errors import did_you_mean
from jetlens.models.arithmetic import fast_path
from jetlens.models.attention import CrossAttention, SelfAttention
from jetlens.models.layers import Tokens

Arrays = Mapping[str, NDArray[Any]]
Float = NDArray[np.float32]
Line = Callable[[NDArray[np.float64], NDArray[np.float64]], dict[str, Float]]


def attention_layers(model: keras.Model) -> list[str]:
    """Return the names of the layers that attend, in the order of the forward pass."""
    return [layer.name for layer in model.layers if isinstance(layer, SelfAttention | CrossAttention)]


def attention_streams(model: keras.Model, layer: str) -> tuple[list[str], list[str]]:
    """Return the streams of an attention layer's query axis and of its key axis, each in order.

    A trained class token is the stream ``class``; on the key axis it takes the one slot before the streams' tokens.

    Raises:
        ValueError: if the model has no such attention layer.
    """
    found = _attention_layer(model, layer)
    return list(found.query_streams), ["class"] * found.extra_keys + list(found.key_streams)


def attention_scores(
    model: keras.Model, inputs: Arrays, layers: Sequence[str] | None = None, batch_size: int = 256
) -> dict[str, Float]:
    """Return softmaxed attention scores from the forward pass that scores the events.

    Args:
        model: the network.
        inputs: arrays of B events.
        layers: names of attention layers; None: all.
        batch_size: events at a time.

    Returns:
        For each layer (B, H, Tq, Tk); rows sum to one over real keys, padded keys have zero. Rows of padded queries
        mean nothing and are to be left out.

    Raises:
        ValueError: if the model has no such attention layer.
    """
    names = attention_layers(model) if layers is None else list(layers)
    if not names:
        return {}
    outputs = {name: _attention_layer(model, name).output[1] for name in names}
    probe = keras.Model(model.inputs, outputs)
    return {name: np.asarray(value) for name, value in _predict(probe, model, inputs, batch_size).items()}


def token_layers(model: keras.Model) -> dict[str, str]:
    """Return, for each stream, the last layer whose output still has one row per token of that stream."""
    return {layer.stream: layer.name for layer in model.layers if isinstance(layer, Tokens)}


def token_activations(
    model: keras.Model, layer_name: str, inputs: Arrays, batch_size: int = 256
) -> tuple[Float, Float, Float]:
    """Return a layer's token activations, the logits, and the logits' gradients with respect to the activations.

    Args:
        model: the network.
        layer_name: a layer with output (B, T, D), such as those of :func:`token_layers`.
        inputs: arrays of B events.
        batch_size: events at a time.

    Returns:
        Activations (B, T, D), logits before the sigmoid (B,), and ∂ logit / ∂ activation (B, T, D).

    Raises:
        ValueError: if the model has no such layer, or its output is not (B, T, D).
    """
    names = [layer.name for layer in model.layers]
    if layer_name not in names:
        raise ValueError(f"the model has no layer '{layer_name}'{did_you_mean(layer_name, names)}")
    output = model.get_layer(layer_name).output
    if isinstance(output, list | tuple) or len(output.shape) != 3:
        raise ValueError(f"layer '{layer_name}' has no output of shape (B, T, D)")
    probe = keras.Model(model.inputs, [output, model.outputs[0]])
    differentiate = _differentiator(model, probe, layer_name)
    parts = [differentiate(batch) for batch in _batches(model, inputs, batch_size)]
    a, z, g = (
        np.concatenate([keras.ops.convert_to_numpy(x) for x in part]) for part in zip(*parts, strict=True)
    )
    return a, z, g


def attention_gradients(
    model: keras.Model, inputs: Arrays, layers: Sequence[str] | None = None, batch_size: int = 256
) -> dict[str, tuple[Float, Float]]:
    """Return attention scores, and the logits' gradients with respect to them.

    Args:
        model: the network.
        inputs: arrays of B events.
        layers: names of attention layers; None: all.
        batch_size: events at a time.

    Returns:
        For each layer A and ∂ logit / ∂ A, both (B, H, Tq, Tk); zero for padded keys in A, not in the gradient.

    Raises:
        ValueError: if the model has no such attention layer, or runs on JAX, which differentiates functions only.
    """
    names = attention_layers(model) if layers is None else list(layers)
    backend = keras.backend.backend()
    if backend == "jax":
        raise ValueError("gradients of attention scores need TensorFlow or PyTorch; load the model there")
    probe = keras.Model(
        model.inputs, [*(_attention_layer(model, name).output[1] for name in names), model.outputs[0]]
    )
    parts = [_gradients(probe, batch, backend) for batch in _batches(model, inputs, batch_size)]
    return {
        name: (
            np.concatenate([keras.ops.convert_to_numpy(scores[i]) for scores, _ in parts]),
            np.concatenate([keras.ops.convert_to_numpy(slopes[i]) for _, slopes in parts]),
        )
        for i, name in enumerate(names)
    }


def _gradients(probe: keras.Model, batch: list[Any], backend: str) -> tuple[list[Any], list[Any]]:
    """All outputs of a batch but the last, and the gradients of the last one's sum."""
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            *scores, logits = probe(batch, training=False)
            total = tf.reduce_sum(logits)
        return scores, tape.gradient(total, scores)
    import torch  # type: ignore[import-not-found, unused-ignore]

    with torch.enable_grad():
        *scores, logits = probe(batch, training=False)
        slopes = list(torch.autograd.grad(logits.sum(), scores))
    return [score.detach() for score in scores], slopes


def model_inputs(model: keras.Model, inputs: Arrays) -> dict[str, NDArray[Any]]:
    """Return those arrays that the model reads.

    Raises:
        ValueError: if one is missing.
    """
    names = [tensor.name for tensor in model.inputs]
    for name in names:
        if name not in inputs:
            raise ValueError(f"the model reads '{name}', which is missing; found: {', '.join(inputs)}")
    return {name: np.asarray(inputs[name]) for name in names}


def fill(copy: keras.Model, model: keras.Model) -> None:
    """Give a network the weights of another one of its architecture."""
    for own, other in zip(copy.weights, model.weights, strict=True):
        own.assign(other)


def _attention_layer(model: keras.Model, name: str) -> Any:
    names = attention_layers(model)
    if name not in names:
        raise ValueError(f"the model has no attention layer '{name}'{did_you_mean(name, names)}")
    return model.get_layer(name)


def _batches(model: keras.Model, inputs: Arrays, batch_size: int) -> list[list[Any]]:
    arrays = list(model_inputs(model, inputs).values())
    starts = range(0, len(arrays[0]), batch_size)
    return [[keras.ops.convert_to_tensor(a[i : i + batch_size]) for a in arrays] for i in starts]


def _predict(probe: keras.Model, model: keras.Model, inputs: Arrays, batch_size: int) -> dict[str, Any]:
    parts = [probe(batch, training=False) for batch in _batches(model, inputs, batch_size)]
    return {k: np.concatenate([keras.ops.convert_to_numpy(part[k]) for part in parts]) for k in parts[0]}


def _differentiator(
    model: keras.Model, probe: keras.Model, layer: str
) -> Callable[[list[Any]], tuple[Any, Any, Any]]:
    """Return a function from a batch to activations, logits (B,) and gradients.

    Events do not talk to one another, so the gradient of the summed logits is that of each one's own.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        def with_tape(batch: list[Any]) -> tuple[Any, Any, Any]:
            with tf.GradientTape() as tape:
                activations, logits = probe(batch, training=False)
                total = tf.reduce_sum(logits)
            return activations, logits[:, 0], tape.gradient(total, activations)

        return with_tape
    if backend == "torch":
        import torch  # type: ignore[import-not-found, unused-ignore]

        def with_autograd(batch: list[Any]) -> tuple[Any, Any, Any]:
            with torch.enable_grad():
                activations, logits = probe(batch, training=False)
                (gradient,) = torch.autograd.grad(logits.sum(), activations)
            return activations.detach(), logits[:, 0].detach(), gradient

        return with_autograd
    import jax  # type: ignore[import-not-found, unused-ignore]

    # JAX differentiates functions, not intermediate results: cut a copy of the graph in two at the layer
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    upper = keras.Model([copy.get_layer(layer).output, *copy.inputs], copy.outputs[0])

    def with_function(batch: list[Any]) -> tuple[Any, Any, Any]:
        activations, logits = probe(batch, training=False)
        gradient = jax.grad(lambda a: upper([a, *batch], training=False).sum())(activations)
        return activations, logits[:, 0], gradient

    return cast(Callable[[list[Any]], tuple[Any, Any, Any]], jax.jit(with_function))


def _spread(begin: Any, whole: Any, places: Any) -> Any:
    """Return K points begin + t · whole, one behind the other: (B, …) to (K·B, …)."""
    t = keras.ops.reshape(places, (-1, *[1] * len(begin.shape)))
    return _flat(begin[None] + t * whole[None], begin)


def _repeated(x: Any, places: Any) -> Any:
    """Return (B, …) K times, one behind the other."""
    times = keras.ops.shape(places)[0]
    return keras.ops.tile(x, (times, *[1] * (len(x.shape) - 1)))


def _flat(x: Any, one: Any) -> Any:
    return keras.ops.reshape(x, (-1, *keras.ops.shape(one)[1:]))


def _sum(slopes: Any, one: Any, weights: Any) -> Any:
    """Return Σ_k w_k of K slopes, one behind the other: (K·B, …) to (B, …)."""
    rows = keras.ops.reshape(slopes, (keras.ops.shape(weights)[0], -1))
    return keras.ops.reshape(keras.ops.matmul(weights[None], rows), keras.ops.shape(one))


class Cut:
    """A network cut open at some tensors: its logits, and sums of their gradients, as a function of these.

    Args:
        model: a network that nobody else uses; its weights are those of :meth:`fill`.
        inside: symbolic tensors of its graph, by a name of one's own, that take the place of what computes them.
        inputs: names of its inputs that are differentiated by, too.

    Raises:
        ValueError: if the model runs on JAX, which differentiates functions only.
    """

    def __init__(self, model: keras.Model, inside: Mapping[str, Any], inputs: Sequence[str] = ()) -> None:
        """Build the parts above and below the cut."""
        if keras.backend.backend() == "jax":
            raise ValueError("gradients along a path need TensorFlow or PyTorch; load the model there")
        self.model = model
        self.inside = list(inside)
        self.names = [*inside, *inputs]
        self.below = keras.Model(model.inputs, dict(inside)) if inside else None
        self.above = keras.Model([*inside.values(), *model.inputs], model.outputs[0])
        self.backend = keras.backend.backend()

    def fill(self, model: keras.Model) -> None:
        """Take the weights of a network of this architecture."""
        fill(self.model, model)

    def point(self, inputs: Arrays) -> dict[str, Float]:
        """Return the values of all that is differentiated by, for B events."""
        given = model_inputs(self.model, inputs)
        found = {name: given[name] for name in self.names if name not in self.inside}
        if self.below is not None:
            values = self.below(list(map(keras.ops.convert_to_tensor, given.values())), training=False)
            found |= {name: keras.ops.convert_to_numpy(values[name]) for name in self.inside}
        return {name: found[name] for name in self.names}

    def logits(self, point: Arrays, inputs: Arrays) -> Float:
        """Return the logits (B,) at a point, with all else as in ``inputs``."""
        return np.asarray(keras.ops.convert_to_numpy(self._forward(*self._tensors(point, inputs)))[:, 0])

    def along(self, start: Arrays, length: Arrays, inputs: Arrays) -> Line:
        """Return a function from K places t_k on the line start + t · length, and K weights, to a sum of slopes.

        What it returns for every x of a point is Σ_k w_k ∂ logit / ∂ x (B, …), with all else as in ``inputs``.
        """
        begin, fixed = self._tensors(start, inputs)
        whole, _ = self._tensors(length, inputs)

        def line(places: NDArray[np.float64], weights: NDArray[np.float64]) -> dict[str, Float]:
            w, t = (keras.ops.convert_to_tensor(np.asarray(x, np.float32)) for x in (weights, places))
            found = (self._graph if self.backend == "tensorflow" else self._summed)(begin, whole, fixed, t, w)
            return {name: keras.ops.convert_to_numpy(x) for name, x in found.items()}

        return line

    def _summed(self, begin: Any, whole: Any, fixed: Any, places: Any, weights: Any) -> Any:
        """Differentiate at all places together, on PyTorch."""
        import torch  # type: ignore[import-not-found, unused-ignore]

        with torch.enable_grad():
            moved = {n: _spread(begin[n], whole[n], places).detach().requires_grad_(True) for n in begin}
            total = self._forward(moved, {n: _repeated(x, places) for n, x in fixed.items()}).sum()
            slopes = torch.autograd.grad(total, list(moved.values()), allow_unused=True)
        return {
            name: keras.ops.zeros_like(begin[name]) if slope is None else _sum(slope, begin[name], weights)
            for name, slope in zip(moved, slopes, strict=True)
        }

    @functools.cached_property
    def _graph(self) -> Any:
        """The same on TensorFlow, as one graph for all batches, with gradients by hand."""
        import tensorflow as tf

        def summed(begin: Any, whole: Any, fixed: Any, places: Any, weights: Any) -> Any:
            moved = {name: _spread(begin[name], whole[name], places) for name in begin}
            with fast_path(), tf.GradientTape() as tape:
                tape.watch(moved)
                total = tf.reduce_sum(
                    self._forward(moved, {n: _repeated(x, places) for n, x in fixed.items()})
                )
            slopes = tape.gradient(total, moved, unconnected_gradients="zero")
            return {name: _sum(slopes[name], begin[name], weights) for name in begin}

        point = {t.name: t for t in self.model.inputs} | dict(
            zip(self.inside, self.above.inputs, strict=False)
        )
        moved = {name: tf.TensorSpec(point[name].shape, "float32") for name in self.names}
        fixed = {t.name: tf.TensorSpec(t.shape, t.dtype) for t in self.model.inputs}
        vector = tf.TensorSpec((None,), "float32")
        signature = [moved, moved, fixed, vector, vector]
        return tf.function(summed, input_signature=signature, autograph=False)

    def _tensors(self, point: Arrays, inputs: Arrays) -> tuple[dict[str, Any], dict[str, Any]]:
        given = model_inputs(self.model, inputs)
        moved = {
            name: keras.ops.convert_to_tensor(np.asarray(point[name], np.float32)) for name in self.names
        }
        fixed = {name: keras.ops.convert_to_tensor(x) for name, x in given.items()}
        return moved, fixed

    def _forward(self, moved: Mapping[str, Any], fixed: Mapping[str, Any]) -> Any:
        own = {name: x for name, x in moved.items() if name not in self.inside}
        given = {**fixed, **own}
        values = [moved[name] for name in self.inside] + [given[t.name] for t in self.model.inputs]
        return self.above(values, training=False)
