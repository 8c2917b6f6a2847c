"""Events of which some tokens are gone: what a companion network is trained on.

A network that has only seen whole jets answers half a jet with whatever lies off its training's distribution. Its
companion starts from its weights and is trained on with a share of each event's tokens dropped, the share drawn evenly
from none to all, so that for it half a jet is nothing new (compare Hooker et al., arXiv:1806.10758). Of explanations by
taking tokens away it is the judge.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from jetlens.features.batches import Arrays, Batch, pack
from jetlens.features.featurefile import FeatureMetadata
from jetlens.training.augmentation import augment
from jetlens.training.data import Dataset

SEED = 0
"""Of what is dropped where no generator is given: the same in every epoch, for validation."""


class Dropped:
    """A data set whose events lose tokens anew in every epoch, as the training loop reads it.

    Args:
        whole: the data set.
        augmentation: random symmetries that come first: they look at the whole jet.
    """

    def __init__(self, whole: Dataset, augmentation: Sequence[str] = ()) -> None:
        """Wrap a data set."""
        self.whole, self.augmentation = whole, list(augmentation)
        self.metadata = whole.metadata

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.whole)

    def batches(self, size: int, rng: np.random.Generator | None = None) -> Iterator[Batch]:
        """Yield batches as :meth:`jetlens.training.data.Dataset.batches` does, with tokens dropped."""
        own = np.random.default_rng(SEED) if rng is None else rng
        for batch in self.whole.batches(size, rng):
            inputs = augment(batch.inputs, self.metadata, self.augmentation, own) if rng else batch.inputs
            yield Batch(drop(inputs, self.metadata, own), batch.label, batch.weight)


def drop(inputs: Arrays, metadata: FeatureMetadata, rng: np.random.Generator) -> Arrays:
    """Return inputs with a share of each event's tokens dropped, from none to all; kinematic tokens stay.

    Args:
        inputs: arrays of B events.
        metadata: says which streams hold kinematic tokens.
        rng: source of randomness.
    """
    dropped = dict(inputs)
    share = rng.random((len(inputs["event"]), 1))
    for name in (name for name in metadata.streams if name in inputs):
        if metadata.streams[name].kind == "kinematics":
            continue
        mask = inputs[f"{name}_mask"]
        kept = mask & (rng.random(mask.shape) >= share)
        dropped[name], dropped[f"{name}_mask"] = pack(inputs[name] * kept[..., None], kept)
    return dropped
