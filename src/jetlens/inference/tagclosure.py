"""Closure of tag weights: what is found with so many tags, over what drawn patterns of tags say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import awkward as ak
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jetlens.config.inference import TagWeightsConfig
from jetlens.features.skims import skimmed

Floats = NDArray[np.float64]
TAGS = ("0 tags", "1 tag", "2 tags", "≥ 3 tags")


def tag_closure(
    direct: Mapping[str, Sequence[Path]],
    drawn: Mapping[str, Sequence[Path]],
    scales: Mapping[str, tuple[str, float]],
    config: TagWeightsConfig,
) -> pd.DataFrame:
    """Return the closure by process and number of tags.

    Args:
        direct: skim files by sample.
        drawn: the same with patterns of tags, in the same order.
        scales: process of each sample, and expected events per weight of one.
        config: what is tagged.

    Returns:
        columns ``region`` (the process), ``test`` (the number of tags), ``found``, ``estimated`` (expected events),
        ``error`` (of the difference: what tags of these events would fluctuate by, and the patterns with them),
        ``ratio``, ``ratio_error``; a ratio without events to estimate it from is missing.
    """
    sums: dict[str, Floats] = {}
    for sample, files in direct.items():
        process, scale = scales[sample]
        into = sums.setdefault(process, np.zeros((3, len(TAGS))))
        for one, many in zip(files, drawn[sample], strict=True):
            number, weight = _tags(one, config)
            patterns, _ = _tags(many, config)
            into += _closure(number, weight * scale, patterns.reshape(-1, config.patterns))
    rows = [
        {"region": process, "test": test, "found": f, "estimated": e, "error": np.sqrt(v)}
        for process, (found, estimated, variance) in sums.items()
        for test, f, e, v in zip(TAGS, found, estimated, variance, strict=True)
    ]
    table = pd.DataFrame(rows)
    known = table["estimated"] > 0
    table["ratio"] = (table["found"] / table["estimated"]).where(known)
    table["ratio_error"] = (table["error"] / table["estimated"]).where(known)
    return table


def _closure(number: NDArray[np.int64], weight: Floats, patterns: NDArray[np.int64]) -> Floats:
    """Sums (3, tags): found, estimated, and the variance of their difference.

    An event has so many tags with probability p, of which K patterns say f. Its weight comes with the variance
    p (1 − p) of one draw, and with that of f, p (1 − p)/K; f (1 − f) is smaller than p (1 − p) by 1 − 1/K.
    """
    k, size = patterns.shape[1], len(TAGS)
    share = np.stack([(np.minimum(patterns, size - 1) == n).mean(axis=1) for n in range(size)])
    found = np.bincount(np.minimum(number, size - 1), weight, size)
    variance = (share * (1 - share)) @ weight**2 * (1 + 1 / k) / max(1 - 1 / k, 1 / k)
    return np.stack([found, share @ weight, variance])


def _tags(path: Path, config: TagWeightsConfig) -> tuple[NDArray[np.int64], Floats]:
    """Number of tags of each row, and its weight."""
    numbers, weights = [], []
    with skimmed(path) as skim:
        for events in skim.batches([config.collection, "weight"]):
            numbers.append(np.asarray(ak.sum(events[config.collection][config.tag], axis=1), dtype=np.int64))
            weights.append(np.asarray(events["weight"], dtype=np.float64))
    return np.concatenate(numbers), np.concatenate(weights)
