"""Properties that every network must have; the numbers in brackets are the reference codes' mistakes of models.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jetlens.features.featurefile import FeatureSet

from .conftest import OPTIONS, build, score

KINDS = list(OPTIONS)
ON_SETS = [kind for kind in KINDS if kind != "kinematics_mlp"]
VARIABLE = ("jet1", "jet2", "objects")


@pytest.mark.parametrize("kind", KINDS)
def test_scores_are_finite_and_differ_between_events(models: Any, arrays: Any, kind: str) -> None:
    logits = score(models[kind], arrays)
    assert np.isfinite(logits).all()
    assert logits.std() > 1e-3


@pytest.mark.parametrize("kind", ON_SETS)
def test_what_stands_in_padding_changes_nothing(models: Any, arrays: Any, kind: str) -> None:
    """[1, 3] Queries are not what is to be masked; keys are, in every attention."""
    soiled = dict(arrays)
    for name in VARIABLE:
        soiled[name] = np.where(arrays[f"{name}_mask"][..., None], arrays[name], np.float32(1e3))
    assert np.array_equal(score(models[kind], soiled), score(models[kind], arrays))


@pytest.mark.parametrize("kind", ON_SETS)
def test_the_amount_of_padding_changes_nothing(models: Any, arrays: Any, kind: str) -> None:
    longer = dict(arrays)
    for name in VARIABLE:
        longer[name] = np.pad(arrays[name], ((0, 0), (0, 7), (0, 0)))
        longer[f"{name}_mask"] = np.pad(arrays[f"{name}_mask"], ((0, 0), (0, 7)))
    np.testing.assert_allclose(score(models[kind], longer), score(models[kind], arrays), rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("kind", ON_SETS)
def test_an_event_without_tokens_has_a_score_free_of_padding(models: Any, arrays: Any, kind: str) -> None:
    empty = {k: v[:3].copy() for k, v in arrays.items()}
    for name in VARIABLE:
        empty[f"{name}_mask"][:] = False
    longer = dict(empty)
    longer["jet1"] = np.pad(empty["jet1"], ((0, 0), (0, 9), (0, 0)), constant_values=5.0)
    longer["jet1_mask"] = np.pad(empty["jet1_mask"], ((0, 0), (0, 9)))
    expected = score(models[kind], empty)
    assert np.isfinite(expected).all()
    np.testing.assert_allclose(score(models[kind], longer), expected, atol=1e-6)


@pytest.mark.parametrize("kind", ON_SETS)
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
def test_order_of_constituents_does_not_matter(models: Any, arrays: Any, kind: str, seed: int) -> None:
    """[4, 6] Each stream is shuffled on its own: nothing is summed slot by slot, and pooling knows no order."""
    rng = np.random.default_rng(seed)
    shuffled = dict(arrays)
    for name in VARIABLE:
        order = rng.permutation(arrays[name].shape[1])
        shuffled[name], shuffled[f"{name}_mask"] = arrays[name][:, order], arrays[f"{name}_mask"][:, order]
    np.testing.assert_allclose(score(models[kind], shuffled), score(models[kind], arrays), atol=1e-5)


@pytest.mark.parametrize("kind", ["cross_attention_three_stream", "concatenation", "particle_transformer"])
def test_jets_keep_their_identity(models: Any, arrays: Any, kind: str) -> None:
    """[4] Swapping the two jets' constituents is another event."""
    swapped = arrays | {"jet1": arrays["jet2"], "jet1_mask": arrays["jet2_mask"]}
    swapped |= {"jet2": arrays["jet1"], "jet2_mask": arrays["jet1_mask"]}
    assert np.abs(score(models[kind], swapped) - score(models[kind], arrays)).max() > 1e-4


@pytest.mark.parametrize("kind", ON_SETS)
def test_the_mask_is_not_guessed_from_features(models: Any, arrays: Any, kind: str) -> None:
    """[2] A real token whose features are all zero counts; taken out of the mask, the score changes."""
    name = "objects" if kind == "analysis_object" else "jet1"
    zero = dict(arrays)
    zero[name] = arrays[name].copy()
    zero[name][:, 0] = 0.0
    without = dict(zero)
    without[f"{name}_mask"] = arrays[f"{name}_mask"].copy()
    without[f"{name}_mask"][:, 0] = False
    assert np.abs(score(models[kind], zero) - score(models[kind], without)).max() > 1e-4


@pytest.mark.parametrize("kind", KINDS)
def test_events_do_not_talk_to_one_another(models: Any, arrays: Any, kind: str) -> None:
    alone = np.concatenate(
        [score(models[kind], {k: v[i : i + 1] for k, v in arrays.items()}) for i in range(4)]
    )
    np.testing.assert_allclose(alone, score(models[kind], arrays)[:4], atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_reach_every_weight(models: Any, arrays: Any, kind: str) -> None:
    """[5, 16, 17, 18] No block is built and not used, no class token is left untrained."""
    import tensorflow as tf

    from jetlens.models.probe import model_inputs

    model = models[kind]
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(model(model_inputs(model, arrays), training=False) ** 2)
    variables = model.trainable_variables
    gradients = tape.gradient(loss, [v.value for v in variables])
    dead = [v.path for v, g in zip(variables, gradients, strict=True) if g is None or not np.abs(g).max() > 0]
    # a key's bias adds the same to all scores of a query, which the softmax takes out again; only its value part acts
    assert not dead


@pytest.mark.parametrize("kind", KINDS)
def test_saved_models_score_the_same(models: Any, arrays: Any, kind: str, tmp_path: Path) -> None:
    models[kind].save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    assert np.array_equal(score(loaded, arrays), score(models[kind], arrays))


@pytest.mark.parametrize("kind", ["analysis_object", "concatenation"])
def test_class_token_is_a_weight_and_scoring_is_deterministic(models: Any, arrays: Any, kind: str) -> None:
    """[16] The reference drew its class token anew in every pass."""
    tokens = [v for v in models[kind].trainable_variables if v.name == "token"]
    assert tokens
    assert np.array_equal(score(models[kind], arrays), score(models[kind], arrays))


@pytest.mark.parametrize("kind", ["cross_attention_three_stream", "analysis_object", "kinematics_mlp"])
def test_the_event_vector_is_used(models: Any, arrays: Any, kind: str) -> None:
    """[17] The reference built the event-level embedding and left it."""
    other = arrays | {"event": arrays["event"][::-1]}
    assert np.abs(score(models[kind], other) - score(models[kind], arrays)).max() > 1e-4


def test_every_cross_block_matters(events: FeatureSet, arrays: Any) -> None:
    """[5] The reference's blocks all started from the same input, so that only the last one counted."""
    model = build("cross_attention_two_stream", events)
    before = score(model, arrays)
    layer = model.get_layer("cross_attention_0_feed_forward")
    layer.set_weights([2.0 * w for w in layer.get_weights()])
    assert np.abs(score(model, arrays) - before).max() > 1e-4


def test_residuals_start_from_what_came_in(events: FeatureSet, arrays: Any) -> None:
    """[18] With both branches silenced a block is the identity: the skip connection carries the input itself."""
    from jetlens.models.probe import model_inputs

    model = build("self_attention", events)
    for name in ("jet1_0_projection", "jet1_0_feed_forward"):
        layer = model.get_layer(name)
        layer.set_weights([np.zeros_like(w) for w in layer.get_weights()])
    inside = keras.Model(
        model.inputs, [model.get_layer("jet1_embedding_1").output, model.get_layer("jet1_tokens").output]
    )
    embedded, encoded = inside(model_inputs(model, arrays), training=False)
    assert np.array_equal(np.asarray(embedded), np.asarray(encoded))


@pytest.mark.parametrize("kind", KINDS)
def test_models_are_flat_and_named(models: Any, kind: str) -> None:
    for layer in models[kind].layers:
        assert not isinstance(layer, keras.Model)
        assert not isinstance(layer, keras.layers.Lambda)
    inputs = {t.name for t in models[kind].inputs}
    assert inputs <= {"event", *(f"{s}{m}" for s in (*VARIABLE, "kinematics") for m in ("", "_mask"))}
    assert models[kind].outputs[0].shape == (None, 1)
    assert models[kind].layers[-1].name == "logit"


CHANGES = [
    ("self_attention", {"width": 12}),
    ("self_attention", {"embedding": [10, 10]}),
    ("self_attention", {"head": [6, 6]}),
    ("self_attention", {"dropout": 0.3}),
    ("self_attention", {"clip": 4.0}),
    ("self_attention", {"pooling": "max"}),
    ("self_attention", {"pooling": "attention"}),
    ("self_attention", {"use_event": True}),
    ("self_attention", {"stream": "jet2"}),
    ("self_attention", {"encoder": {"layers": 2, "heads": 2, "feed_forward": 12}}),
    ("self_attention", {"encoder": {"layers": 1, "heads": 4, "feed_forward": 12}}),
    ("self_attention", {"encoder": {"layers": 1, "heads": 2, "feed_forward": 16}}),
    ("self_attention", {"encoder": {"layers": 1, "heads": 2, "feed_forward": 12, "head_width": 8}}),
    ("cross_attention_three_stream", {"query": "jet1"}),
    ("cross_attention_three_stream", {"share_encoders": True}),
    ("cross_attention_three_stream", {"join_pooled": False}),
    ("cross_attention_three_stream", {"cross": {"layers": 1, "heads": 2, "feed_forward": 12}}),
    ("cross_attention_three_stream", {"pair_embedding": [6]}),
    ("cross_attention_three_stream", {"pooling": "flatten"}),
    ("concatenation", {"share_encoders": []}),
    ("concatenation", {"pooling": "flatten"}),
    ("concatenation", {"bins": 3}),
    ("analysis_object", {"layer_scale": 0.5}),
    ("analysis_object", {"class_attention": {"layers": 1, "heads": 2, "feed_forward": 12}}),
    ("particle_transformer", {"pair_embedding": [6, 6]}),
    ("particle_transformer", {"streams": ["jet1"]}),
    ("kinematics_mlp", {"use_event": False}),
]


@pytest.mark.parametrize(("kind", "change"), CHANGES, ids=lambda x: str(x))
def test_no_option_is_ignored(models: Any, events: FeatureSet, kind: str, change: dict[str, Any]) -> None:
    """[8] Every option shows in the network: the reference overrode or forgot several."""
    changed = build(kind, events, **change)

    def shown(model: Any) -> list[Any]:
        return [(layer.name, layer.get_config(), [w.shape for w in layer.weights]) for layer in model.layers]

    assert str(shown(changed)) != str(shown(models[kind]))


def test_embedding_precedes_attention(models: Any) -> None:
    """[7] Tokens are embedded to a width of their own, from standardised inputs, before any norm or attention."""
    names = [layer.name for layer in models["self_attention"].layers]
    order = ("jet1_standardisation", "jet1_embedding_0", "jet1_norm_0", "jet1_self_attention_0")
    assert sorted(order, key=names.index) == list(order)


def test_ramps_rise_between_their_knots() -> None:
    from jetlens.models.layers import PiecewiseLinear

    z = np.array([[-9.0], [-2.5], [0.0], [0.5], [9.0]], np.float32)
    found = np.asarray(PiecewiseLinear(bins=5, reach=2.5)(z))
    ramps = [[0] * 5, [0] * 5, [1, 1, 0.5, 0, 0], [1, 1, 1, 0, 0], [1] * 5]
    np.testing.assert_allclose(found, np.concatenate([z, np.array(ramps)], axis=1), atol=1e-6)
