"""Which fold an event belongs to: a hash of (sample, event number, seed), and nothing else.

The fold of an event does not depend on which other events or files are there: adding files moves no event. Folds serve
the split into training, validation and test events. For k-fold training this split is turned on, so that in the end
every event has been tested by a network that never saw it. Locked folds are set apart before: no rotation has them in
any role, and what is tuned on the tables of the rotations can be confirmed on them once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from jetlens.hashing import mix, name_key


def folds(sample: str, event_number: NDArray[np.int64], number: int, seed: int) -> NDArray[np.uint8]:
    """Assign events to folds.

    See :mod:`jetlens.hashing`.

    Args:
        sample: the sample's name.
        event_number: int64 (N,), as in the file.
        number: how many folds.
        seed: another seed gives another, independent assignment.

    Returns:
        uint8 (N,), fold numbers from 0 to ``number`` − 1, equally probable.
    """
    mixed = mix(mix(event_number.astype(np.uint64)) ^ name_key(f"{seed}:{sample}"))
    return (mixed % np.uint64(number)).astype(np.uint8)
