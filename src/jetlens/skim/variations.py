"""Events under a systematic variation of objects: what the selection would have seen.

Objects are moved before they are selected, and brought into the order of their new transverse momenta; expressions see
them as they were, whatever the variation moves besides. Constituents are moved once they are found, in the events as
they are then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from jetlens.config.variations import GAUSS, Move, about, split
from jetlens.events.arrays import falling, lists, record, wrap_phi
from jetlens.events.impact_parameters import gaussian
from jetlens.expressions import Checked, Namespace, check, used
from jetlens.expressions.evaluate import Evaluator

Floats = NDArray[np.float64]
Index = NDArray[np.int64]
MOMENTUM = ("pt", "mass")
"""What is scaled of a four-momentum at constant direction; neither is ever negative."""
MOST_OBJECTS = 1 << 16
"""More than there are in an event: places of constituents are counted beyond those of objects."""


class _Fitted(NamedTuple):
    """A move that fits the events; ``columns`` of its objects are moved, by ``checked``, with ``random`` numbers."""

    move: Move
    columns: tuple[str, ...]
    checked: Checked
    random: tuple[str, ...]


class Varied:
    """One side of a variation of objects."""

    def __init__(self, moves: Sequence[Move], names: Namespace, key: str, balance: str | None = None) -> None:
        """Find out what the moves mean.

        Args:
            moves: what becomes of which columns.
            names: what names mean in these events, definitions included.
            key: of the random numbers: physical sample, part and variation.
            balance: collection whose change of transverse momentum the missing momentum takes up.

        Raises:
            ConfigError: if the events have nothing of the kind.
        """
        self._key, self._balance = key, balance
        self._moves: dict[str, list[_Fitted]] = {}
        self._lists = set(names.collections)
        for move in moves:
            path, _ = split(move.target, names)
            leaf = move.target.removeprefix(path).lstrip(".")
            checked = check(move.text, about(move, names), "number")
            columns = (leaf,) if leaf else MOMENTUM if path.split(".")[0] in self._lists else ("pt",)
            random = tuple(used([move.text], dict.fromkeys(GAUSS, "1")))
            self._moves.setdefault(path, []).append(_Fitted(move, columns, checked, random))

    def objects(self, events: Any) -> Any:
        """Return events (N,), of which nothing was selected yet, with their objects moved."""
        made: dict[str, Any] = {}
        evaluator = Evaluator(events)
        numbers = np.asarray(events["event_number"], dtype=np.int64)
        for path, moves in self._moves.items():
            if path in self._lists:
                made[path] = self._moved(path, moves, events[path], evaluator, numbers)
            elif "." not in path:
                made[path] = self._of_events(path, moves, events, numbers)
        if self._balance in made:
            made["met"] = _balanced(made.get("met", events.met), events[self._balance], made[self._balance])
        return _replaced(events, made)

    def constituents(self, events: Any) -> Any:
        """Return events (N,), whose constituents were found, with these moved."""
        made: dict[str, Any] = {}
        evaluator = Evaluator(events)
        numbers = np.asarray(events["event_number"], dtype=np.int64)
        for path, moves in self._moves.items():
            name, _, inner = path.partition(".")
            if not inner:
                continue
            jets = events[name].layout.to_packed().to_ListOffsetArray64(True)
            offsets, content = np.asarray(jets.offsets.data), jets.content
            moved = self._moved(path, moves, content.content(inner), evaluator, numbers, offsets)
            columns = {key: content.content(key) for key in content.fields} | {inner: moved.layout}
            behaviour = content.parameter("__record__")
            made[name] = ak.Array(lists(offsets, record(columns, int(offsets[-1]), behaviour)))
        return _replaced(events, made)

    def _moved(
        self,
        path: str,
        moves: Sequence[_Fitted],
        objects: Any,
        evaluator: Evaluator,
        numbers: Index,
        outer: Index | None = None,
    ) -> Any:
        """Move the objects of lists, one per event; or of those of jets, whose offsets are ``outer``."""
        layout = ak.to_layout(objects).to_packed().to_ListOffsetArray64(True)
        offsets, content = np.asarray(layout.offsets.data), layout.content
        owner = np.repeat(np.arange(len(layout)), np.diff(offsets))
        identity = np.arange(len(owner)) - offsets[owner]
        if outer is not None:
            event = np.repeat(np.arange(len(outer) - 1), np.diff(outer))
            jet = np.arange(len(event)) - outer[event]
            identity = identity + MOST_OBJECTS * (1 + jet[owner])
            owner = event[owner]
        rows = evaluator.rows(ak.Array(content), owner)
        rows.coordinates = self._random(path, moves, numbers[owner], identity)
        columns = {key: content.content(key) for key in content.fields}
        for move, targets, checked, _ in moves:
            values = rows.numbers(checked)
            for name in targets:
                columns[name] = _applied(name, np.asarray(columns[name].data), move, values)
        made = record(columns, len(owner), content.parameter("__record__"))
        order = falling(np.asarray(made.content("pt").data), offsets) if "pt" in columns else None
        return ak.Array(lists(offsets, made if order is None else ak.Array(made)[order].layout))

    def _of_events(self, name: str, moves: Sequence[_Fitted], events: Any, numbers: Index) -> Any:
        """A number of the event, or its missing momentum, moved."""
        random = self._random(name, moves, numbers, np.zeros_like(numbers))
        evaluator = Evaluator(events, further=random)
        fields = events[name].fields
        columns = {key: np.asarray(events[name][key]) for key in fields} or {name: np.asarray(events[name])}
        for move, targets, checked, _ in moves:
            values = evaluator.numbers(checked)
            for column in targets if fields else (name,):
                columns[column] = _applied(column, columns[column], move, values)
        return _missing_momentum(columns) if fields else columns[name]

    def _random(
        self, path: str, moves: Sequence[_Fitted], numbers: Index, identity: Index
    ) -> dict[str, Floats]:
        names = {name for fitted in moves for name in fitted.random}
        return {name: gaussian(numbers, identity, f"{self._key}:{path}:{name}") for name in sorted(names)}


def _applied(column: str, before: NDArray[Any], move: Move, values: Floats) -> NDArray[Any]:
    """A column moved; where the expression has no value, as what it is made of is missing, it stays."""
    new = before * values if move.how == "scale" else before + values
    moved = np.where(np.isfinite(values), new, before)
    if column in MOMENTUM:
        return np.maximum(moved, 0.0)
    if column == "phi":
        return wrap_phi(moved)
    return np.rint(moved) if before.dtype.kind in "iu" else moved


def _balanced(met: Any, before: Any, after: Any) -> Any:
    """The missing momentum less what objects have gained in transverse momentum."""
    x = np.asarray(met.px) - np.asarray(ak.sum(after.px, axis=1) - ak.sum(before.px, axis=1))
    y = np.asarray(met.py) - np.asarray(ak.sum(after.py, axis=1) - ak.sum(before.py, axis=1))
    columns = {key: np.asarray(met[key]) for key in met.fields}
    return _missing_momentum(columns | {"pt": np.hypot(x, y), "phi": np.arctan2(y, x)})


def _missing_momentum(columns: Mapping[str, NDArray[Any]]) -> Any:
    return ak.Array(record(columns, len(columns["pt"]), "Momentum2D"))


def _replaced(events: Any, columns: Mapping[str, Any]) -> Any:
    for name, values in columns.items():
        events = ak.with_field(events, values, name)
    return events
