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
    """Test events and where they come from.

    Attributes:
        features: N events, ordered as the files are and as events are within them.
        sample: (N,) index into ``samples``.
        samples: names of the samples.
        processes: name of each sample's process, same order.
    """

    __test__ = False  # this is no test case

    features: FeatureSet
    sample: NDArray[np.int16]
    samples: list[str]
    processes: list[str]


def read_test_set(
    folders: Sequence[Path],
    normalisation: Normalisation,
    limit: int | None = None,
    streams: Sequence[str] | None = None,
    folds: Sequence[int] | None = None,
) -> TestSet:
    """Read the test folds of all parts, one by one, so that other events are held of one part at most.

    Weights are expected events, scaled by folds / test folds, so that they add up to those of the whole sample.

    Args:
        folders: of the parts' feature files.
        normalisation: process of each sample, and expected events per generator weight.
        limit: at most this many events per class: of each part the leading share, so that every part is
            represented as in the whole; weights are scaled up by what is left out.
        streams: streams to read; None: all.
        folds: the test folds; None: those that the files name. With k-fold training there are more.

    Raises:
        FileError: if a file breaks the contract or the files differ in their features.
        NoEventsError: if no event is in the test folds.
    """
    parts = [_test_events(folder, normalisation, streams, folds) for folder in folders]
    if not sum(len(part) for part in parts):
        folds = folds or (parts[0].metadata.test_folds if parts else [])
        raise NoEventsError(
            f"no event of {len(folders)} parts is in the test folds {list(folds)}; "
            f"loosen skim.cuts, or give more events or test folds"
        )
    if limit is not None:
        parts = _thin(parts, limit)
    samples = list(dict.fromkeys(part.metadata.sample for part in parts))
    index = np.concatenate(
        [np.full(len(part), samples.index(part.metadata.sample), dtype=np.int16) for part in parts]
    )
    processes = [normalisation.of_sample(name).process for name in samples]
    return TestSet(FeatureSet.join(parts), index, samples, processes)


def _test_events(
    folder: Path,
    normalisation: Normalisation,
    streams: Sequence[str] | None,
    folds: Sequence[int] | None,
) -> FeatureSet:
    features = normalisation.apply(FeatureSet.read(folder, streams))
    metadata = features.metadata
    folds = folds or metadata.test_folds
    scale = metadata.folds / len(folds)
    chosen = features.select(np.isin(features.fold, folds))
    return dataclasses.replace(chosen, weight=chosen.weight * scale)


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
