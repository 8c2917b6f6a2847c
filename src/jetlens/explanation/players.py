"""What an explanation shares a logit out among: the tokens of every stream a model reads, and its event features.

With N events and P players: the slots of all streams side by side (T in all), then E event features, none if the model
does not read them. A token is taken away by its mask, as if it had never been reconstructed; an event feature, which
cannot be missing, by setting it to its mean.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from jetlens.features.featurefile import FeatureSet
from jetlens.trained.model import TrainedModel, check_features, input_arrays

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
ROWS = 4096
"""Choices of players that are scored at a time: bounds the memory, whatever the number of events."""


class Players:
    """The players of N events, and the logits of a model when some of them are away.

    Args:
        model: network or trees.
        features: N events.
        reference: events whose means stand for event features that are away; None: ``features``.
    """

    def __init__(
        self, model: TrainedModel, features: FeatureSet, reference: FeatureSet | None = None
    ) -> None:
        """Lay the players out."""
        self.model = model
        self.metadata = features.metadata
        self.arrays = input_arrays(features, model.streams)
        self.streams = list(model.streams)
        self.slots = [self.arrays[name].shape[1] for name in self.streams]
        self.tokens = sum(self.slots)
        self.event_features = features.event.shape[1] if reads_event(model) else 0
        self.mean_event = (reference or features).event.mean(axis=0, dtype=np.float64).astype(np.float32)
        real = [self.arrays[f"{name}_mask"] for name in self.streams]
        self.real: Mask = np.concatenate([*real, np.ones((len(features), self.event_features), bool)], axis=1)
        check_features(model.manifest, features.metadata, self.streams)
        self._network = getattr(model, "model", None)
        self._staged = None if self._network is None else _stages(self._network, self.streams)

    def logits(self, events: NDArray[np.int64], present: Mask) -> Floats:
        """Return the logits (R,) of R choices of players.

        Of networks that can be taken apart, choices of the same event that stand together share what they have in
        common, see :mod:`jetlens.models.staged`.

        Args:
            events: (R,) the event of each choice.
            present: (R, P) who is there; padded slots never are.
        """
        parts = [
            self._score(events[i : i + ROWS], present[i : i + ROWS]) for i in range(0, len(events), ROWS)
        ]
        return np.concatenate([np.zeros(0), *parts]).astype(np.float64)

    def _score(self, events: NDArray[np.int64], present: Mask) -> NDArray[np.float32]:
        if self._staged is None:
            return self.model.predict_arrays(self._inputs(events, present), self.metadata)
        starts = np.cumsum([0, *self.slots])
        there = {
            name: present[:, start : start + slots]
            for name, start, slots in zip(self.streams, starts, self.slots, strict=False)
        }
        event = self._event(events, present)
        found: NDArray[np.float32] = self._staged.logits(self._network, self.arrays, events, there, event)
        return found

    def _event(self, events: NDArray[np.int64], present: Mask) -> NDArray[np.float32]:
        own: NDArray[np.float32] = self.arrays["event"][events]
        return np.where(present[:, self.tokens :], own, self.mean_event) if self.event_features else own

    def whole(self) -> Floats:
        """Return the logits (N,) with everybody there."""
        return self.logits(np.arange(len(self.real)), self.real)

    def _inputs(self, events: NDArray[np.int64], present: Mask) -> dict[str, NDArray[Any]]:
        inputs: dict[str, NDArray[Any]] = {"event": self._event(events, present)}
        start = 0
        for name, slots in zip(self.streams, self.slots, strict=True):
            real = self.arrays[f"{name}_mask"][events] & present[:, start : start + slots]
            inputs[f"{name}_mask"] = real
            inputs[name] = np.where(real[..., None], self.arrays[name][events], np.float32(0))
            start += slots
        return inputs


def reads_event(model: TrainedModel) -> bool:
    """Whether a model reads the event vector."""
    return bool(getattr(model.options, "use_event", False))


def _stages(network: Any, streams: list[str]) -> Any:
    from jetlens.models.staged import stages_of  # brings a whole back end with it

    return stages_of(network, streams)
