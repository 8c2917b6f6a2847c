import numpy as np
import pytest

from jetlens.config.explanation import ExplanationConfig, methods_of
from jetlens.errors import ConfigError, FileError
from jetlens.explanation import explain
from jetlens.explanation.mapfile import positive_maps, read_maps
from jetlens.explanation.relevance import read_relevance
from jetlens.files import read_json

VARIANT = "cross_attention"
SETTINGS = ExplanationConfig(variants=[VARIANT], events=20, display_events=2, test_events=3)


def run(models, parts, normalisation, output, variant=VARIANT, settings=SETTINGS, companions=(), permuted=()):
    explain(
        models,
        parts,
        output,
        variant=variant,
        normalisation=normalisation,
        explanation=settings,
        companions=companions,
        permuted=permuted,
    )
    return output


@pytest.fixture(scope="module")
def explained(toy_parts, toy_normalisation, toy_models, tmp_path_factory):
    output = tmp_path_factory.mktemp("explanation") / VARIANT
    others = toy_models[::-1]
    return run(toy_models, toy_parts, toy_normalisation, output, companions=others, permuted=others)


def test_all_methods_have_one_layout(explained):
    files = sorted(path.stem for path in explained.glob("*.npz"))
    assert files == sorted(SETTINGS.methods)
    for name in files:
        content = read_relevance(explained / f"{name}.npz")
        S, M, N, T = content["value"].shape
        assert (str(content["method"]), S, M) == (name, 2, len(content["maps"]))
        assert content["mask"].shape == content["eta"].shape == content["log_pt"].shape == (N, T)
        assert content["event_value"].shape == (S, M, N, len(content["event_features"]))
        assert content["logit"].shape == (S, N)
        assert content["tokens"].tolist()[-3:] == ["fat_jets[0]", "fat_jets[1]", "fat_jets[0]+fat_jets[1]"]
        assert not content["value"][:, :, ~content["mask"]].any()
        assert content["value"].any()
        inside = np.isin(content["slot_stream"], np.flatnonzero(content["kinds"] == "constituents"))
        assert np.isfinite(content["eta"][:, inside][content["mask"][:, inside]]).all()


def test_maps_are_shares_of_what_speaks_for_each_class(explained):
    content = read_maps(explained / "leave_one_out.npz", bins=10, half_width=0.8, single=2)
    assert content["maps"].tolist() == ["towards signal", "towards background"]
    assert content["density"].shape == content["relative_spread"].shape == (2, 2, 2, 10, 10)
    assert content["single_value"].shape[:2] == (2, 4)
    total = content["density"].sum(axis=(2, 3, 4)) + content["outside"].sum(axis=2)
    np.testing.assert_allclose(total, 1, atol=1e-6)
    arrays = read_relevance(explained / "leave_one_out.npz")
    _, both = positive_maps(arrays)
    np.testing.assert_allclose(both[:, 0] - both[:, 1], arrays["value"][:, 0], atol=1e-7)


def test_faithfulness_reports_its_tests_with_errors(explained):
    content = read_json(explained / "faithfulness.json")
    assert content["removable"] == ["jet1", "jet2"]
    assert content["masked_judged_by"] == "companion"
    for groups in content["lies_on"].values():
        assert set(groups) == {"displaced tracks", "near the subjets"}
        for row in groups.values():
            assert set(row["methods"]) == set(SETTINGS.methods)
    for kind, ways in content["tests"].items():
        assert content["events"][kind] == 3
        for way, entry in ways.items():
            for order, own in entry["orders"].items():
                assert len(own["deletion"]["lost"]) == len(content["shares"])
                assert 0 <= own["deletion"]["normalised"][0] <= 1
                assert ("minus_matched" in own["deletion"]) == (order in SETTINGS.methods)
            assert ("best" in entry["orders"]) == (way == "masked")
    for rows in content["random_weights"].values():
        assert [row["randomised"] for row in rows] == [0.1, 0.5, 1.0]
    assert set(content["agreement"]["between_seeds"]) == set(SETTINGS.methods)
    for method, row in content["random_labels"].items():
        # here they are the trainings themselves: each agrees with itself and the other
        seeds = row["less"][0] + row["permuted"][0]
        np.testing.assert_allclose(row["trainings"], [(1 + seeds) / 2] * 2, atol=1e-4, err_msg=method)
        assert (
            "permuted labels"
            in [c for c in content["verdicts"][method]["criteria"] if c["passed"] is False][-1]["question"]
        )


def test_explaining_again_gives_the_same_bytes(explained, toy_parts, toy_normalisation, toy_models, tmp_path):
    settings = SETTINGS.model_copy(update={"methods": ["gradcam"]})
    again = run(toy_models, toy_parts, toy_normalisation, tmp_path, settings=settings)
    assert (again / "gradcam.npz").read_bytes() == (explained / "gradcam.npz").read_bytes()


def test_trees_are_explained_by_their_librarys_shapley_values(
    toy_parts, toy_normalisation, toy_trees, tmp_path
):
    from jetlens.trained import load_model

    run(toy_trees, toy_parts, toy_normalisation, tmp_path, "trees")
    content = read_relevance(tmp_path / "tree_shapley.npz")
    total = content["value"][0, 0].sum(-1) + content["event_value"][0, 0].sum(-1) + content["baseline"][0, 0]
    np.testing.assert_allclose(total, content["logit"][0], atol=1e-5)
    assert methods_of(load_model(toy_trees[0]).options, SETTINGS.methods) == [
        "leave_one_out",
        "tree_shapley",
    ]
    columns = content["column_value"].astype(np.float64)
    np.testing.assert_allclose(
        columns.sum(-1), content["value"][0, 0].sum(-1) + content["event_value"][0, 0].sum(-1), atol=1e-5
    )


def test_a_layer_that_does_not_exist_is_named(toy_parts, toy_normalisation, toy_models, tmp_path):
    settings = SETTINGS.model_copy(update={"methods": ["gradcam"], "gradcam_layer": "{stream}_token"})
    with pytest.raises(ConfigError, match="did you mean 'jet1_tokens'"):
        run(toy_models, toy_parts, toy_normalisation, tmp_path, settings=settings)


def test_files_that_are_none_are_named(tmp_path):
    path = tmp_path / "attention.npz"
    with pytest.raises(FileError, match="does not exist"):
        read_maps(path)
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(FileError, match="damaged"):
        read_maps(path)
    np.savez(path, maps=np.zeros(2))
    with pytest.raises(FileError, match="'method' is missing"):
        read_maps(path)
