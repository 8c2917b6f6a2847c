"""Evaluation of checked expressions on awkward arrays of events, many events at a time.

What is missing is None in awkward arrays: an object that an event lacks, what is calculated from it, the smallest of
nothing. Conditions have three values: ``missing | true`` is true, ``missing & false`` is false, all else with a missing
part is missing, also ``~missing``; ``any`` and ``all`` likewise. A number that is none (0/0) counts as missing in
comparisons. Sums, extremes and means are over the entries that are there, and missing where all of them are.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from jetlens.expressions.lists import pick, reduce, take
from jetlens.expressions.missing import conjunction, disjunction, has_missing, leaf, masked, plain, spread
from jetlens.expressions.tree import Checked, Node
from jetlens.expressions.vectors import awkward_vectors, is_flat, numpy_vectors

_ARITHMETIC: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "sub": np.subtract,
    "mult": np.multiply,
    "div": np.true_divide,
    "pow": np.power,
}
_COMPARISONS: dict[str, Callable[..., Any]] = {
    "lt": np.less,
    "lte": np.less_equal,
    "gt": np.greater,
    "gte": np.greater_equal,
    "eq": np.equal,
    "noteq": np.not_equal,
}


class Evaluator:
    """Evaluates expressions on some events; what several have in common is calculated once.

    Example:
        >>> events = Evaluator(batch)
        >>> events.mask(check("(num(jets) >= 2) & (jets[0].pt > 100)", names, "cut"))
    """

    def __init__(self, events: Any, further: Mapping[str, Any] | None = None) -> None:
        """Take the events.

        Args:
            events: awkward record array (N,).
            further: arrays (N,) of names that the events do not have, such as the jet of a constituent.
        """
        self._events, self._further = events, further or {}
        self._rows = len(events)
        self._done: dict[bytes, Any] = {}
        self._flat: dict[bytes, Any] = {}

    def values(self, checked: Checked) -> Any:
        """Evaluate: an awkward array, or numpy where numbers are flat; what is missing is None."""
        return awkward_vectors(self.calculate(checked.node))

    def mask(self, checked: Checked) -> NDArray[np.bool_]:
        """Evaluate a cut: bool (N,), false where it is missing."""
        values = self._of_every_row(checked)
        return np.asarray(ak.fill_none(values, False) if isinstance(values, ak.Array) else values, dtype=bool)

    def numbers(self, checked: Checked) -> NDArray[np.float64]:
        """Evaluate a number per event: float64 (N,), NaN where it is missing."""
        values = self._of_every_row(checked)
        if isinstance(values, ak.Array):
            values = ak.fill_none(ak.values_astype(values, np.float64), np.nan)
        return np.asarray(values, dtype=np.float64)

    def rows(
        self,
        own: Any,
        owner: NDArray[np.int64] | None = None,
        parts: Sequence[Any] = (),
    ) -> Rows:
        """Return the evaluator of expressions about one object: one row per object, with its event at hand.

        Args:
            own: the objects, flat (K,), none of them missing.
            owner: the event of each, int64 (K,); None if there is one of each event.
            parts: the objects whose sum ``own`` is, each (K,); itself if nothing is given.
        """
        return Rows(self, own, owner, parts)

    def calculate(self, node: Node) -> Any:
        """Evaluate a part of an expression; objects may be vectors of numpy's backend."""
        if node.key not in self._done:
            with np.errstate(all="ignore"):
                self._done[node.key] = plain(self._made(node))
        return self._done[node.key]

    def _made(self, node: Node) -> Any:
        inputs = [self.calculate(one) for one in node.inputs]
        if node.operation == "where" and isinstance(inputs[0], bool):
            inputs[0] = np.full(self._rows, inputs[0])
        inputs = _aligned(node, inputs)
        if node.operation in _ARITHMETIC:
            return _ARITHMETIC[node.operation](*map(_floating, inputs))
        if node.operation in _COMPARISONS:
            return _compared(_COMPARISONS[node.operation], *inputs)
        return getattr(self, f"_do_{node.operation}")(node, *inputs)

    def _of_every_row(self, checked: Checked) -> Any:
        values = self.calculate(checked.node)
        return np.full(self._rows, values) if checked.type.constant else values

    def _by_vector(self, node: Node, operation: Callable[..., Any], *objects: Any) -> Any:
        """Apply an operation of vector's: in numpy's backend where nothing is missing, which is many times faster."""
        lists = [one for one in objects if not is_flat(one)]
        if not lists:
            return operation(
                *(self._flat_vectors(one.key, array) for one, array in zip(node.inputs, objects, strict=True))
            )
        if any(has_missing(one) for one in objects) or max(len(one.type.axes) for one in node.inputs) > 1:
            return operation(*map(awkward_vectors, objects))
        counts = np.asarray(ak.num(lists[0], axis=1))
        owner = np.repeat(np.arange(len(counts)), counts)
        rows = []
        for one, array in zip(node.inputs, objects, strict=True):
            if is_flat(array):
                rows.append(self._flat_vectors(one.key, array)[owner])
            else:
                rows.append(self._flat_vectors(one.key, ak.flatten(array, axis=1)))
        return ak.unflatten(awkward_vectors(operation(*rows)), counts)

    def _flat_vectors(self, key: bytes, array: Any) -> Any:
        if key not in self._flat:
            self._flat[key] = numpy_vectors(array)
        return self._flat[key]

    def _do_constant(self, node: Node) -> Any:
        return node.value

    def _do_event(self, node: Node) -> Any:
        return self._further[node.value] if node.value in self._further else self._events[node.value]

    def _do_field(self, node: Node, objects: Any) -> Any:
        return objects[node.value]

    def _do_property(self, node: Node, objects: Any) -> Any:
        return self._by_vector(node, operator.attrgetter(node.value), objects)

    def _do_method(self, node: Node, objects: Any, others: Any) -> Any:
        return self._by_vector(node, lambda one, other: getattr(one, node.value)(other), objects, others)

    def _do_vectors(self, node: Node, left: Any, right: Any) -> Any:
        return self._by_vector(node, operator.add, left, right)

    def _do_total(self, node: Node, objects: Any) -> Any:
        return ak.sum(objects, axis=-1)

    def _do_negative(self, node: Node, values: Any) -> Any:
        return -_floating(values)

    def _do_invert(self, node: Node, values: Any) -> Any:
        return not values if isinstance(values, bool) else ~values

    def _do_bitand(self, node: Node, left: Any, right: Any) -> Any:
        return conjunction(left, right)

    def _do_bitor(self, node: Node, left: Any, right: Any) -> Any:
        return disjunction(left, right)

    def _do_function(self, node: Node, *values: Any) -> Any:
        return getattr(np, node.value)(*map(_floating, values))

    def _do_clip(self, node: Node, values: Any, low: Any, high: Any) -> Any:
        return np.minimum(np.maximum(_floating(values), low), high)

    def _do_where(self, node: Node, condition: Any, values: Any, otherwise: Any) -> Any:
        if not any(isinstance(one, ak.Array) for one in (condition, values, otherwise)):
            return np.where(condition, values, otherwise)
        known = ak.fill_none(condition, False, axis=-1) if has_missing(condition) else condition
        made = ak.where(known, values, otherwise)
        return masked(made, condition)

    def _do_is_none(self, node: Node, values: Any) -> Any:
        depth = len(node.type.axes)
        return ak.is_none(values, axis=depth) if has_missing(values) else ak.zeros_like(values, dtype=bool)

    def _do_fill_none(self, node: Node, values: Any, number: float) -> Any:
        return ak.fill_none(values, float(number), axis=-1) if has_missing(values) else values

    def _do_index(self, node: Node, lists: Any) -> Any:
        return take(lists, node.value, len(node.type.axes))

    def _do_slice(self, node: Node, lists: Any) -> Any:
        return lists[(..., slice(*node.value))] if len(node.type.axes) > 1 else lists[:, slice(*node.value)]

    def _do_select(self, node: Node, lists: Any, condition: Any) -> Any:
        return lists[ak.fill_none(condition, False, axis=-1) if has_missing(condition) else condition]

    def _do_pick(self, node: Node, lists: Any, which: Any) -> Any:
        return (
            pick(lists, which, len(node.type.axes))
            if len(node.type.axes) < len(node.inputs[0].type.axes)
            else lists[which]
        )

    def _do_argmin(self, node: Node, values: Any) -> Any:
        return ak.argmin(values, axis=-1)

    def _do_argmax(self, node: Node, values: Any) -> Any:
        return ak.argmax(values, axis=-1)

    def _do_argsort(self, node: Node, values: Any) -> Any:
        return ak.argsort(values, axis=-1)

    def _do_reduce(self, node: Node, values: Any) -> Any:
        return reduce(node.value, values, len(node.inputs[0].type.axes))


class Rows(Evaluator):
    """Evaluates expressions about one object per row; what is of the event alone, its events' evaluator does.

    Attributes:
        coordinates: further numbers of each object, (K,), by name.
    """

    def __init__(self, parent: Evaluator, own: Any, owner: Any, parts: Sequence[Any]) -> None:
        """Take what :meth:`Evaluator.rows` is given."""
        self._parent, self._own, self._owner = parent, own, owner
        self.coordinates: dict[str, Any] = {}
        self._parts = list(parts) or [own]
        self._rows = len(own)
        self._done, self._flat = {}, {}

    def _made(self, node: Node) -> Any:
        if node.own:
            return super()._made(node)
        made = self._parent.calculate(node)
        if self._owner is None or node.type.constant:
            return made
        return (numpy_vectors(made) if node.type.record and is_flat(made) else made)[self._owner]

    def _do_own(self, node: Node) -> Any:
        return self._own

    def _do_coordinate(self, node: Node) -> Any:
        return self.coordinates[node.value]

    def _do_num_near(self, node: Node, others: Any) -> Any:
        if has_missing(others):
            parts = [awkward_vectors(part) for part in self._parts]
            return sum(ak.sum(others.deltaR(part) < node.value, axis=-1) for part in parts)
        counts = np.asarray(ak.num(others, axis=1))
        owner = np.repeat(np.arange(len(counts)), counts)
        flat = numpy_vectors(ak.flatten(others, axis=1))
        near = sum(
            (flat.deltaR(numpy_vectors(part)[owner]) < node.value).astype(np.int64) for part in self._parts
        )
        return np.bincount(owner, near, minlength=len(counts)).astype(np.int64)


def _aligned(node: Node, inputs: list[Any]) -> list[Any]:
    """Give inputs one entry per object where others have that: a missing one must not take the whole list with it.

    ``where`` mixes entries of both its values, so that all must have the same lists.
    """
    if len(inputs) < 2 or node.operation in ("select", "pick"):
        return inputs
    depths = [len(one.type.axes) for one in node.inputs]
    deepest = max(depths)
    like = inputs[depths.index(deepest)]
    mixed = node.operation == "where"
    return [
        spread(array, depth, like, deepest)
        if depth < deepest and (has_missing(array) or (mixed and isinstance(array, ak.Array | np.ndarray)))
        else array
        for array, depth in zip(inputs, depths, strict=True)
    ]


def _floating(values: Any) -> Any:
    """Integers and booleans as float64: small ones would overflow."""
    if isinstance(values, bool | int):
        return float(values)
    if isinstance(values, np.ndarray):
        return values if values.dtype.kind == "f" else values.astype(np.float64)
    if isinstance(values, ak.Array) and getattr(leaf(values), "kind", "f") != "f":
        return ak.values_astype(values, np.float64)
    return values


def _compared(compare: Callable[..., Any], left: Any, right: Any) -> Any:
    """Compare; missing where either side is no number."""
    made = compare(left, right)
    for side in (left, right):
        dtype = leaf(side) if isinstance(side, ak.Array) else getattr(side, "dtype", None)
        if getattr(dtype, "kind", "") == "f":
            unknown = np.isnan(side)
            if ak.any(unknown, axis=None):
                made = ak.mask(
                    made, ~(ak.fill_none(unknown, False, axis=-1) if has_missing(unknown) else unknown)
                )
    return made
