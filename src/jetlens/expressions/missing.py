"""Arrays in which something may be missing, and the three-valued logic of conditions on them."""

from __future__ import annotations

from typing import Any

import awkward as ak
import numpy as np


def leaf(array: Any) -> Any:
    """The numpy layout at the bottom of an awkward array of numbers, its dtype; None for records."""
    layout = array.layout
    while not (layout.is_numpy or layout.is_record or layout.is_unknown or layout.is_union):
        layout = layout.content
    return layout.dtype if layout.is_numpy else None


def has_missing(array: Any) -> bool:
    """Whether an array can hold None anywhere above its records and numbers."""
    if not isinstance(array, ak.Array):
        return False
    layout = array.layout
    while not (layout.is_numpy or layout.is_record or layout.is_unknown or layout.is_union):
        if layout.is_option:
            return True
        layout = layout.content
    return False


def plain(array: Any) -> Any:
    """Flat numbers without anything missing as numpy; anything else as it is."""
    if isinstance(array, ak.Array) and array.ndim == 1 and not has_missing(array) and leaf(array) is not None:
        return ak.to_numpy(array)
    return array


def masked(array: Any, like: Any) -> Any:
    """Make missing what is missing in another array of the same shape."""
    if not has_missing(like):
        return array
    return ak.mask(array, ~ak.is_none(like, axis=-1))


def spread(array: Any, depth: int, like: Any, deepest: int) -> Any:
    """Repeat what there is one of per event for every object of that event.

    Awkward's own broadcasting makes a whole list missing where the event's entry is; here each entry of the list is.

    Args:
        array: with so many axes of lists.
        depth: how many.
        like: lists that tell how often.
        deepest: how many axes of lists these have.
    """
    for level in range(depth, deepest):
        counts = ak.fill_none(ak.num(like, axis=level + 1), 0, axis=-1)
        if level == 0:
            flat = np.asarray(counts)
            array = ak.unflatten(array[np.repeat(np.arange(len(flat)), flat)], flat)
        else:
            outer = ak.num(counts, axis=1)
            inner = np.asarray(ak.flatten(counts, axis=1))
            rows = np.repeat(np.arange(len(inner)), inner)
            array = ak.unflatten(ak.unflatten(ak.flatten(array, axis=1)[rows], inner), np.asarray(outer))
    return array


def conjunction(left: Any, right: Any) -> Any:
    """``left & right``: false if either is false, missing if either is missing and none false."""
    if not has_missing(left) and not has_missing(right):
        return left & right
    (a, known_a), (b, known_b) = _split(left, True), _split(right, True)
    value = a & b
    return ak.mask(value, (known_a & known_b) | ~value)


def disjunction(left: Any, right: Any) -> Any:
    """``left | right``: true if either is true, missing if either is missing and none true."""
    if not has_missing(left) and not has_missing(right):
        return left | right
    (a, known_a), (b, known_b) = _split(left, False), _split(right, False)
    value = a | b
    return ak.mask(value, (known_a & known_b) | value)


def _split(array: Any, fill: bool) -> tuple[Any, Any]:
    """A condition with what is missing filled, and where it is known."""
    if not has_missing(array):
        return array, True
    return ak.fill_none(array, fill, axis=-1), ~ak.is_none(array, axis=-1)
