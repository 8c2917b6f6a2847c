"""Choosing from lists and going over them: one object of each event, the smallest of its numbers."""

from __future__ import annotations

from typing import Any

import awkward as ak
import numpy as np

from jetlens.expressions.missing import has_missing


def take(lists: Any, index: int, depth: int) -> Any:
    """One entry of every list, None where a list has none.

    Args:
        lists: with ``depth`` axes of lists outside of those chosen from.
        index: from 0; a negative one counts from the end.
        depth: how many axes of lists the result has.
    """
    if depth:
        if has_missing(lists):
            return ak.pad_none(lists, index + 1 if index >= 0 else -index, axis=-1)[..., index]
        return ak.unflatten(take(ak.flatten(lists, axis=1), index, depth - 1), ak.num(lists, axis=1))
    layout = lists.layout
    if not layout.is_list:  # events without the list, or a regular array
        number = ak.fill_none(ak.num(lists, axis=1), 0)
        there = number > index if index >= 0 else number >= -index
        return ak.mask(lists, there)[:, index]
    starts, stops = np.asarray(layout.starts), np.asarray(layout.stops)
    place = starts + index if index >= 0 else stops + index
    there = (place < stops) & (place >= starts)
    if there.all():
        return ak.Array(layout.content)[place]
    chosen = ak.index.Index64(np.where(there, place, -1).astype(np.int64))
    return ak.Array(ak.contents.IndexedOptionArray.simplified(chosen, layout.content))


def pick(lists: Any, which: Any, depth: int) -> Any:
    """The entry of every list that ``which`` gives, None where that is None."""
    chosen = lists[ak.singletons(which, axis=depth)]
    return take(chosen, 0, depth)


def reduce(name: str, values: Any, depth: int) -> Any:
    """Go over the last of ``depth`` axes of lists; see the module of evaluation for what is missing."""
    if name == "num":
        return ak.num(values, axis=depth)
    if name == "sort":
        return ak.sort(values, axis=-1)
    if name in ("any", "all"):
        return _condition(name, values)
    if name == "mean":
        number = ak.count(values, axis=-1)
        made = ak.mask(ak.sum(values, axis=-1) / ak.where(number > 0, number, 1), number > 0)
    else:
        made = getattr(ak, name)(values, axis=-1)
    if name in ("sum", "prod") and has_missing(
        values
    ):  # nothing is known of what is there: neither zero nor one
        unknown = (ak.count(values, axis=-1) == 0) & (ak.num(values, axis=depth) > 0)
        made = ak.mask(made, ~unknown)
    return made


def _condition(name: str, values: Any) -> Any:
    """Any, or all: decided by what is known, missing if that does not decide."""
    decisive = name == "any"
    if not has_missing(values):
        return getattr(ak, name)(values, axis=-1)
    made = getattr(ak, name)(ak.fill_none(values, not decisive, axis=-1), axis=-1)
    incomplete = ak.any(ak.is_none(values, axis=-1), axis=-1)
    return ak.mask(made, ~incomplete | (made if decisive else ~made))
