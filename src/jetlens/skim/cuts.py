"""The event selection: objects that count, and cuts on numbers made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jetlens.config.quantities import Group, Objects, Quantity, parse_quantity
from jetlens.config.skim import Cut, ObjectCuts
from jetlens.events import Chunk
from jetlens.events.jagged import Jagged, Mask
from jetlens.events.kinematics import cartesian, from_cartesian, wrap_phi
from jetlens.events.reader import is_b_tagged

Values = NDArray[np.float64]


def select_objects(chunk: Chunk, requirements: Mapping[str, ObjectCuts]) -> Chunk:
    """Drop the objects that do not fulfil the requirements; events all stay.

    Args:
        chunk: events as read.
        requirements: by collection; collections not named are kept whole.
    """
    collections = dict(chunk.collections)
    for name, cuts in requirements.items():
        objects = collections[name]
        kept = objects["pt"] >= cuts.pt_min
        if cuts.abs_eta_max is not None:
            kept &= np.abs(objects["eta"]) <= cuts.abs_eta_max
        collections[name] = objects.select(kept)
    return replace(chunk, collections=collections)


def passing(chunk: Chunk, cuts: Sequence[Cut]) -> list[Mask]:
    """Apply cuts one after the other.

    Args:
        chunk: events with the objects that count.
        cuts: in the order of the cutflow.

    Returns:
        per cut, bool (N,): the event passes this cut and all before it.
    """
    alive = np.ones(len(chunk), dtype=bool)
    masks = []
    for cut in cuts:
        values = evaluate(chunk, parse_quantity(cut.quantity))
        with np.errstate(invalid="ignore"):  # NaN, an object that is not there, compares false and so fails
            if cut.min is not None:
                alive = alive & (values >= cut.min)
            if cut.max is not None:
                alive = alive & (values <= cut.max)
        masks.append(alive)
    return masks


def evaluate(chunk: Chunk, quantity: Quantity) -> Values:
    """Compute a quantity for every event, float64 (N,); NaN where an object that it needs is missing."""
    name, arguments = quantity.function, quantity.arguments
    if name == "event":
        return np.asarray(getattr(chunk, quantity.leaf), dtype=np.float64)
    if isinstance(first := arguments[0], Group):
        return _of_group(chunk, name, first, arguments[1:])
    if name == "leaf":
        collection, index = first.parts[0]
        return _pick(chunk.collections[collection], quantity.leaf, index)
    pt, eta, phi, mass = _momentum(chunk, first)
    if name == "abs_eta":
        return np.abs(eta)
    if name in ("pt", "mass"):
        return pt if name == "pt" else mass
    second = arguments[1]
    assert isinstance(second, Objects)
    _, other_eta, other_phi, _ = _momentum(chunk, second)
    delta_eta, delta_phi = np.abs(eta - other_eta), np.abs(wrap_phi(phi - other_phi))
    return {
        "abs_delta_eta": delta_eta,
        "abs_delta_phi": delta_phi,
        "delta_r": np.hypot(delta_eta, delta_phi),
    }[name]


def _of_group(chunk: Chunk, name: str, group: Group, others: Sequence[Any]) -> Values:
    objects = chunk.collections[group.collection]
    if name == "count":
        return objects.counts.astype(np.float64)
    if name == "count_b_tagged":
        return objects.select(is_b_tagged(objects["b_tag"])).counts.astype(np.float64)
    if group.limit is not None:
        objects = objects.leading(group.limit)
    _, _, phi, _ = _momentum(chunk, others[0])
    smallest = np.full(len(chunk), np.nan)
    distance = np.abs(wrap_phi(objects["phi"].astype(np.float64) - phi[objects.events]))
    np.fmin.at(smallest, objects.events, distance)
    return smallest


def _pick(objects: Jagged, column: str, index: int) -> Values:
    there = objects.counts > index
    values = np.full(len(objects), np.nan)
    values[there] = objects[column][objects.offsets[:-1][there] + index]
    return values


def _momentum(chunk: Chunk, objects: Objects) -> tuple[Values, Values, Values, Values]:
    """pt, eta, phi, mass of a sum of objects, each float64 (N,)."""
    if objects.missing:
        zero = np.zeros(len(chunk))
        return chunk.met.astype(np.float64), zero, chunk.met_phi.astype(np.float64), zero
    parts = [
        tuple(_pick(chunk.collections[name], column, index) for column in ("pt", "eta", "phi", "mass"))
        for name, index in objects.parts
    ]
    if len(parts) == 1:
        pt, eta, phi, mass = parts[0]
        return pt, eta, phi, mass
    return from_cartesian(np.sum([cartesian(*part) for part in parts], axis=0))
