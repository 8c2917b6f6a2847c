import dataclasses

import numpy as np
import pytest

from jetlens.errors import NoEventsError
from jetlens.evaluation.testset import read_test_set
from jetlens.features.featurefile import read_features, write_features


def test_a_limit_keeps_the_shares_of_samples_and_the_total_weight(demo_features):
    files = list(demo_features.values())
    whole, thinned = read_test_set(files), read_test_set(files, limit=60)
    for label in (0, 1):
        assert 50 <= (thinned.features.label == label).sum() <= 60
    for number in range(len(files)):
        sums = [t.features.weight[t.sample == number].sum() for t in (whole, thinned)]
        assert sums[0] == pytest.approx(sums[1])
    assert read_test_set(files, limit=10**6).features.label.shape == whole.features.label.shape


def test_events_know_their_sample(demo_features):
    test = read_test_set(list(demo_features.values()))
    for number, name in enumerate(test.samples):
        features = read_features(demo_features[name])
        assert np.isin(test.features.event_number[test.sample == number], features.event_number).all()
        assert test.processes[number] == features.metadata.process


def test_no_test_event_is_an_error(demo_features, tmp_path):
    features = read_features(demo_features["qcd_bbbar"])
    elsewhere = dataclasses.replace(features, fold=np.full_like(features.fold, 5))
    write_features(tmp_path / "none.npz", elsewhere)
    with pytest.raises(NoEventsError, match=r"test folds \[0, 1\]"):
        read_test_set([tmp_path / "none.npz"])
