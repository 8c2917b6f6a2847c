"""Maps in the jets' planes from a method's file: averaged over events, by rank in pT, and event by event.

Axes: M maps, C classes, J jets (streams whose tokens have a place), B cells along Δη and Δφ, T slots of all jets, E
single events. A signed method has two maps for each of its own: what speaks for signal, what for background.

=====================  =================  =====================================================================
``maps``               str (M,)           names of the maps
``classes``            str (C,)           ``signal``, ``background``
``streams``            str (J,)           names of the jets' streams
``alignment``          str (J,)           ``none``, or how the constituents were aligned
``edges``              float64 (B+1,)     of the cells
``density``            (M,C,J,B,B)        mean share of an event's total per cell; ``…_error`` statistical, ``…_spread``
                                          standard deviation over training seeds
``relative``           (M,C,J,B,B)        mean worth of a constituent, 1: the average one; ``…_error``, ``…_spread``
``tokens``             (C,J,B,B)          mean number of constituents per event and cell
``entries``            int64 (C,J,B,B)    constituents averaged
``outside``            (M,C,J)            mean share of an event's total outside of the grid
``profile``            (M,C,T)            mean worth of the k-th hardest constituent; ``…_error``, ``…_spread``
``informative``        (M,C)              share of events whose map is not zero everywhere
``events``             int64 (C,)         events averaged; ``effective_events``: (Σw)²/Σw²
``single_…``           (E, …)             ``label``, ``event_number``, ``logit``, ``eta``, ``phi``, ``log_pt``,
                                          ``mask``, each (E, T) where per constituent, and ``value`` (M, E, T)
``slot_stream``        int64 (T,)         the jet a slot belongs to
``seeds``              int64 (S,)         training seeds averaged over
=====================  =================  =====================================================================

NaN marks cells and ranks that no constituent fell into. What a method's file holds of its own is passed on.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jetlens.errors import FileError
from jetlens.explanation.maps import Map, Tokens, average, normalise, rank_profile, ranks
from jetlens.explanation.relevance import read_relevance

CLASSES = (("signal", 1), ("background", 0))
Arrays = dict[str, NDArray[Any]]


def assemble(
    names: Sequence[str],
    values: NDArray[np.float64],
    tokens: Tokens,
    label: NDArray[np.int8],
    weight: NDArray[np.float64],
    edges: NDArray[np.float64],
) -> Arrays:
    """Average values per constituent over events and seeds, class by class.

    Args:
        names: of the M maps.
        values: (S, M, N, T) per training seed, not negative; scaled here to sum to one per event.
        tokens: places of the constituents.
        label: (N,) 1 signal, 0 background.
        weight: (N,) event weights.
        edges: (B + 1,) of the cells.

    Returns:
        The averages of the module's table. The central value is that of the mean over seeds of the normalised
        values, so its statistical error is the spread between events.
    """
    values = normalise(values, tokens.mask)
    mean = normalise(values.mean(axis=0), tokens.mask)
    seeds = len(values)
    result: dict[str, list[Any]] = {}
    per_class: dict[str, list[Any]] = {}
    for m in range(len(names)):
        rows: dict[str, list[Any]] = {}
        for _, truth in CLASSES:
            chosen = np.flatnonzero(label == truth)
            part = _take(tokens, chosen)
            jets = range(len(part.streams))
            grids = [average(mean[m, chosen], part, j, weight[chosen], edges) for j in jets]
            by_seed = [
                [average(values[s, m, chosen], part, j, weight[chosen], edges) for s in range(seeds)]
                for j in jets
            ]
            _collect(rows, grids, by_seed)
            profile, error = rank_profile(mean[m, chosen], part, weight[chosen])
            profiles = [rank_profile(values[s, m, chosen], part, weight[chosen])[0] for s in range(seeds)]
            rows.setdefault("profile", []).append(profile)
            rows.setdefault("profile_error", []).append(error)
            rows.setdefault("profile_spread", []).append(_spread(profiles))
            rows.setdefault("informative", []).append(float((mean[m, chosen].sum(axis=1) > 0).mean()))
            if m == 0:
                per_class.setdefault("tokens", []).append([grid.tokens for grid in grids])
                per_class.setdefault("entries", []).append([grid.entries for grid in grids])
        for key, row in rows.items():
            result.setdefault(key, []).append(row)
    arrays = {key: np.array(entry) for key, entry in (result | per_class).items()}
    weights = [weight[label == truth] for _, truth in CLASSES]
    return arrays | {
        "maps": np.array(names),
        "classes": np.array([name for name, _ in CLASSES]),
        "streams": np.array(tokens.streams),
        "edges": edges,
        "events": np.array([len(w) for w in weights]),
        "effective_events": np.array([w.sum() ** 2 / (w**2).sum() for w in weights]),
        "slot_stream": tokens.stream,
    }


def _collect(rows: dict[str, list[Any]], grids: list[Map], by_seed: list[list[Map]]) -> None:
    for key in ("density", "density_error", "relative", "relative_error", "outside"):
        rows.setdefault(key, []).append([getattr(grid, key) for grid in grids])
    for key in ("density", "relative"):
        spreads = [_spread([getattr(grid, key) for grid in seeds]) for seeds in by_seed]
        rows.setdefault(f"{key}_spread", []).append(spreads)


def _spread(values: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the standard deviation over seeds; NaN, not zero, with a single seed."""
    if len(values) < 2:
        return np.full_like(values[0], np.nan)
    return np.asarray(np.std(np.stack(values), axis=0, ddof=1))


def single_events(
    values: NDArray[np.float64],
    tokens: Tokens,
    log_pt: NDArray[np.float64],
    label: NDArray[np.int8],
    event_number: NDArray[np.int64],
    logit: NDArray[np.float64],
    number: int,
) -> Arrays:
    """Keep the maps of the first ``number`` events of each class.

    Args:
        values: (M, N, T) mean over seeds, normalised per event.
        tokens: places of the constituents.
        log_pt: (N, T) ln(pT / GeV).
        label: (N,) 1 signal, 0 background.
        event_number: (N,) as in the input file.
        logit: (N,) mean over seeds.
        number: events per class.
    """
    chosen = np.concatenate([np.flatnonzero(label == truth)[:number] for _, truth in CLASSES])
    return {
        "single_label": label[chosen],
        "single_event_number": event_number[chosen],
        "single_logit": logit[chosen],
        "single_eta": tokens.eta[chosen],
        "single_phi": tokens.phi[chosen],
        "single_log_pt": log_pt[chosen],
        "single_mask": tokens.mask[chosen],
        "single_value": values[:, chosen],
    }


def _take(tokens: Tokens, chosen: NDArray[np.int64]) -> Tokens:
    return Tokens(
        eta=tokens.eta[chosen],
        phi=tokens.phi[chosen],
        mask=tokens.mask[chosen],
        stream=tokens.stream,
        streams=tokens.streams,
        rank=tokens.rank[chosen],
    )


def read_maps(
    path: str | os.PathLike[str], *, bins: int = 24, half_width: float = 0.8, single: int = 0
) -> Arrays:
    """Read a method's file and average it: the arrays of the module's table.

    Args:
        path: ``explanation/<variant>/<method>.npz``.
        bins: cells along Δη and along Δφ.
        half_width: the grid reaches from −half_width to half_width.
        single: events per class whose own maps are kept.

    Raises:
        FileError: if the file cannot be read, or none of its tokens has a place in a jet.
    """
    arrays = read_relevance(path)
    placed = [
        j
        for j in range(len(arrays["streams"]))
        if np.isfinite(arrays["eta"][:, arrays["slot_stream"] == j]).any()
    ]
    if not placed:
        raise FileError(f"{path}: its tokens have no delta_eta and delta_phi, so there is no map of them")
    slots = np.flatnonzero(np.isin(arrays["slot_stream"], placed))
    mask, log_pt = arrays["mask"][:, slots], arrays["log_pt"][:, slots].astype(np.float64)
    tokens = Tokens(
        eta=np.where(mask, arrays["eta"][:, slots], 0).astype(np.float64),
        phi=np.where(mask, arrays["phi"][:, slots], 0).astype(np.float64),
        mask=mask,
        stream=np.searchsorted(placed, arrays["slot_stream"][slots]),
        streams=[str(arrays["streams"][j]) for j in placed],
        rank=ranks(log_pt, mask),
    )
    names, values = positive_maps(arrays)
    values = values[..., slots]
    label, weight = arrays["class"], arrays["weight"]
    edges = np.linspace(-half_width, half_width, bins + 1)
    mean = normalise(normalise(values, mask).mean(axis=0), mask)
    logit = arrays["logit"].mean(axis=0, dtype=np.float64)
    kept = single_events(mean, tokens, log_pt, label, arrays["event_number"], logit, single)
    own = {name: array for name, array in arrays.items() if name.startswith(("matrix_", "view_", "head_"))}
    about = {"seeds": arrays["seeds"], "alignment": arrays["alignment"][placed], "method": arrays["method"]}
    return assemble(names, values, tokens, label, weight, edges) | kept | about | own


def positive_maps(arrays: Arrays) -> tuple[list[str], NDArray[np.float64]]:
    """Return maps (S, M, N, T) that are not negative: a signed one as what speaks for each class."""
    names, values = [str(name) for name in arrays["maps"]], arrays["value"].astype(np.float64)
    if not arrays["signed"]:
        return names, values
    prefix = [f"{name}, " if len(names) > 1 else "" for name in names]
    both = np.stack([np.maximum(values, 0), np.maximum(-values, 0)], axis=2)
    labels = [f"{word}{side}" for word in prefix for side in ("towards signal", "towards background")]
    return labels, both.reshape(values.shape[0], -1, *values.shape[2:])
