import dataclasses
import tracemalloc

import numpy as np
import pytest

from jetlens.errors import NoEventsError
from jetlens.evaluation.testset import read_test_set
from jetlens.features.featurefile import FeatureSet


def test_a_limit_keeps_the_shares_of_samples_and_the_total_weight(demo_features, normalisation):
    files = list(demo_features.values())
    whole, thinned = read_test_set(files, normalisation), read_test_set(files, normalisation, limit=60)
    for label in (0, 1):
        assert 50 <= (thinned.features.label == label).sum() <= 60
    for number in range(len(files)):
        sums = [t.features.weight[t.sample == number].sum() for t in (whole, thinned)]
        assert sums[0] == pytest.approx(sums[1])
    assert read_test_set(files, normalisation, limit=10**6).features.label.shape == whole.features.label.shape


def test_events_know_their_sample(demo_features, normalisation):
    test = read_test_set(list(demo_features.values()), normalisation)
    for number, name in enumerate(test.samples):
        features = FeatureSet.read(demo_features[name])
        assert np.isin(test.features.event_number[test.sample == number], features.event_number).all()
        assert test.processes[number] == normalisation.of_sample(name).process


def test_no_test_event_is_an_error(demo_features, normalisation, tmp_path):
    features = FeatureSet.read(demo_features["qcd_4b"])
    elsewhere = dataclasses.replace(features, fold=np.full_like(features.fold, 5))
    elsewhere.write(tmp_path / "none")
    with pytest.raises(NoEventsError, match=r"test folds \[0, 1\]"):
        read_test_set([tmp_path / "none"], normalisation)


def test_streams_that_are_not_wanted_are_not_read(demo_features, normalisation):
    files = list(demo_features.values())
    whole, part = (
        read_test_set(files, normalisation),
        read_test_set(files, normalisation, streams=["kinematics"]),
    )
    assert list(part.features.streams) == list(part.features.masks) == ["kinematics"]
    assert len(whole.features.streams) > 1
    np.testing.assert_array_equal(part.features.streams["kinematics"], whole.features.streams["kinematics"])
    np.testing.assert_array_equal(part.features.weight, whole.features.weight)


def test_of_a_file_only_test_events_stay_in_memory(demo_features, normalisation):
    """Neither arrays nor views hold on to the other events, nor does reading build up over files."""
    files = [demo_features["qcd_4b"]] * 3
    whole = FeatureSet.read(files[0])
    size = sum(values.nbytes for values in whole.streams.values())
    del whole
    tracemalloc.start()
    test = read_test_set(files, normalisation)
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    wanted = sum(values.nbytes for values in test.features.streams.values())
    assert kept < 1.2 * wanted
    assert peak < 2.2 * size  # one file and its copies, not three files


def test_the_order_of_files_changes_nothing(demo_features, normalisation):
    files = list(demo_features.values())
    first, second = (read_test_set(order, normalisation) for order in (files, files[::-1]))
    np.testing.assert_array_equal(first.features.event_number, second.features.event_number)
    np.testing.assert_array_equal(first.features.weight, second.features.weight)
    for test in (first, second):
        assert (np.array(test.samples)[test.sample] == np.array(first.samples)[first.sample]).all()


def test_test_events_stand_for_their_own_sample(demo_features, normalisation):
    """Not all samples by one factor: the share of their weights in the test folds differs by statistics."""
    test = read_test_set(list(demo_features.values()), normalisation)
    for number, name in enumerate(test.samples):
        whole = normalisation.apply(FeatureSet.read(demo_features[name])).weight.sum()
        assert test.features.weight[test.sample == number].sum() == pytest.approx(whole)
        assert test.expected[number] == pytest.approx(whole)
