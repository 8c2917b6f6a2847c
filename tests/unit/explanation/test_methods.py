"""What every explainer must get right, on every kind of network."""

import dataclasses
import itertools
import math

import numpy as np
import pytest

from jetlens.config.explanation import ExplanationConfig, methods_of
from jetlens.explanation.attention import attention, choose_view, short_name
from jetlens.explanation.integrated import _integrated, _paths, integrate
from jetlens.explanation.network import attention_layout
from jetlens.explanation.players import Players
from jetlens.explanation.registry import METHODS
from jetlens.explanation.removal import leave_one_out, shapley
from jetlens.trained.model import input_arrays

from .conftest import OPTIONS, toy_events

NETWORKS = ("cross_attention", "concatenation", "particle_transformer")
SETTINGS = ExplanationConfig(variants=[], methods=list(METHODS), permutations=4, display_events=1)


def copy_of(network):
    """A network with the same weights, to be changed."""
    import keras

    copy = keras.models.clone_model(network)
    copy.set_weights(network.get_weights())
    return copy


def permuted(features, seed=0):
    """The same events with constituents in other slots, and where each slot's constituent came from."""
    rng = np.random.default_rng(seed)
    streams, masks, source = dict(features.streams), dict(features.masks), {}
    for name in ("jet1", "jet2"):
        order = rng.permuted(np.tile(np.arange(masks[name].shape[1]), (len(features), 1)), axis=1)
        streams[name] = np.take_along_axis(streams[name], order[..., None], axis=1)
        masks[name] = np.take_along_axis(masks[name], order, axis=1)
        source[name] = order
    return dataclasses.replace(features, streams=streams, masks=masks), source


@pytest.mark.parametrize("kind", NETWORKS)
def test_scores_are_the_same_with_attention_extracted_and_rows_sum_to_one(kind, events, network_of_kind):
    from jetlens.models import probe

    model = network_of_kind(kind)
    before = model.predict_logits(events)
    inputs = input_arrays(events, model.streams)
    scores = probe.attention_scores(model.model, inputs)
    np.testing.assert_array_equal(model.predict_logits(events), before)
    for name, (query, keys) in attention_layout(model.model).items():
        real = [
            np.concatenate(
                [np.ones((len(events), 1), bool) if s == "class" else events.masks[s] for s in part], axis=1
            )
            for part in (query, keys)
        ]
        rows = scores[name].transpose(0, 2, 1, 3)[real[0]]
        np.testing.assert_allclose(rows.sum(axis=-1), 1, atol=1e-5)
        assert not scores[name].transpose(0, 3, 1, 2)[~real[1]].any()


@pytest.mark.parametrize("kind", [*NETWORKS, "kinematics_mlp"])
def test_permuted_constituents_have_permuted_explanations(kind, events, network_of_kind):
    model = network_of_kind(kind)
    moved, source = permuted(events)
    for name in methods_of(model.options, SETTINGS.methods):
        first, second = (METHODS[name].explain(model, x, SETTINGS) for x in (events, moved))
        start = 0
        for stream in model.streams:
            width = events.masks[stream].shape[1]
            a, b = (r.value[..., start : start + width] for r in (first, second))
            if stream in source:
                a = np.take_along_axis(a, np.broadcast_to(source[stream], a.shape), axis=-1)
                assert not b[:, ~moved.masks[stream]].any()
            np.testing.assert_allclose(a, b, atol=2e-5 + 1e-4 * np.abs(a).max(), err_msg=name)
            start += width
        np.testing.assert_allclose(first.event_value, second.event_value, atol=1e-4, err_msg=name)
        assert first.value.any()


@pytest.mark.parametrize("kind", ["cross_attention", "particle_transformer"])
def test_leave_one_out_against_brute_force(kind, events, network_of_kind):
    model = network_of_kind(kind)
    found = leave_one_out(model, events, SETTINGS)
    n, start = 2, 0
    whole = model.predict_logits(events.select(np.array([n])))[0]
    for stream in model.streams:
        for slot in range(events.masks[stream].shape[1]):
            if not events.masks[stream][n, slot]:
                continue
            one = events.select(np.array([n]))
            one.masks[stream][0, slot] = False
            one.streams[stream][0, slot] = 0
            expected = whole - model.predict_logits(one)[0]
            assert found.value[0, n, start + slot] == pytest.approx(expected, abs=2e-5)
        start += events.masks[stream].shape[1]
    if kind == "cross_attention":
        one = events.select(np.array([n]))
        one.event[0, 1] = events.event[:, 1].mean()
        assert found.event_value[0, n, 1] == pytest.approx(whole - model.predict_logits(one)[0], abs=2e-5)


def test_shapley_values_against_all_coalitions(network_of_kind):
    model = network_of_kind("self_attention")
    few = toy_events(number=3, slots=7, seed=5)
    found = shapley(model, few, SETTINGS.model_copy(update={"permutations": 60}))
    players = Players(model, few)
    pulls = []
    for n in range(len(few)):
        who = np.flatnonzero(players.real[n])
        subsets = [s for size in range(len(who) + 1) for s in itertools.combinations(who, size)]
        present = np.zeros((len(subsets), players.real.shape[1]), bool)
        for row, subset in zip(present, subsets, strict=True):
            row[list(subset)] = True
        z = dict(zip(subsets, players.logits(np.full(len(subsets), n), present), strict=True))
        for i in who:
            exact = sum(
                math.factorial(len(s)) * math.factorial(len(who) - len(s) - 1) / math.factorial(len(who))
                * (z[tuple(sorted((*s, i)))] - z[s])
                for s in subsets if i not in s
            )  # fmt: skip
            pulls.append((found.value[0, n, i] - exact) / found.error[0, n, i])
        assert found.value[0, n].sum() == pytest.approx(z[tuple(who)] - z[()], abs=1e-5)
    pulls = np.array(pulls)
    assert np.mean(np.abs(pulls) < 3) > 0.95
    assert 0.5 < pulls.std() < 1.6


def line(slope, length):
    """Sums of slopes on the straight line from zero, as :func:`integrate` asks for them."""
    return lambda places, weights: {
        name: sum(w * slope({name: t * x})[name] for t, w in zip(places, weights, strict=True))
        for name, x in length.items()
    }


@pytest.mark.parametrize("power", [1, 2])
def test_integrated_gradients_of_functions_with_a_closed_form(power):
    rng = np.random.default_rng(0)
    x, a, b = rng.normal(size=(3, 4, 5))
    # f = Σ a x² + Π-like coupling b_i x_i x_{i+1}: on a straight path from zero, shares a x² and half of each product
    after, before = np.roll(x, -1, axis=1), np.roll(x, 1, axis=1)
    slope = lambda p: {"x": 2 * a * p["x"] + b * np.roll(p["x"], -1, 1) + np.roll(b * p["x"], 1, 1)}  # noqa: E731
    found = integrate(line(slope, {"x": x}), {"x": x}, 100, 7, power)["x"]
    expected = a * x**2 + b * x * after / 2 + np.roll(b, 1, 1) * before * x / 2
    np.testing.assert_allclose(found, expected, atol=1e-6)
    # f = exp(Σ x): every share is x_i (e^Σ − 1) / Σ
    total = x.sum(axis=1, keepdims=True)
    exponential = lambda p: {"x": np.exp(p["x"].sum(1, keepdims=True)) * np.ones_like(x)}  # noqa: E731
    found = integrate(line(exponential, {"x": x}), {"x": x}, 100, 7, power)["x"]
    np.testing.assert_allclose(found, x * np.expm1(total) / total, atol=1e-6)


def test_what_changes_at_the_start_of_a_path_alone_takes_crowded_points():
    # as a normalisation does: x / √(x² + ε), all but flat beyond the first thousandths
    slope = lambda p: {"x": 1e-7 / (p["x"] ** 2 + 1e-7) ** 1.5}  # noqa: E731
    one = {"x": np.ones((1, 1))}
    even, crowded = (integrate(line(slope, one), one, 100, power=power)["x"].item() for power in (1, 2))
    assert abs(even - 1) > 0.02
    assert abs(crowded - 1) < 2e-3


def test_slots_of_named_tokens_keep_their_means(events, network_of_kind):
    # the last named slot is empty in every event
    stream = events.metadata.streams["jet1"]
    slots = events.masks["jet1"].shape[1]
    named = stream.model_copy(update={"tokens": [f"t{i}" for i in range(slots)]})
    metadata = events.metadata.model_copy(update={"streams": events.metadata.streams | {"jet1": named}})
    mask = events.masks["jet1"] & (np.arange(slots) < slots - 1)
    tokens = {"masks": events.masks | {"jet1": mask}, "metadata": metadata}
    tokens["streams"] = events.streams | {"jet1": events.streams["jet1"] * mask[..., None]}
    model = network_of_kind("analysis_object")
    trained = model.manifest["features"]
    model = type(model)(
        model.model,
        model.manifest
        | {"features": trained | {"streams": trained["streams"] | {"jet1": named.model_dump()}}},
        model.options,
    )
    found = METHODS["integrated_gradients"].explain(model, dataclasses.replace(events, **tokens), SETTINGS)
    assert not found.value[:, :, slots - 1].any()
    scale = np.abs(found.per_event["difference"]).mean(axis=1, keepdims=True)
    assert np.median(np.abs(found.per_event["residual"]) / scale) < 0.01


def test_events_whose_integral_misses_are_done_again(events, network_of_kind, monkeypatch):
    from jetlens.explanation import integrated

    model = network_of_kind("cross_attention")
    monkeypatch.setattr(integrated, "TOLERANCE", np.inf)
    once = METHODS["integrated_gradients"].explain(model, events, SETTINGS).per_event
    few = np.abs(once["residual"][1]).argsort()[-2:]
    tolerance = np.sort(np.abs(once["residual"][1]))[-3:-1].mean() / np.abs(once["difference"][1]).mean()
    monkeypatch.setattr(integrated, "TOLERANCE", tolerance)
    again = METHODS["integrated_gradients"].explain(model, events, SETTINGS).per_event
    others = np.setdiff1d(np.arange(len(events)), few)
    np.testing.assert_array_equal(again["residual"][1, others], once["residual"][1, others])
    assert (np.abs(again["residual"][1, few]) < np.abs(once["residual"][1, few])).all()


def test_what_pairs_are_worth_goes_to_both_of_them(events, network_of_kind):
    """Tokens whose embedding is zero, as it is at the start of the path, count by their pairs alone."""
    model = network_of_kind("particle_transformer")
    network = copy_of(model.model)
    track = events.metadata.streams["jet1"].features.index("is_track")
    first, last = (network.get_layer(f"constituents_embedding_{i}") for i in range(2))
    for layer in (first, last):
        layer.bias.assign(np.zeros(layer.bias.shape))
    kernel = np.asarray(first.kernel)
    first.kernel.assign(np.where(np.arange(len(kernel))[:, None] == track, kernel, 0))
    tracks = events.streams["jet1"][..., track] > 0.5
    others = events.masks["jet1"] & ~tracks

    changed = type(model)(network, model.manifest, model.options)
    few = np.flatnonzero(tracks.any(axis=1) & others.any(axis=1))[:2]
    cut, power, means = _paths(changed, events.select(few))[0]
    found = _integrated(cut, power, changed, events.select(few), means, 8).value
    assert (np.abs(found[:, : tracks.shape[1]][others[few]]) > 1e-3).mean() > 0.7


@pytest.mark.parametrize("kind", NETWORKS)
def test_integrated_gradients_add_up(kind, events, network_of_kind):
    model = network_of_kind(kind)
    found = METHODS["integrated_gradients"].explain(model, events, SETTINGS)
    scale = np.abs(found.per_event["difference"]).mean(axis=1, keepdims=True)
    # inputs are bent logarithmically beyond 5 σ, ramps have corners: what is left is the quadrature's
    assert np.median(np.abs(found.per_event["residual"]) / scale) < 0.01
    whole = found.per_event["difference"] - found.value.sum(-1) - found.event_value.sum(-1)
    np.testing.assert_allclose(whole, found.per_event["residual"], atol=1e-9)


def test_relevance_of_a_hand_made_chain():
    from jetlens.explanation.chefer import gather, normalised, shares

    # two keys, one query, the class token last: eq. 10 with R̄_kk of one self-attention layer
    carried = np.eye(4)[None].copy()
    bar = np.array([[[0.2, 0.6], [0.0, 0.0]]])
    gather(carried, bar, np.array([0, 1]), np.array([0, 1]), signed=False)
    np.testing.assert_allclose(carried[0, :2, :2], [[1.2, 0.6], [0, 1]])
    np.testing.assert_allclose(normalised(carried[:, :2, :2])[0], [[1.25, 0.75], [0, 1]])
    gather(carried, np.array([[[0.5, 0.1]]]), np.array([2]), np.array([0, 1]), signed=False)
    np.testing.assert_allclose(carried[0, 2, :2], [0.5 * 1.25, 0.5 * 0.75 + 0.1])
    np.testing.assert_allclose(
        shares(np.full((1, 2, 1, 1), 0.5), np.array([2.0, -4.0]).reshape(1, 2, 1, 1), signed=False), 0.5
    )
    np.testing.assert_allclose(
        shares(np.full((1, 2, 1, 1), 0.5), np.array([2.0, -4.0]).reshape(1, 2, 1, 1), signed=True), -0.5
    )


@pytest.mark.parametrize("signed", [False, True])
def test_relevance_of_a_class_token_against_loops(signed, events, network_of_kind):
    """Eqs. 5 to 7 of arXiv:2103.15679, one entry of R after another: self-attention, then the class token's two."""
    from jetlens.models import probe

    model = network_of_kind("analysis_object")
    found = METHODS["relevance_signed" if signed else "relevance"].explain(model, events, SETTINGS).value[0]
    layers = probe.attention_gradients(model.model, input_arrays(events, model.streams))
    real = events.masks["jet1"]
    for n in range(len(events)):
        tokens = [int(t) for t in np.flatnonzero(real[n])] + [-1]  # last: the class token
        carried = {(q, x): float(q == x) for q in tokens for x in tokens}
        for name, (query, keys) in attention_layout(model.model).items():
            scores, slopes = (x[n].astype(float) for x in layers[name])
            own = [[-1] if s == "class" else tokens[:-1] for s in (query[0], *keys)]
            asks, asked = own[0], [k for part in own[1:] for k in part]
            shift = int("class" in keys)  # the class token's column comes first
            before = dict(carried)
            for q in asks:
                for x in tokens:
                    for k in asked:
                        column = 0 if k == -1 else k + shift
                        products = [
                            a[max(q, 0), column] * g[max(q, 0), column]
                            for a, g in zip(scores, slopes, strict=True)
                        ]
                        bar = np.mean([p if signed else max(p, 0.0) for p in products])
                        carried[q, x] += bar * before[k, x]
        np.testing.assert_allclose(found[n, tokens[:-1]], [carried[-1, x] for x in tokens[:-1]], rtol=1e-5)


def test_gradients_of_attention_cancel_where_a_norm_follows(events, network_of_kind):
    """Longer as a whole, what is gathered is the same behind a norm: Σ A ∂z/∂A = 0, however much hangs on it."""
    from jetlens.models import probe

    model = network_of_kind("particle_transformer")
    network = copy_of(model.model)
    for layer in network.layers:
        if layer.name.endswith("_projection"):
            layer.bias.assign(np.zeros(layer.bias.shape))
    layers = attention_layout(network)
    found = probe.attention_gradients(network, input_arrays(events, model.streams))
    for name, (scores, slopes) in found.items():
        product = (scores * slopes).transpose(0, 2, 1, 3)
        (query,) = layers[name][0]
        if query != "class":
            product = product[events.masks[query]]
        size = np.abs(product).sum(axis=(-2, -1))
        assert size.max() > 1e-3
        assert (np.abs(product.sum(axis=(-2, -1))) < 1e-3 * size + 1e-5).all(), name


def test_relevance_of_random_gradients_knows_attention_alone(events, network_of_kind):
    from jetlens.explanation.chefer import relevance_of_random_gradients

    model = network_of_kind("analysis_object")
    network = copy_of(model.model)
    logit = network.get_layer("logit")
    logit.set_weights([5 * w for w in logit.get_weights()])  # other gradients, the same attention
    changed = type(model)(network, model.manifest, model.options)
    one, other = (
        relevance_of_random_gradients(m, events, np.random.default_rng(1)).value for m in (model, changed)
    )
    np.testing.assert_allclose(one, other, rtol=1e-6)
    one, other = (METHODS["relevance"].explain(m, events, SETTINGS).value for m in (model, changed))
    assert (other[0] >= one[0]).all()
    assert other[0].sum() > 3 * one[0].sum()


def test_attention_says_what_heads_look_at(events, network_of_kind):
    model = network_of_kind("cross_attention")
    view = choose_view(attention_layout(model.model), events.metadata)
    assert view.queries == ["J1", "J2", "J1+J2"]
    assert all(name.startswith("cross_attention") for name in view.layers)
    found = attention(model, events, SETTINGS)
    assert found.maps == ("mean", "J1", "J2", "J1+J2", "rollout")
    np.testing.assert_allclose(found.value[:4].sum(axis=-1), 1, atol=1e-5)
    extra = found.extra
    cross = np.char.startswith(extra["head_layer"], "cross_attention")
    assert ((extra["head_entropy"] > 0) & (extra["head_entropy"] <= 1 + 1e-9)).all()
    inside = np.isin(extra["head_kinds"], ["tracks", "photons", "neutral hadrons"])
    np.testing.assert_allclose(extra["head_share"][cross][..., inside].sum(axis=-1), 1, atol=1e-5)
    assert np.isfinite(extra["head_distance"][cross]).all()


def test_names_of_tokens():
    assert short_name("fat_jets[0]+fat_jets[1]") == "J1+J2"
    assert short_name("jets[2]") == "j3"


def test_every_option_is_a_kind():
    assert set(NETWORKS) < set(OPTIONS)
