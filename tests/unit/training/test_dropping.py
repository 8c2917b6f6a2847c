"""What companions are trained on."""

from pathlib import Path

import numpy as np
import pytest

from jetlens.training.data import Dataset
from jetlens.training.dropping import Dropped, drop


@pytest.fixture(scope="module")
def data(files: list[Path]) -> Dataset:
    return Dataset(files, ["jet1", "kinematics"], "training")


def test_shares_from_none_to_all_are_dropped_and_kinematics_stay(data: Dataset) -> None:
    (whole,) = data.batches(10**6)
    inputs = drop(whole.inputs, data.metadata, np.random.default_rng(1))
    before, after = (x["jet1_mask"].sum(axis=1) for x in (whole.inputs, inputs))
    left = (after / before)[before >= 20]
    counts, _ = np.histogram(left, 5, (0, 1))
    assert (np.abs(counts / len(left) - 0.2) < 0.05).all()
    assert (before >= after).all()
    np.testing.assert_array_equal(inputs["kinematics"], whole.inputs["kinematics"])
    # what is left is what was there, in front and in its order
    for n in range(20):
        rows = whole.inputs["jet1"][n][whole.inputs["jet1_mask"][n]]
        kept = inputs["jet1"][n][inputs["jet1_mask"][n]]
        assert inputs["jet1_mask"][n, : after[n]].all()
        place = [int(np.flatnonzero((rows == row).all(axis=1))[0]) for row in kept]
        assert place == sorted(place)
    assert not inputs["jet1"][~inputs["jet1_mask"]].any()


def test_validation_drops_the_same_every_time_and_training_does_not(data: Dataset) -> None:
    dropped = Dropped(data)
    first, second = (next(dropped.batches(64)).inputs["jet1_mask"] for _ in range(2))
    np.testing.assert_array_equal(first, second)
    rng = np.random.default_rng(0)
    other = next(dropped.batches(64, rng)).inputs["jet1_mask"]
    assert not np.array_equal(first[:, : other.shape[1]], other[:, : first.shape[1]])
