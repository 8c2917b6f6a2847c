"""What explanations are held against: which tokens may be taken away, their pT and d0, where jets' structure is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jetlens.explanation.frame import soft_drop_subjets
from jetlens.features.featurefile import FeatureSet

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
D0 = ("d0_significance", "tanh_d0", "d0")
DISPLACED = 3.0
"""|d0| / σ(d0) beyond which a track counts as displaced."""
RADIUS = 0.2
"""ΔR from a subjet's axis within which a constituent counts as the subjet's."""


def removable_slots(about: Mapping[str, Any]) -> Mask:
    """Return the slots (T,) that may be taken away: constituents; where there are none, all tokens.

    Args:
        about: from :func:`jetlens.explanation.relevance.layout`.
    """
    kinds = about["kinds"][about["slot_stream"]]
    inside = kinds == "constituents"
    return np.asarray(inside if inside.any() else np.ones(len(kinds), dtype=bool))


def known_log_pt(about: Mapping[str, Any]) -> Floats:
    """Return ln(pT / GeV) of every token (N, T), −99 where it has none."""
    return np.where(np.isfinite(about["log_pt"]), about["log_pt"], -99.0).astype(np.float64)


def size_of_d0(features: FeatureSet, streams: Sequence[str]) -> Floats | None:
    """Return |d0|, or its significance, of every token (N, T); None if no stream has it."""
    parts, known = [], False
    for stream in streams:
        names = features.metadata.streams[stream].features
        name = next((n for n in D0 if n in names), None)
        known |= name is not None
        shape = features.masks[stream].shape
        parts.append(np.abs(features.streams[stream][..., names.index(name)]) if name else np.zeros(shape))
    return np.concatenate(parts, axis=1).astype(np.float64) if known else None


def displaced(about: Mapping[str, Any]) -> Mask | None:
    """Return which constituents (N, T) are displaced tracks; None if no stream knows a significance of d0."""
    known = np.isfinite(about["d0"])
    return np.asarray(known & (np.abs(np.where(known, about["d0"], 0)) > DISPLACED)) if known.any() else None


def near_subjets(about: Mapping[str, Any]) -> Mask | None:
    """Return which constituents (N, T) lie close to a soft-drop subjet of their jet; None where none has a place."""
    near = np.zeros(about["mask"].shape, dtype=bool)
    known = False
    for j in np.flatnonzero(about["kinds"] == "constituents"):
        slots = np.flatnonzero(about["slot_stream"] == j)
        eta, phi, log_pt = (about[name][:, slots].astype(np.float64) for name in ("eta", "phi", "log_pt"))
        own = about["mask"][:, slots] & np.isfinite(eta) & np.isfinite(log_pt)
        if not own.any():
            continue
        known = True
        eta, phi, pt = np.where(own, eta, 0), np.where(own, phi, 0), np.where(own, np.exp(log_pt), 0)
        found = soft_drop_subjets(eta, phi, pt, own)
        for s in (0, 1):
            distance = np.hypot(eta - found.eta[:, s, None], phi - found.phi[:, s, None])
            near[:, slots] |= own & (distance < RADIUS)
    return near if known else None


def shares(
    about: Mapping[str, Any], answers: Mapping[Any, Mapping[str, Floats]], classes: Mapping[str, int]
) -> dict[str, Any]:
    """Return how much of an explanation lies on displaced tracks, and on subjets, against their share of pT.

    Args:
        about: from :func:`jetlens.explanation.relevance.layout`, of N events.
        answers: by method, values (S, N, T) in favour of each class; what speaks against it is left out.
        classes: label of each class.

    Returns:
        By class and group the share of ``pt``, of the ``number`` of constituents and, by method, ``share`` and
        ``minus_pt``, the difference event by event: each a mean and its standard error over events.
    """
    groups = {"displaced tracks": displaced(about), "near the subjets": near_subjets(about)}
    removable = about["mask"] & removable_slots(about)[None]
    pt = np.where(removable, np.exp(known_log_pt(about)), 0)
    table: dict[str, Any] = {}
    for kind, truth in classes.items():
        members = np.flatnonzero(about["class"] == truth)
        for group, which in groups.items():
            if which is None or not len(members):
                continue
            of_pt = _share(pt[members], which[members])
            number = _share(removable[members].astype(np.float64), which[members])
            row: dict[str, Any] = {
                "pt": mean_and_error(of_pt),
                "number": mean_and_error(number),
                "methods": {},
            }
            for method, sides in answers.items():
                own = np.where(removable, np.maximum(sides[kind], 0), 0)[:, members]
                found = np.mean([_share(values, which[members]) for values in own], axis=0)
                row["methods"][method] = {
                    "share": mean_and_error(found),
                    "minus_pt": mean_and_error(found - of_pt),
                }
            table.setdefault(kind, {})[group] = row
    return table


def mean_and_error(values: Floats) -> list[float]:
    """Return mean and standard error over events, those left out that are not finite."""
    good = values[np.isfinite(values)]
    if not len(good):
        return [float("nan"), float("nan")]
    error = good.std(ddof=1) / np.sqrt(len(good)) if len(good) > 1 else float("nan")
    return [round(float(good.mean()), 5), round(float(error), 5)]


def _share(values: Floats, which: Mask) -> Floats:
    """Return the share of each event's total (N,) on some tokens; NaN where there is nothing to share."""
    total = values.sum(axis=1)
    return np.where(total > 0, (values * which).sum(axis=1) / np.where(total > 0, total, 1), np.nan)
