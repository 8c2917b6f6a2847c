"""Streams and event vectors: features, each an expression, evaluated on awkward events and padded.

Every feature is computed on flat rows, one per token, with the event of each at hand; only then are rows put into
their places. Everything is computed from the event itself; nothing from labels, other events or samples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from jetlens.errors import FileError
from jetlens.events.standard import MOMENTA
from jetlens.expressions.evaluate import Evaluator, Rows
from jetlens.expressions.feature import FRAME
from jetlens.expressions.missing import has_missing
from jetlens.expressions.tokens import Fitted, Group, Plan
from jetlens.expressions.tree import Node
from jetlens.features.alignment import align

Mask = NDArray[np.bool_]
Integers = NDArray[np.int64]
Tokens = tuple[NDArray[np.float32], Mask]


def event_vector(
    plan: Plan, events: Any, further: Mapping[str, NDArray[np.float64]] | None = None
) -> NDArray[np.float32]:
    """Compute the event's own numbers, float32 (N, E).

    Args:
        plan: the features.
        events: N events.
        further: numbers of the event that they do not have, (N,) each.

    Raises:
        FileError: if a feature without a fill is missing in an event.
    """
    evaluator = Evaluator(events, further)
    values = np.empty((len(events), len(plan.features)), dtype=np.float32)
    for place, one in enumerate(plan.features):
        values[:, place] = _values(one, evaluator, len(events))
        if missing := int((~np.isfinite(values[:, place])).sum()):
            raise FileError(
                f"feature '{one.feature.name}' ({one.feature.expression}) is missing in {missing} of {len(events)} "
                f"selected events; give it a fill, or cut on what it needs"
            )
    return values


def constituent_tokens(
    plan: Plan, events: Any, *, jets: str, jet: int, number: int, alignment: str
) -> Tokens:
    """Compute features of the leading constituents of one jet.

    Args:
        plan: the features.
        events: N events.
        jets: name of the collection of jets.
        jet: which of them.
        number: tokens kept, T.
        alignment: one of :data:`jetlens.features.alignment.ALIGNMENTS`.

    Returns:
        float32 (N, T, F), zero where there is no token, and bool (N, T), true where there is one.
    """
    there = np.asarray(ak.num(events[jets], axis=1)) > jet
    having = events if there.all() else events[there]
    axes = having[jets][:, jet]
    read = [name.split(".")[-1] for name in plan.columns if name.startswith(f"{jets}.constituents.")]
    own, owner, counts = leading(axes["constituents"], number, read)
    mask = np.zeros((len(events), number), dtype=bool)
    mask[there] = np.arange(number) < counts[:, np.newaxis]
    rows = Evaluator(having, further={"jet": axes}).rows(own, owner)
    x, y, pt = (rows.numbers(checked) for checked in plan.place)
    if alignment != "none":
        places = align(_padded(x, mask), _padded(y, mask), _padded(pt, mask), mask, alignment)
        x, y = (place[mask] for place in places)
    rows.coordinates = dict(zip(FRAME, (x, y), strict=True))
    return _placed(plan.features, rows, len(owner), mask)


def named_tokens(plan: Plan, events: Any) -> Tokens:
    """Compute features of named objects and sums of objects, one token each.

    Returns:
        float32 (N, T, F), zero where an event lacks the object, and bool (N, T).
    """
    evaluator = Evaluator(events)
    return _joined([_one_token(group, evaluator, len(events)) for group in plan.groups])


def object_tokens(plan: Plan, events: Any) -> Tokens:
    """Compute features of the leading objects of some collections, one after the other.

    Returns:
        float32 (N, T, F), zero-padded, and bool (N, T); T is the sum of the groups' numbers.
    """
    evaluator = Evaluator(events)
    made = []
    for group in plan.groups:
        lists = evaluator.values(group.source)
        own, owner, counts = leading(lists, group.number, group.fields)
        mask = np.arange(group.number) < counts[:, np.newaxis]
        made.append(_placed(group.features, evaluator.rows(own, owner), len(owner), mask))
    return _joined(made)


def leading(lists: Any, number: int, fields: Sequence[str]) -> tuple[Any, Integers, Integers]:
    """Leading objects of every list, one after the other.

    Args:
        lists: awkward lists of records (N, var).
        number: most objects per list.
        fields: those wanted of each object.

    Returns:
        flat records (K,), the list of each int64 (K,), and their number in each list int64 (N,).
    """
    layout = lists.layout
    while layout.is_indexed and not layout.is_option:
        layout = layout.project()
    if layout.is_option:  # lists that are not there have no objects
        layout = layout.to_IndexedOptionArray64()
        index, layout = np.asarray(layout.index), layout.content
        there = index >= 0
        starts, stops = np.zeros((2, len(index)), dtype=np.int64)
        starts[there], stops[there] = (
            np.asarray(layout.starts)[index[there]],
            np.asarray(layout.stops)[index[there]],
        )
    else:
        starts, stops = np.asarray(layout.starts), np.asarray(layout.stops)
    counts = np.minimum(stops - starts, number).astype(np.int64)
    owner = np.repeat(np.arange(len(counts)), counts)
    index = np.arange(len(owner)) + np.repeat(starts - (np.cumsum(counts) - counts), counts)
    content = ak.Array(layout.content)
    momentum = [name for name in MOMENTA if name in content.fields]  # vector refuses a part of it
    names = list(dict.fromkeys((*momentum, *fields))) if fields else content.fields
    if any(content[name].ndim > 1 for name in names):
        return content[index], owner, counts
    columns = [ak.contents.NumpyArray(np.asarray(content[name])[index]) for name in names]
    parameters = {"__record__": layout.content.purelist_parameter("__record__")}
    return ak.Array(ak.contents.RecordArray(columns, list(names), parameters=parameters)), owner, counts


def _one_token(group: Group, evaluator: Evaluator, events: int) -> Tokens:
    own, *parts = (evaluator.calculate(node) for node in (group.source.node, *_addends(group.source.node)))
    there, owner = np.ones(events, dtype=bool), None
    if has_missing(own):
        there = ~np.asarray(ak.is_none(own, axis=0))
        own, *parts = (ak.drop_none(array[there], axis=0) for array in (own, *parts))
        owner = np.flatnonzero(there)
    return _placed(group.features, evaluator.rows(own, owner, parts), len(own), there[:, np.newaxis])


def _addends(node: Node) -> list[Node]:
    if node.operation != "vectors":
        return [node]
    return [addend for one in node.inputs for addend in _addends(one)]


def _values(fitted: Fitted, evaluator: Evaluator, rows: int) -> NDArray[np.float64]:
    """A feature, float64 (rows,); not finite where it is missing and has no fill."""
    fill = np.nan if fitted.feature.fill is None else fitted.feature.fill
    if fitted.checked is None:
        return np.full(rows, fill)
    found = evaluator.numbers(fitted.checked)
    return found if fitted.feature.fill is None else np.where(np.isfinite(found), found, fill)


def _placed(features: Sequence[Fitted], rows: Rows, number: int, mask: Mask) -> Tokens:
    """Put rows into the places where the mask is true; a token that lacks a feature is none."""
    found = np.empty((len(features), number), dtype=np.float32)
    for place, one in enumerate(features):
        found[place] = _values(one, rows, number)
    finite = np.isfinite(found)
    if not finite.all():
        complete = finite.all(axis=0)
        mask = mask.copy()
        mask[mask] = complete
        found = found[:, complete]
    values = np.zeros((mask.size, len(features)), dtype=np.float32)
    values[np.flatnonzero(mask)] = found.T
    return values.reshape(*mask.shape, len(features)), mask


def _joined(made: Sequence[Tokens]) -> Tokens:
    return np.concatenate([v for v, _ in made], axis=1), np.concatenate([m for _, m in made], axis=1)


def _padded(column: NDArray[Any], mask: Mask) -> NDArray[Any]:
    values = np.zeros(mask.shape, dtype=column.dtype)
    values[mask] = column
    return values
