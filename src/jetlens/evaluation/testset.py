"""The events that no training ever saw, gathered from feature files."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jetlens.errors import NoEventsError
from jetlens.features.featurefile import FeatureSet
from jetlens.features.normalisation import Normalisation


@dataclass(frozen=True)
class TestSet:
    """Events of some folds and where they come from.

    Attributes:
        features: N events, ordered by sample and part, whatever the order of files, and as they are within these.
        sample: (N,) index into ``samples``.
        samples: names of the samples, in the order given.
        processes: name of each sample's process, same order.
        expected: expected events of each sample that pass the selection, in all folds; same order.
    """

    __test__ = False  # this is no test case

    features: FeatureSet
    sample: NDArray[np.int16]
    samples: list[str]
    processes: list[str]
    expected: NDArray[np.float64]


def read_test_set(
    folders: Sequence[Path],
    normalisation: Normalisation,
    limit: int | None = None,
    streams: Sequence[str] | None = None,
    folds: Sequence[int] | None = None,
) -> TestSet:
    """Read some folds of all parts, one by one, so that other events are held of one part at most.

    Weights are expected events, scaled sample by sample by Σw(all folds) / Σw(these), so that they add up to those of
    the whole sample.

    Args:
        folders: of the parts' feature files.
        normalisation: process of each sample, and expected events per generator weight.
        limit: at most this many events per class: of each part the leading share, so that every part is
            represented as in the whole; weights are scaled up by what is left out.
        streams: streams to read; None: all.
        folds: which; None: the test folds that the files name. With k-fold training there are more.

    Raises:
        FileError: if a file breaks the contract or the files differ in their features.
        NoEventsError: if no event is in these folds.
    """
    read = [_chosen(folder, normalisation, streams, folds) for folder in folders]
    samples = list(dict.fromkeys(part.metadata.sample for part, _ in read))
    read.sort(key=lambda each: (each[0].metadata.sample, each[0].metadata.part))
    parts = [part for part, _ in read]
    if not sum(len(part) for part in parts):
        folds = folds or (parts[0].metadata.test_folds if parts else [])
        raise NoEventsError(
            f"no event of {len(folders)} parts is in the test folds {list(folds)}; "
            f"loosen skim.cuts, or give more events or test folds"
        )
    expected = {name: sum(whole for part, whole in read if part.metadata.sample == name) for name in samples}
    parts = _scaled(parts, expected)
    if limit is not None:
        parts = _thin(parts, limit)
    index = np.concatenate(
        [np.full(len(part), samples.index(part.metadata.sample), dtype=np.int16) for part in parts]
    )
    processes = [normalisation.of_sample(name).process for name in samples]
    totals = np.array([expected[name] for name in samples], dtype=np.float64)
    return TestSet(FeatureSet.join(parts), index, samples, processes, totals)


def _chosen(
    folder: Path,
    normalisation: Normalisation,
    streams: Sequence[str] | None,
    folds: Sequence[int] | None,
) -> tuple[FeatureSet, float]:
    """Return the events of these folds, and the expected events of all folds."""
    features = normalisation.apply(FeatureSet.read(folder, streams))
    own = np.isin(features.fold, folds or features.metadata.test_folds)
    return features.select(own), float(features.weight.sum())


def _scaled(parts: list[FeatureSet], expected: dict[str, float]) -> list[FeatureSet]:
    """Scale weights so that each sample's add up to what is expected of the whole sample."""
    found = dict.fromkeys(expected, 0.0)
    for part in parts:
        found[part.metadata.sample] += float(part.weight.sum())
    return [
        dataclasses.replace(part, weight=part.weight * expected[name] / found[name])
        # a few events whose negative weights outweigh the others' say nothing of the sum: as they are
        if found[name := part.metadata.sample] > 0 < expected[name]
        else part
        for part in parts
    ]


def _thin(parts: list[FeatureSet], limit: int) -> list[FeatureSet]:
    totals = {label: sum(int((part.label == label).sum()) for part in parts) for label in (0, 1)}
    thinned = []
    for part in parts:
        keep = np.zeros(len(part), dtype=bool)
        weight = part.weight.copy()
        for label, total in totals.items():
            members = np.flatnonzero(part.label == label)
            if len(members):
                kept = max(1, int(len(members) * min(1.0, limit / total)))
                keep[members[:kept]] = True
                weight[members] *= part.weight[members].sum() / part.weight[members[:kept]].sum()
        thinned.append(dataclasses.replace(part, weight=weight).select(keep))
    return thinned
