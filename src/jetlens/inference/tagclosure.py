"""Closure of tag weights: what is found with so many tags, over what drawn patterns of tags say, and its χ² test.

Both are of the same events, so it is their difference that fluctuates. An event i of weight w has n tags with
probability p_in, and adds w(1 − p_in) or −w p_in to it: covariance w²(δ_nm p_n − p_n p_m), which K patterns estimate
and themselves add 1/K of. Efficiencies measured on these events follow the fluctuation of their tags: by linear error
propagation that takes Σ_b c_b c_bᵀ / V_b away, where b are bins of flavour and transverse momentum, c_b is the
covariance of the difference with the tags in b, and V_b = N_b ε_b(1 − ε_b) the variance of the tags among the N_b
objects that ε_b is measured on. Without that term the test would find too good an agreement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from jetlens.config.inference import TagWeightsConfig
from jetlens.features.skims import skimmed
from jetlens.inference.tagging import Measured, bins_of, efficiency_of

Floats = NDArray[np.float64]
TAGS = ("0 tags", "1 tag", "2 tags", "≥ 3 tags")
ALL = "all"
"""The test of all numbers of tags together."""
FEWEST = 5.0
"""Effective expected events that a number of tags needs for a χ²; with fewer it is joined with its neighbour."""


@dataclass
class Closure:
    """Sums over the events of a sample, C numbers of tags and B bins of efficiencies.

    Attributes:
        found: Σw by number of tags as simulated, (C,).
        estimated: the same by the patterns, (C,).
        squares: Σ w² times the share of the patterns with so many tags, (C,).
        covariance: of one draw of all events' tags, (C, C).
        tags: covariance of one draw with the numbers of tagged objects by bin, (C, B).
        variance: what bins' measured efficiencies are uncertain by, V_b, (B,); infinite where they are given.
        shared: bins whose efficiency is measured on all samples together, bool (B,).
    """

    found: Floats
    estimated: Floats
    squares: Floats
    covariance: Floats
    tags: Floats
    variance: Floats
    shared: NDArray[np.bool_]


def tag_closure(
    direct: Mapping[str, Sequence[Path]],
    drawn: Mapping[str, Sequence[Path]],
    scales: Mapping[str, tuple[str, float]],
    config: TagWeightsConfig,
    efficiencies: Path | None,
) -> pd.DataFrame:
    """Return the closure by process and number of tags.

    Args:
        direct: skim files by sample.
        drawn: the same with patterns of tags, in the same order.
        scales: process of each sample, and expected events per weight of one.
        config: what is tagged.
        efficiencies: those measured on these samples; None: they are of elsewhere, and do not follow these events.

    Returns:
        columns ``region`` (the process), ``test`` (the number of tags, or :data:`ALL`), ``found``, ``estimated``
        (expected events), ``error`` (of the difference: what tags of these events would fluctuate by, and the patterns
        with them), ``ratio``, ``ratio_error``, ``chi2``, ``ndf``, ``p_value``. A ratio without events to estimate it
        from is missing, and so is the test of a number of tags that fewer than :data:`FEWEST` effective events are
        expected with.
    """
    sums: dict[str, list[Closure]] = {}
    for sample, files in direct.items():
        process, scale = scales[sample]
        measured = None if efficiencies is None else efficiency_of(efficiencies, sample, config)
        assert measured is None or isinstance(measured, Measured)
        sums.setdefault(process, []).append(closure_of(files, drawn[sample], scale, config, measured))
    rows = [{"region": process, **row} for process, parts in sums.items() for row in tests(parts)]
    table = pd.DataFrame(rows)
    known = (table["estimated"] > 0) & (table["test"] != ALL)
    table["ratio"] = (table["found"] / table["estimated"]).where(known)
    table["ratio_error"] = (table["error"] / table["estimated"]).where(known)
    return table[[*(c for c in table if c not in TEST), *TEST]]


TEST = ("chi2", "ndf", "p_value")


def tests(parts: Sequence[Closure]) -> list[dict[str, Any]]:
    """Return the tests of a process, number by number of tags and together; ``parts`` are its samples."""
    found, estimated, squares = (
        sum(getattr(p, name) for p in parts) for name in ("found", "estimated", "squares")
    )
    covariance = total_covariance(parts)
    expected = np.divide(estimated**2, squares, out=np.zeros_like(estimated), where=squares > 0)
    difference = found - estimated
    rows = []
    for n, test in enumerate(TAGS):
        own = {"test": test, "found": found[n], "estimated": estimated[n], "error": np.sqrt(covariance[n, n])}
        enough = expected[n] >= FEWEST
        rows.append(own | chi_square(difference[[n]], covariance[np.ix_([n], [n])] if enough else None))
    join = joined(expected)
    together = {"test": ALL, "found": found.sum(), "estimated": estimated.sum(), "error": 0.0}
    return [*rows, together | chi_square(join @ difference, join @ covariance @ join.T)]


def total_covariance(parts: Sequence[Closure]) -> Floats:
    """Return the covariance (C, C) of found − estimated of a process, from the sums of its samples."""
    total = np.sum([part.covariance for part in parts], axis=0)
    for part in parts:
        own = part.tags[:, ~part.shared]
        total = total - (own / part.variance[~part.shared]) @ own.T
    # one efficiency of all samples moves all of them
    common = np.sum([np.where(part.shared, part.tags, 0.0) for part in parts], axis=0)
    variance = np.max([np.where(part.shared, part.variance, 0.0) for part in parts], axis=0)
    return np.asarray(
        total - np.divide(common, variance, out=np.zeros_like(common), where=variance > 0) @ common.T
    )


def joined(expected: Floats) -> Floats:
    """Return which numbers of tags go together, (groups, C) of 0 and 1: from above, until each group has enough."""
    groups: list[list[int]] = []
    pending: list[int] = []
    for n in reversed(range(len(expected))):
        pending.append(n)
        if expected[pending].sum() >= FEWEST:
            groups.append(pending)
            pending = []
    if groups:
        groups[-1] += pending
    else:
        groups.append(pending)
    return np.array([[float(n in group) for n in range(len(expected))] for group in groups])


def chi_square(difference: Floats, covariance: Floats | None) -> dict[str, float]:
    """Return χ², degrees of freedom and p-value; all missing where there is nothing to test."""
    missing = dict.fromkeys(TEST, np.nan)
    if covariance is None:
        return missing
    values, vectors = np.linalg.eigh(covariance)
    used = values > 1e-6 * max(values.max(), 0.0)  # what all groups add up to does not fluctuate
    if not used.any():
        return missing
    chi2 = float(((vectors.T @ difference)[used] ** 2 / values[used]).sum())
    return {"chi2": chi2, "ndf": float(used.sum()), "p_value": float(stats.chi2.sf(chi2, used.sum()))}


def closure_of(
    direct: Sequence[Path],
    drawn: Sequence[Path],
    scale: float,
    config: TagWeightsConfig,
    measured: Measured | None,
) -> Closure:
    """Return the sums of a sample; its files as :func:`tag_closure` takes them."""
    k, size = config.patterns, len(TAGS)
    found = np.zeros(size)
    for path in direct:
        for number, _, weight in _rows(path, config):
            found += np.bincount(number, scale * weight, size)
    bins = config.bins
    if measured is None:
        variance, shared = np.full(bins, np.inf), np.zeros(bins, dtype=bool)
    else:
        spread = (measured.number * measured.values * (1 - measured.values)).ravel()
        variance, shared = np.where(spread > 0, spread, np.inf), measured.few.ravel()
    squares, tags = np.zeros((size, size)), np.zeros((size, bins))
    made = Closure(found, np.zeros(size), np.zeros(size), squares, tags, variance, shared)
    for path in drawn:
        for number, tagged, weight in _rows(path, config):
            one = np.eye(size)[number].reshape(-1, k, size)
            w = k * scale * weight[::k]
            add_patterns(made, one, tagged.reshape(-1, k, bins), w)
    return made


def add_patterns(into: Closure, one: Floats, tagged: Floats, weight: Floats) -> None:
    """Add events, of which K patterns are drawn each.

    Args:
        into: the sums.
        one: 1 at the number of tags, (N, K, C).
        tagged: tagged objects by bin, (N, K, B).
        weight: of the events, (N,).
    """
    k = one.shape[1]
    share = one.mean(axis=1)
    into.estimated += weight @ share
    into.squares += weight**2 @ share
    apart = (one - share[:, np.newaxis]) * weight[:, np.newaxis, np.newaxis]
    # the tags as simulated fluctuate as one pattern does, the mean of the patterns by 1/K of that
    into.covariance += np.einsum("ikc,ikd->cd", apart, apart) / (k - 1) * (1 + 1 / k)
    into.tags += np.einsum("ikc,ikb->cb", apart, tagged) / (k - 1)


def _rows(path: Path, config: TagWeightsConfig) -> Any:
    """Yield the number of tags of each row, its tagged objects by bin, and its weight, some rows at a time."""
    with skimmed(path) as skim:
        for events in skim.batches([config.collection, "weight"]):
            objects = events[config.collection]
            flat = ak.flatten(objects, axis=1)
            row = np.repeat(np.arange(len(events)), np.asarray(ak.num(objects, axis=1)))
            flavour, momentum = bins_of(flat, config)
            at = config.bins * row + flavour * (len(config.pt_edges) + 1) + momentum
            tag = np.asarray(flat[config.tag], dtype=np.float64)
            tagged = np.bincount(at, tag, len(events) * config.bins).reshape(len(events), config.bins)
            number = np.minimum(tagged.sum(axis=1).astype(np.int64), len(TAGS) - 1)
            yield number, tagged, np.asarray(events["weight"], dtype=np.float64)
