import numpy as np
import pytest

from jetlens.config.evaluation import ExplanationConfig
from jetlens.errors import ConfigError, FileError
from jetlens.evaluation.testset import read_test_set
from jetlens.explanation import explain
from jetlens.explanation.attention import attend, choose_view, network_inputs, short_name
from jetlens.explanation.faithfulness import randomise_weights
from jetlens.explanation.mapfile import read_maps
from jetlens.files import read_json

VARIANT = "cross_attention_three_stream"
SETTINGS = ExplanationConfig(
    variants=[VARIANT], events=60, single_events=2, bins=10, faithfulness_events=20, steps=3
)


@pytest.fixture(scope="module")
def explained(demo_features, normalisation, demo_networks, tmp_path_factory):
    output = tmp_path_factory.mktemp("explanation") / VARIANT
    explain(
        demo_networks,
        list(demo_features.values()),
        output,
        variant=VARIANT,
        normalisation=normalisation,
        explanation=SETTINGS,
    )
    return output


@pytest.fixture(scope="module")
def network(demo_networks):
    from jetlens.trained import load_model

    return load_model(demo_networks[0])


def view_of(network, features):
    from jetlens.models import probe

    layers = {
        name: probe.attention_streams(network.model, name) for name in probe.attention_layers(network.model)
    }
    return choose_view(layers, features, VARIANT)


def test_kinematic_tokens_are_the_queries(network, demo_features, normalisation):
    test = read_test_set(list(demo_features.values()), normalisation, 20)
    view = view_of(network, test.features)
    assert view.queries == ["J1", "J2", "J1+J2"]
    assert view.streams == ["jet1", "jet2"]
    assert all(name.startswith("cross_attention") for name in view.layers)


def test_attention_is_what_the_forward_pass_used(network, demo_features, normalisation):
    from jetlens.models import probe

    features = read_test_set(list(demo_features.values()), normalisation, 20).features
    view = view_of(network, features)
    values, _ = attend(network.model, features, view)
    scores = probe.attention_scores(network.model, network_inputs(features), view.layers)
    slow = np.mean([scores[name].mean(axis=1) for name in view.layers], axis=0)
    np.testing.assert_allclose(values.swapaxes(0, 1), slow, atol=1e-6)
    mask = np.concatenate([features.masks[name] for name in view.streams], axis=1)
    np.testing.assert_allclose(values.sum(axis=-1), 1, atol=1e-5)
    assert not values[:, ~mask].any()


def test_matrices_average_real_entries_of_each_class(network, demo_features, normalisation):
    from jetlens.models import probe

    features = read_test_set(list(demo_features.values()), normalisation, 20).features
    _, arrays = attend(network.model, features, view_of(network, features), matrices=True)
    name = next(n for n in arrays["matrix_names"] if "self_attention" in n and "jet1" in n)
    scores = probe.attention_scores(network.model, network_inputs(features), [name])[name]
    mask, chosen = features.masks["jet1"], features.label == 0
    for query, key in ((0, 0), (3, 5), (40, 2)):
        both = chosen & mask[:, query] & mask[:, key]
        expected = np.average(scores[both][:, 1, query, key], weights=features.weight[both])
        assert arrays[f"matrix_{name}"][1, 1, query, key] == pytest.approx(expected, rel=1e-5)


def test_files_hold_what_their_description_says(explained):
    for name, maps in (("attention", 3), ("gradcam", 2)):
        content = read_maps(explained / f"{name}.npz")
        shape = (maps, 2, 2, 10, 10)
        for key in (
            "density",
            "density_error",
            "density_spread",
            "relative",
            "relative_error",
            "relative_spread",
        ):
            assert content[key].shape == shape
        assert content["tokens"].shape == content["entries"].shape == shape[1:]
        assert content["profile"].shape[:2] == (maps, 2)
        assert content["classes"].tolist() == ["signal", "background"]
        assert content["seeds"].tolist() == [1, 2]
        assert content["single_value"].shape[:2] == (maps, 4)
        assert content["single_label"].tolist() == [1, 1, 0, 0]
        total = content["density"].sum(axis=(2, 3, 4)) + content["outside"].sum(axis=2)
        np.testing.assert_allclose(total, 1, atol=1e-6)
        assert (content["effective_events"] <= content["events"] + 1e-9).all()


def test_faithfulness_reports_its_tests_with_errors(explained):
    content = read_json(explained / "faithfulness.json")
    assert content["events"] == 20
    for kind in ("deletion", "insertion"):
        assert set(content["curves"][kind]) == {"gradcam", "attention", "pt", "random"}
        for order, entry in content["curves"][kind].items():
            assert len(entry["curve"]) == 3
            assert ("minus_random" in entry) == (order != "random")
    for entry in content["rank_correlation"].values():
        for pair in entry.values():
            assert pair is None or (abs(pair[0]) <= 1 and pair[1] >= 0)


def test_explaining_again_gives_the_same_bytes(
    explained, demo_features, normalisation, demo_networks, tmp_path
):
    explain(
        demo_networks,
        list(demo_features.values()),
        tmp_path,
        variant=VARIANT,
        normalisation=normalisation,
        explanation=SETTINGS,
    )
    for name in ("attention.npz", "gradcam.npz", "faithfulness.json"):
        assert (tmp_path / name).read_bytes() == (explained / name).read_bytes()


def test_randomised_weights_are_the_same_numbers_elsewhere(demo_networks):
    from jetlens.trained import load_model

    model = load_model(demo_networks[0]).model
    before, fixed = (
        [v.numpy() for v in vs] for vs in (model.trainable_variables, model.non_trainable_variables)
    )
    randomise_weights(model, 1)
    after = [v.numpy() for v in model.trainable_variables]
    assert sum((a != b).any() for a, b in zip(before, after, strict=True)) > len(before) / 2
    for a, b in zip(before, after, strict=True):
        np.testing.assert_array_equal(np.sort(a, axis=None), np.sort(b, axis=None))
    for a, b in zip(fixed, model.non_trainable_variables, strict=True):
        np.testing.assert_array_equal(a, b.numpy())


def test_trees_have_no_attention(demo_features, normalisation, demo_trees, tmp_path):
    with pytest.raises(ConfigError, match="'gradient_boosting' is no neural network"):
        explain(
            demo_trees,
            list(demo_features.values()),
            tmp_path,
            variant="gradient_boosting",
            normalisation=normalisation,
            explanation=ExplanationConfig(variants=["gradient_boosting"]),
        )
    assert not list(tmp_path.iterdir())


def test_names_of_tokens():
    assert short_name("fat_jets[0]+fat_jets[1]") == "J1+J2"
    assert short_name("jets[2]") == "j3"


def test_map_files_that_are_none_are_named(tmp_path):
    path = tmp_path / "attention.npz"
    with pytest.raises(FileError, match="does not exist"):
        read_maps(path)
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(FileError, match="damaged"):
        read_maps(path)
    np.savez(path, maps=np.zeros(2))
    with pytest.raises(FileError, match="'relative' is missing"):
        read_maps(path)
