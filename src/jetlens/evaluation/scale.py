"""One scale for the networks of all rotations of a k-fold training.

The logits of two networks need not mean the same: medians of the background of one analysis's rotations lay between
−3.05 and −3.84, so that one cut on all of them is a looser cut on some. Each rotation's logits are therefore shifted
and stretched so that the median and half the distance between the 16 and 84 % quantiles of its *validation* background,
every event counting the same, are those of the mean over rotations. No test event has a say in it. An affine map keeps
the order of events within a rotation, and the resolution of the tails, where the quantiles of a few hundred validation
events have none.

Everything that cuts on scores of several rotations does so on this scale: ROC curves, rejections, yields and
significance, application samples, locked folds, score histograms. With a single rotation it changes nothing.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jetlens.errors import JetlensWarning

Floats = NDArray[np.float64]

QUANTILES = (0.158655, 0.5, 0.841345)
FEWEST = 10
"""Validation background events of a rotation below which its quantiles are no guide."""


@dataclass(frozen=True)
class Scale:
    """Common logit = offset + slope · the network's logit.

    Attributes:
        offset: (R,) by rotation.
        slope: (R,) by rotation, above zero.
    """

    offset: Floats
    slope: Floats

    def apply(self, logit: Floats, rotation: NDArray[np.integer]) -> Floats:
        """Return logits (…, N) of events scored by the networks of a rotation (N,) on the common scale."""
        return np.asarray(self.offset[rotation] + self.slope[rotation] * logit, dtype=np.float64)


def common_scale(
    logit: Floats, label: NDArray[np.integer], rotation: NDArray[np.integer], number: int
) -> Scale:
    """Return the scale that the module describes.

    Args:
        logit: (M,) of validation events, each scored by the networks of its rotation.
        label: (M,) 1 signal, 0 background.
        rotation: (M,) of the k-fold training.
        number: of rotations.

    Warns:
        JetlensWarning: if a rotation has too few validation events, or scores without any spread; nothing is then
            changed.
    """
    unchanged = Scale(np.zeros(number), np.ones(number))
    if number == 1:
        return unchanged
    background = [logit[(rotation == r) & (label == 0)] for r in range(number)]
    edges = np.array(
        [np.quantile(own, QUANTILES) if len(own) >= FEWEST else np.zeros(3) for own in background]
    )
    median, width = edges[:, 1], (edges[:, 2] - edges[:, 0]) / 2
    if not (width > 0).all():
        worst = int(np.argmin(width))
        warnings.warn(
            f"rotation {worst}: {len(background[worst])} background events in its validation folds, or no spread in "
            f"their scores; the scores of {number} rotations are pooled as they are, which may lower AUC and "
            f"rejections: give more events or validation folds",
            JetlensWarning,
            stacklevel=2,
        )
        return unchanged
    slope = width.mean() / width
    return Scale(median.mean() - slope * median, slope)
