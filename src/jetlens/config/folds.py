"""Which folds train, validate and test."""

from __future__ import annotations

from collections.abc import Sequence


def roles(
    number: int,
    test: Sequence[int],
    validation: Sequence[int],
    rotation: int = 0,
    locked: Sequence[int] = (),
) -> dict[str, list[int]]:
    """Return which folds train, validate and test.

    Args:
        number: how many folds there are.
        test: test folds of rotation 0.
        validation: validation folds of rotation 0.
        rotation: for k-fold training: both move on by this many times the number of test folds, cyclically among the
            folds that are not locked.
        locked: folds without a role.

    Returns:
        Sorted fold numbers by ``training``, ``validation`` and ``test``.
    """
    step = rotation * len(test)
    free = [fold for fold in range(number) if fold not in locked]
    moved = {
        name: sorted(free[(free.index(fold) + step) % len(free)] for fold in named)
        for name, named in (("validation", validation), ("test", test))
    }
    taken = {fold for named in moved.values() for fold in named}
    return {"training": [fold for fold in free if fold not in taken], **moved}
