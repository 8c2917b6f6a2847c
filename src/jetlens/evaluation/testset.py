"""The events that no training ever saw, gathered from feature files."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jetlens.errors import NoEventsError
from jetlens.features.featurefile import FeatureSet, concatenate, read_features


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


def select(features: FeatureSet, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> FeatureSet:
    """Return the events that a boolean mask or an array of indices chooses."""
    per_event = ("event", "label", "weight", "event_number", "fold")
    return dataclasses.replace(
        features,
        streams={name: values[chosen] for name, values in features.streams.items()},
        masks={name: values[chosen] for name, values in features.masks.items()},
        **{name: getattr(features, name)[chosen] for name in per_event},
    )


def read_test_set(
    feature_files: Sequence[Path],
    limit: int | None = None,
    streams: Sequence[str] | None = None,
    folds: Sequence[int] | None = None,
) -> TestSet:
    """Read the test folds of feature files, file by file, so that other events are held of one file at most.

    Weights are scaled by folds / test folds, so that they add up to the expected events of the whole sample.

    Args:
        feature_files: files of the features stage.
        limit: at most this many events per class: of each file the leading share, so that every file is
            represented as in the whole; weights are scaled up by what is left out.
        streams: streams to read; None: all.
        folds: the test folds; None: those that the files name. With k-fold training there are more.

    Raises:
        FileError: if a file breaks the contract or the files differ in their features.
        NoEventsError: if no event is in the test folds.
    """
    parts = [_test_events(path, streams, folds) for path in feature_files]
    if not sum(len(part) for part in parts):
        folds = folds or (parts[0].metadata.test_folds if parts else [])
        raise NoEventsError(
            f"no event of {len(feature_files)} feature files is in the test folds {list(folds)}; "
            f"loosen skim.cuts, or give more events or test folds"
        )
    if limit is not None:
        parts = _thin(parts, limit)
    samples = list(dict.fromkeys(part.metadata.sample for part in parts))
    processes = {part.metadata.sample: part.metadata.process for part in parts}
    index = np.concatenate(
        [np.full(len(part), samples.index(part.metadata.sample), dtype=np.int16) for part in parts]
    )
    return TestSet(concatenate(parts), index, samples, [processes[name] for name in samples])


def _test_events(path: Path, streams: Sequence[str] | None, folds: Sequence[int] | None) -> FeatureSet:
    features = read_features(path, None if streams is None else list(streams))
    metadata = features.metadata
    folds = folds or metadata.test_folds
    scale = metadata.folds / len(folds)
    chosen = select(features, np.isin(features.fold, folds))
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
        thinned.append(select(dataclasses.replace(part, weight=weight), keep))
    return thinned
