"""One scale for rotations: what shifted and stretched networks say is brought together, by validation events alone."""

import numpy as np
import pytest

from jetlens.errors import JetlensWarning
from jetlens.evaluation.metrics import auc
from jetlens.evaluation.scale import common_scale


def events(number, rng):
    label = np.tile([0, 1, 0], number)
    return rng.normal(size=3 * number) + 2.0 * label, label


def test_networks_on_scales_of_their_own_are_pooled_as_if_on_one() -> None:
    rng = np.random.default_rng(1)
    offset, slope = np.array([-3.05, -4.05, -2.05]), np.array([1.0, 1.4, 0.8])
    validation, label = events(3000, rng)
    test, test_label = events(3000, rng)
    turn, test_turn = (rng.integers(0, 3, 9000) for _ in range(2))
    scale = common_scale(offset[turn] + slope[turn] * validation, label, turn, 3)
    raw = offset[test_turn] + slope[test_turn] * test
    best = auc(test, test_label)
    assert auc(raw, test_label) < best - 0.01
    assert auc(scale.apply(raw, test_turn), test_label) == pytest.approx(best, abs=0.002)


def test_one_rotation_is_left_as_it_is() -> None:
    scale = common_scale(np.array([3.0]), np.array([0]), np.array([0]), 1)
    assert scale.apply(np.array([1.25]), np.array([0])) == 1.25


def test_too_few_validation_events_are_warned_of() -> None:
    with pytest.warns(JetlensWarning, match="rotation 1: 0 background events in its validation folds"):
        scale = common_scale(np.arange(20.0), np.zeros(20, int), np.zeros(20, int), 2)
    assert (scale.slope == 1).all()
