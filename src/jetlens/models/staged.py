"""A network in stages, so that choices of the same events' tokens share what they have in common.

Explanations that take tokens away score thousands of choices per event. Three stages, found in the network's own graph:

1. of each event once: what is computed of each token by itself, up to the first attention's queries, keys and values,
   and of each pair of tokens, the bias of attention;
2. of each choice of *one* stream's tokens once, whatever becomes of the other streams: all that depends on that stream
   alone. Where tokens leave one by one, half of the choices leave a stream as it was;
3. of each choice: the rest.

Tokens that are away are not padding but left out: choices of a like number go together, trimmed to the longest. For
TensorFlow alone, one graph per stage; the logits are those of the network, to rounding (tested).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from jetlens.models import arithmetic
from jetlens.models.probe import fill

Arrays = Mapping[str, NDArray[Any]]
Mask = NDArray[np.bool_]
Index = NDArray[np.int64]
Forward = Callable[..., list[NDArray[Any]]]
ROWS = 256
"""Choices that go through a graph at a time."""


def stages_of(model: keras.Model, streams: Sequence[str]) -> Staged | None:
    """Return the stages of a network's architecture, the same for all trainings of it; None where there are none.

    Args:
        model: the network; it stays as it is.
        streams: that it reads.
    """
    return _stages_of(model.to_json(), tuple(streams))


@functools.lru_cache(maxsize=4)
def _stages_of(architecture: str, streams: tuple[str, ...]) -> Staged | None:
    try:
        return Staged(keras.models.model_from_json(architecture), streams)
    except ValueError:
        return None


class Staged:
    """The stages of an architecture.

    Args:
        model: a network that nobody else uses: its graph is taken apart, its weights are overwritten.
        streams: that it reads.

    Raises:
        ValueError: if it does not run on TensorFlow, or its graph cannot be taken apart so.
    """

    def __init__(self, model: keras.Model, streams: Sequence[str]) -> None:
        """Take the graph apart."""
        if keras.backend.backend() != "tensorflow":
            raise ValueError("only networks on TensorFlow are taken apart")
        self._model = model
        inputs = {tensor.name: tensor for tensor in model.inputs}
        borders = _borders(model)
        first = {name: _by_themselves(model, name, inputs[name]) for name in streams}
        self._stages = {
            name: _Stage(inputs[name], inputs[f"{name}_mask"], first[name], borders.get(name, []))
            for name in streams
        }
        answering = [name for name in streams if any(t is model.outputs[0] for t in borders.get(name, []))]
        self._answers = answering[0] if answering else None
        self._event = [inputs["event"]] if "event" in inputs else []
        joined = [tensor for stage in self._stages.values() for tensor in stage.border]
        self._rest = None if answering else _forward([*joined, *self._event], [model.outputs[0]])

    def logits(
        self,
        model: keras.Model,
        inputs: Arrays,
        events: Index,
        present: Mapping[str, Mask],
        event: NDArray[Any],
    ) -> NDArray[np.float32]:
        """Return a network's logits (R,) of R choices of tokens.

        Args:
            model: a network of this architecture.
            inputs: arrays of N events: streams (N, T, F) and ``<stream>_mask`` (N, T).
            events: (R,) the event of each choice.
            present: by stream (R, T), which tokens are there; padded slots never are.
            event: (R, E) event vector of each choice.
        """
        result = np.empty(len(events), np.float32)
        if not len(events):
            return result
        fill(self._model, model)
        who, row = np.unique(events, return_inverse=True)
        found = {
            name: stage.encode(inputs[name][who], inputs[f"{name}_mask"][who], row, present[name])
            for name, stage in self._stages.items()
        }
        if self._rest is None:
            (answer,) = found[str(self._answers)].take(np.arange(len(events)))
            return np.asarray(answer[:, 0], dtype=np.float32)
        order = np.argsort(sum(part.number[part.index] for part in found.values()), kind="stable")
        for start in range(0, len(order), ROWS):
            chosen = order[start : start + ROWS]
            arguments = [array for part in found.values() for array in part.take(chosen)]
            result[chosen] = self._rest(*arguments, *([event[chosen]] if self._event else []))[0][:, 0]
        return result


@dataclass(frozen=True)
class _Encoded:
    """What the second stage gives for S choices of one stream's tokens.

    Attributes:
        index: (R,) which of them each row asks for.
        number: (S,) how many tokens are there.
        start: (S,) where a choice's tokens start in arrays of tokens, one after the other.
        arrays: per border: of tokens (Σ number + 1, D), the last one padding; else (S, …); None for the mask.
        mask: (S, T) of a stream of fixed length, else None.
        ragged: per border, whether it is of tokens.
    """

    index: Index
    number: Index
    start: Index
    arrays: list[NDArray[Any] | None]
    mask: Mask | None
    ragged: list[bool]

    def take(self, rows: Index) -> list[NDArray[Any]]:
        """Return the arrays at the border for some rows, padded to their longest."""
        chosen = self.index[rows]
        number = self.number[chosen][:, None]
        slots = np.arange(max(1, int(number.max())))
        there = slots < number
        places = np.where(there, self.start[chosen][:, None] + slots, -1)
        taken = []
        for array, ragged in zip(self.arrays, self.ragged, strict=True):
            if array is None:
                taken.append(there if self.mask is None else self.mask[chosen])
            else:
                taken.append(array[places] if ragged else array[chosen])
        return taken


class _Stage:
    """The first two stages of one stream.

    Args:
        values: symbolic input (B, T, F).
        mask: symbolic input (B, T).
        first: symbolic tensors (B, T, …) of tokens and (B, T, T, …) of pairs, where the second stage starts.
        border: symbolic tensors where it ends.
    """

    def __init__(self, values: Any, mask: Any, first: list[Any], border: list[Any]) -> None:
        self.free = values.shape[1] is None
        self.border = border
        made = [tensor for tensor in border if tensor is not mask]
        self._given = [tensor is mask for tensor in border]
        self._ragged = [self.free and tensor.shape[1] is None for tensor in made]
        if any(None in t.shape[1 + ragged :] for t, ragged in zip(made, self._ragged, strict=True)):
            raise ValueError("what leaves a stream is neither one row per token nor of fixed size")
        self._pairs = [len(tensor.shape) == 4 for tensor in first]
        self._below = _forward([values, mask], first) if made else None
        self._encode = _forward([*first, mask], made) if made else None

    def encode(self, values: NDArray[Any], real: Mask, events: Index, present: Mask) -> _Encoded:
        """Return what the second stage makes of R choices.

        Args:
            values: (U, T, F) of U events.
            real: (U, T).
            events: (R,) the event of each choice.
            present: (R, T).
        """
        present = present & real[events]
        first, index = _unique(events, present)
        own, there = events[first], present[first]
        number = there.sum(axis=1)
        order = np.argsort(number, kind="stable")
        start = np.empty(len(order), np.int64)
        start[order] = np.cumsum(number[order]) - number[order]
        made = iter(self._made(values, real, own, there, order))
        arrays = [None if given else next(made) for given in self._given]
        ragged = iter(self._ragged)
        tokens = [not given and next(ragged) for given in self._given]
        return _Encoded(index, number, start, arrays, None if self.free else there, tokens)

    def _made(
        self, values: NDArray[Any], real: Mask, own: Index, there: Mask, order: Index
    ) -> list[NDArray[Any]]:
        """Return what the second stage makes of S choices, in batches of a like number of tokens."""
        if self._below is None or self._encode is None:
            return []
        below = self._below(values, real)
        parts = []
        for begin in range(0, len(order), ROWS):
            chosen = order[begin : begin + ROWS]
            slots, mask = self._slots(there[chosen])
            event = own[chosen]
            arguments = [
                x[event[:, None, None], slots[:, :, None], slots[:, None]]
                if pairs
                else x[event[:, None], slots]
                for x, pairs in zip(below, self._pairs, strict=True)
            ]
            outputs = self._encode(*arguments, mask)
            parts.append([x[mask] if r else x for x, r in zip(outputs, self._ragged, strict=True)])
        joined = [np.concatenate(column) for column in zip(*parts, strict=True)]
        back = np.argsort(order)
        return [
            np.concatenate([x, np.zeros((1, *x.shape[1:]), x.dtype)]) if ragged else x[back]
            for x, ragged in zip(joined, self._ragged, strict=True)
        ]

    def _slots(self, there: Mask) -> tuple[Index, Mask]:
        """Return the slots (B, T') of tokens that are there, these first, and which of them are real."""
        if not self.free:
            return np.broadcast_to(np.arange(there.shape[1]), there.shape), there
        longest = max(1, int(there.sum(axis=1).max()))
        slots = np.argsort(~there, axis=1, kind="stable")[:, :longest]
        return slots, np.take_along_axis(there, slots, axis=1)


def _unique(events: Index, present: Mask) -> tuple[Index, Index]:
    """Return the first row of each choice that differs from all others, and (R,) which of these a row is."""
    code = np.concatenate(
        [events.astype(">u4")[:, None].view(np.uint8).reshape(len(events), 4), np.packbits(present, axis=1)],
        axis=1,
    )
    key = np.ascontiguousarray(code).view(np.dtype((np.void, code.shape[1])))[:, 0]
    _, first, index = np.unique(key, return_index=True, return_inverse=True)
    return first, index.reshape(-1)


def _by_themselves(model: keras.Model, stream: str, values: Any) -> list[Any]:
    """Return the last tensors that are computed of each token of a stream, or of each two, by themselves."""
    names = {layer.name for layer in model.layers}
    attention = f"{stream}_self_attention_0"
    if attention not in names:
        return (
            [_first(model.get_layer(f"{stream}_tokens").input)] if f"{stream}_tokens" in names else [values]
        )
    embedded = _first(model.get_layer(f"{attention}_residual").input)
    found = [embedded, _first(model.get_layer(attention).input)]
    if f"{stream}_attention_bias" in names:  # ahead of this layer heads come last
        found.append(_first(model.get_layer(f"{stream}_attention_bias").input))
    return found


def _first(tensors: Any) -> Any:
    return tensors[0] if isinstance(tensors, list | tuple) else tensors


def _borders(model: keras.Model) -> dict[str, list[Any]]:
    """Return by stream the last tensors that depend on it alone; ``event`` is a stream of its own."""
    inputs = {id(tensor): tensor.name.removesuffix("_mask") for tensor in model.inputs}
    known: dict[int, frozenset[str]] = {}

    def parents(tensor: Any) -> list[Any]:
        operation, node, _ = tensor._keras_history
        return list(operation._inbound_nodes[node].input_tensors)

    def reads(tensor: Any) -> frozenset[str]:
        if id(tensor) in inputs:
            return frozenset([inputs[id(tensor)]])
        if id(tensor) not in known:
            known[id(tensor)] = frozenset().union(*(reads(parent) for parent in parents(tensor)))
        return known[id(tensor)]

    borders: dict[str, list[Any]] = {}
    waiting = [model.outputs[0]]
    while waiting:
        tensor = waiting.pop()
        if len(reads(tensor)) > 1:
            waiting += parents(tensor)
            continue
        own = borders.setdefault(next(iter(reads(tensor))), [])
        if not any(tensor is other for other in own):
            own.append(tensor)
    return borders


def _forward(inputs: list[Any], outputs: list[Any]) -> Forward:
    """Return a function from arrays to arrays, one graph for all their lengths."""
    import tensorflow as tf

    part = keras.Model(inputs, outputs)
    signature = [tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in inputs]

    @tf.function(input_signature=signature, autograph=False)  # type: ignore[untyped-decorator, unused-ignore]
    def graph(*tensors: Any) -> Any:
        with arithmetic.fast_path():
            return part(list(tensors), training=False)

    concrete = graph.get_concrete_function()

    def forward(*arrays: NDArray[Any]) -> list[NDArray[Any]]:
        found = concrete(*(tf.constant(array) for array in arrays))
        return [x.numpy() for x in (found if isinstance(found, list | tuple) else [found])]

    return forward
