from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from jetlens.config.folds import roles
from jetlens.features.split import folds


@given(
    st.lists(st.integers(-(2**40), 2**62), min_size=1, max_size=30),
    st.integers(2, 255),
    st.integers(0, 2**31),
)
@settings(max_examples=100, deadline=None)
def test_an_event_keeps_its_fold_whatever_else_is_there(numbers: list[int], count: int, seed: int) -> None:
    together = folds("s", np.array(numbers, dtype=np.int64), count, seed)
    alone = [folds("s", np.array([number], dtype=np.int64), count, seed)[0] for number in numbers]
    assert together.tolist() == alone
    assert together.dtype == np.uint8
    assert together.max() < count


def test_the_assignment_is_frozen() -> None:
    """Changing it would mix training and test events of analyses that exist."""
    assert folds("signal_H1000", np.arange(12), 10, 1).tolist() == [4, 4, 4, 9, 9, 9, 0, 3, 0, 0, 1, 0]


def test_folds_are_uniform_and_independent() -> None:
    numbers = np.arange(100_000)
    first = folds("a", numbers, 10, 1)
    counts = np.bincount(first, minlength=10)
    assert ((counts - 10_000) ** 2 / 10_000).sum() < 27.9  # χ², 9 degrees of freedom, 0.1 %
    for other in (folds("b", numbers, 10, 1), folds("a", numbers, 10, 2), np.roll(first, 1)):
        table = np.histogram2d(first, other, bins=10)[0]
        assert ((table - 1000) ** 2 / 1000).sum() < 148  # 99 degrees of freedom, 0.1 %


@given(st.integers(3, 40), st.integers(1, 5), st.integers(1, 3), st.integers(0, 39))
@settings(max_examples=100, deadline=None)
def test_rotations_test_every_fold_once_and_never_train_on_it(
    number: int, test: int, validation: int, first: int
) -> None:
    if test + validation >= number:
        return
    test_folds = [(first + k) % number for k in range(test)]
    validation_folds = [(first + test + k) % number for k in range(validation)]
    turns = [roles(number, test_folds, validation_folds, rotation) for rotation in range(number // test)]
    assert turns[0]["test"] == sorted(test_folds)
    tested = [fold for turn in turns for fold in turn["test"]]
    assert len(set(tested)) == len(tested) == number // test * test
    for turn in turns:
        everything = [fold for named in turn.values() for fold in named]
        assert sorted(everything) == list(range(number))


def test_locked_folds_have_no_part_in_any_rotation() -> None:
    """They leave before the others turn: every other fold is tested once, wherever the locked ones lie."""
    turns = [roles(12, [0, 1], [3], rotation, locked=[2, 11]) for rotation in range(5)]
    for turn in turns:
        assert sorted(fold for named in turn.values() for fold in named) == [0, 1, *range(3, 11)]
    assert sorted(fold for turn in turns for fold in turn["test"]) == [0, 1, *range(3, 11)]
