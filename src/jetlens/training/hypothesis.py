"""Trainings that know the mass hypothesis: a signal has its own, background draws one of the signals' in each epoch.

A network that is told the mass interpolates between hypotheses (Baldi et al., EPJC 76 (2016) 235, arXiv:1601.07913).
The mass alone must tell nothing: it is drawn for background as often as it weighs among the signal that is trained on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jetlens.expressions.feature import MASS_FEATURE
from jetlens.features.batches import Batch
from jetlens.training.data import Events

SCORED = 4096
"""Events looked at together."""


@dataclass(frozen=True)
class Hypotheses:
    """What background events draw from.

    Attributes:
        column: of the event vector.
        values: of the feature, (M,).
        share: of the signal's weight at each, (M,).
    """

    column: int
    values: NDArray[np.float32]
    share: NDArray[np.float64]

    @classmethod
    def of(cls, events: Events) -> Hypotheses | None:
        """Find them among the signal; None if the events have no such feature."""
        names = events.metadata.event.features
        if MASS_FEATURE not in names:
            return None
        column, values, weights = names.index(MASS_FEATURE), [], []
        for batch in events.batches(SCORED):
            signal = batch.label == 1
            values.append(batch.inputs["event"][signal, column])
            weights.append(batch.weight[signal])
        found, which = np.unique(np.concatenate(values), return_inverse=True)
        share = np.bincount(which, np.concatenate(weights).astype(np.float64))
        return cls(column, found, share / share.sum())

    def redrawn(self, batch: Batch, rng: np.random.Generator) -> Batch:
        """Return a batch whose background has drawn again; the given one stays untouched."""
        background = batch.label == 0
        event = batch.inputs["event"].copy()
        event[background, self.column] = rng.choice(self.values, int(background.sum()), p=self.share)
        return Batch({**batch.inputs, "event": event}, batch.label, batch.weight)
