"""What explanations read off a network is what the network computed."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from jetlens.models import probe
from jetlens.models.attention import CrossAttention

from .conftest import OPTIONS, score

WITH_ATTENTION = [kind for kind in OPTIONS if kind != "kinematics_mlp"]


@pytest.mark.parametrize("kind", WITH_ATTENTION)
def test_scores_sum_to_one_over_real_keys(models: Any, arrays: Any, kind: str) -> None:
    """[1, 19] Attention of every layer, class attention too, and none of it to padding."""
    model = models[kind]
    found = probe.attention_scores(model, arrays, batch_size=10)
    assert list(found) == probe.attention_layers(model)
    for name, scores in found.items():
        queries, keys = probe.attention_streams(model, name)
        real = np.concatenate(
            [np.ones((24, 1), bool) if s == "class" else arrays[f"{s}_mask"] for s in keys], axis=1
        )
        tokens = sum(1 if s == "class" else arrays[s].shape[1] for s in queries)
        assert scores.shape[0] == 24
        assert scores.shape[2:] == (tokens, real.shape[1])
        np.testing.assert_allclose(scores.sum(axis=-1), 1.0, atol=1e-5)
        assert not scores[np.broadcast_to(~real[:, None, None], scores.shape)].any()


@pytest.mark.parametrize("kind", WITH_ATTENTION)
def test_asking_for_scores_changes_no_score(models: Any, arrays: Any, kind: str) -> None:
    model = models[kind]
    before = score(model, arrays)
    both = keras.Model(
        model.inputs,
        [model.outputs[0], *(model.get_layer(n).output[1] for n in probe.attention_layers(model))],
    )
    inside = np.asarray(both(probe.model_inputs(model, arrays), training=False)[0])[:, 0]
    assert np.array_equal(inside, before)
    probe.attention_scores(model, arrays)
    assert np.array_equal(score(model, arrays), before)


@pytest.mark.parametrize("kind", WITH_ATTENTION)
def test_gradients_agree_with_finite_differences(models: Any, arrays: Any, kind: str) -> None:
    """Moving all of a token layer's activations along the gradient moves the logit as the gradient says."""
    model = models[kind]
    for stream, name in probe.token_layers(model).items():
        activations, logits, gradients = probe.token_activations(model, name, arrays, batch_size=16)
        assert activations.shape == gradients.shape
        assert activations.shape[1] == arrays[stream].shape[1]
        np.testing.assert_allclose(logits, score(model, arrays), atol=1e-6)
        # padded tokens of a queried stream have no influence
        assert not np.abs(gradients[~arrays[f"{stream}_mask"]]).max(initial=0.0) > 1e-7
        copy = keras.models.clone_model(model)
        copy.set_weights(model.get_weights())
        upper = keras.Model([copy.get_layer(name).output, *copy.inputs], copy.outputs[0])
        step = 5e-3 * gradients / (np.sqrt((gradients**2).sum(axis=(1, 2), keepdims=True)) + 1e-12)
        batch = list(probe.model_inputs(model, arrays).values())
        high, low = (np.asarray(upper([activations + s * step, *batch]))[:, 0] for s in (1, -1))
        expected = 2 * (gradients * step).sum(axis=(1, 2))
        # but for the odd event whose maximum pooling switches to another token on the way
        assert np.mean(np.isclose(high - low, expected, rtol=0.05, atol=2e-4)) > 0.9


@pytest.mark.parametrize("kind", WITH_ATTENTION)
def test_gradients_of_scores_are_those_of_the_weighted_sum(models: Any, arrays: Any, kind: str) -> None:
    """y = A v head by head, so that ∂z/∂A is ∂z/∂y · v, with ∂z/∂y taken behind the layer."""
    model = models[kind]
    inputs = probe.model_inputs(model, arrays)
    batch = [tf.convert_to_tensor(inputs[t.name]) for t in model.inputs]
    for name, (scores, slopes) in probe.attention_gradients(model, arrays).items():
        layer = model.get_layer(name)
        values = layer.input[1 if isinstance(layer, CrossAttention) else 0]  # of which v comes last
        inside = keras.Model(model.inputs, [values, layer.output[0], model.outputs[0]])
        with tf.GradientTape() as tape:
            source, y, logits = inside(batch, training=False)
            total = tf.reduce_sum(logits)
        heads = (*y.shape[:2], layer.heads, y.shape[2] // layer.heads)
        v = np.asarray(source)[..., -y.shape[2] :]
        v = v.reshape(*v.shape[:2], *heads[2:])
        dy = np.asarray(tape.gradient(total, y)).reshape(heads)
        expected = np.einsum("bqhd,bkhd->bhqk", dy, v)
        assert slopes.shape == scores.shape
        assert np.abs(expected).max() > 1e-6
        np.testing.assert_allclose(slopes, expected, rtol=1e-4, atol=1e-6 * np.abs(expected).max())


def test_a_wrong_layer_is_named(models: Any, arrays: Any) -> None:
    model = models["self_attention"]
    with pytest.raises(ValueError, match="did you mean 'jet1_self_attention_0'"):
        probe.attention_scores(model, arrays, ["jet1_self_atention_0"])
    with pytest.raises(ValueError, match="did you mean 'jet1_tokens'"):
        probe.token_activations(model, "jet1_token", arrays)
    with pytest.raises(ValueError, match="reads 'jet1', which is missing"):
        probe.attention_scores(model, {"event": arrays["event"]})
    assert probe.attention_scores(models["kinematics_mlp"], arrays) == {}
