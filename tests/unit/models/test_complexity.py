"""Operations counted on the graph are those counted by hand."""

from __future__ import annotations

from typing import Any

import pytest

from jetlens.features.featurefile import FeatureSet
from jetlens.models.complexity import flops_per_event

from .conftest import BLOCK, OPTIONS, build


def test_by_hand_self_attention(events: FeatureSet) -> None:
    model = build("self_attention", events, encoder=BLOCK)
    slots, features = 5, len(events.metadata.streams["jet1"].features)
    token = features * 10 + 10 * 8  # embedding
    token += 8 * 24 + 8 * 8  # fused projection to queries, keys and values; back
    token += 8 * 12 + 12 * 8  # feed-forward
    attention = 2 * slots * slots * 8  # scores, weighted sum; 2 heads of width 4
    head = 8 * 6 + 6 * 1
    assert flops_per_event(model, {"jet1": slots}) == 2 * (slots * token + attention + head)


def test_shared_layers_count_at_each_use(events: FeatureSet) -> None:
    """Twice as many uses as kernels where both jets go through one encoder; sharing itself changes nothing."""
    shared = build("concatenation", events)
    own = build("concatenation", events, share_encoders=[])
    slots = {"jet1": 7, "jet2": 7}
    assert flops_per_event(shared, slots) == flops_per_event(own, slots)
    assert shared.count_params() < own.count_params()


@pytest.mark.parametrize("kind", OPTIONS)
def test_the_model_stays_as_it_was(events: FeatureSet, arrays: Any, kind: str) -> None:
    model = build(kind, events)
    slots = {name: array.shape[1] for name, array in arrays.items() if array.ndim == 3}
    before = [layer.output for layer in model.layers]
    found = flops_per_event(model, slots)
    assert found > 2 * sum(layer.kernel.shape[0] for layer in model.layers if hasattr(layer, "kernel"))
    assert all(a is b for a, b in zip(before, (layer.output for layer in model.layers), strict=True))
    if kind != "kinematics_mlp":
        more = flops_per_event(model, {name: number + 1 for name, number in slots.items()})
        assert more > found
