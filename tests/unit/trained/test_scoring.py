"""A trained model applied to event files scores as the evaluation of its own features does."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from jetlens.cli import app
from jetlens.config.evaluation import EvaluationConfig
from jetlens.config.load import load
from jetlens.errors import FileError
from jetlens.evaluation.scores import read_scores
from jetlens.evaluation.stage import evaluate
from jetlens.features.featurefile import FeatureSet
from jetlens.features.normalisation import Normalisation
from jetlens.trained import Recipe, load_model, score
from jetlens.training import train
from tests.conftest import DEMO, ROOT, shared_data

from .conftest import BOOSTING, model_options, training_config


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    config = load(ROOT / "config" / "config.yaml")
    return Recipe(reading=config.reading, skim=config.skim, features=config.features)


@pytest.fixture(scope="module")
def folders(files: list[Path], recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A network and trees, the latter with two seeds, that know how their features were made."""
    found = {}
    trees = {"content": {**BOOSTING, "iterations": 10, "column_share": 0.5}}
    for key, content, seed in (("network", {}, 1), ("trees", trees, 1), ("trees 2", trees, 2)):
        name = key.split()[0]
        found[key] = tmp_path_factory.mktemp(name) / f"seed{seed}"
        train(
            files,
            found[key],
            variant=name,
            options=model_options(**content),
            training=training_config(epochs=1),
            seed=seed,
            recipe=recipe,
        )
    return found


@pytest.mark.parametrize("name", ["network", "trees"])
def test_the_command_scores_as_the_evaluation_does(
    folders: dict[str, Path],
    files: list[Path],
    demo_features: dict[str, Path],
    normalisation: Normalisation,
    name: str,
    tmp_path: Path,
) -> None:
    """Event by event, found by sample and event number, to 1e-6; and every event, test fold or not."""
    output = tmp_path / "scores.npz"
    source = str(DEMO / "ttbar_had.root")
    result = CliRunner().invoke(app, ["score", str(folders[name]), source, "-o", str(output)])
    assert result.exit_code == 0, result.output
    with np.load(output, allow_pickle=False) as content:
        scores = dict(content)
    features = FeatureSet.read(demo_features["ttbar_had"])
    expected = load_model(folders[name]).predict_logits(features)
    assert np.array_equal(scores["event_number"], features.event_number)
    np.testing.assert_allclose(scores["logit"], expected, atol=1e-6)
    np.testing.assert_allclose(scores["score"], 1 / (1 + np.exp(-expected)), atol=1e-6)
    evaluate(
        [folders[name]],
        files,
        tmp_path / "evaluation",
        variant=name,
        normalisation=normalisation,
        evaluation=EvaluationConfig(bootstrap=10),
    )
    evaluated = read_scores(tmp_path / "evaluation" / "scores.npz")
    chosen = evaluated.sample_names[evaluated.sample] == "ttbar_had"
    assert chosen.sum() > 50
    position = {int(number): i for i, number in enumerate(scores["event_number"])}
    rows = [position[int(number)] for number in evaluated.event_number[chosen]]
    np.testing.assert_allclose(scores["logit"][rows], evaluated.logits[0][chosen], atol=1e-6)


def test_several_files_are_told_apart(
    folders: dict[str, Path], demo_features: dict[str, Path], tmp_path: Path
) -> None:
    names = ("ttbar_had", "qcd_4b")
    sources = [str(DEMO / f"{name}.root") for name in names]
    number = score(folders["trees"], sources, tmp_path / "scores.npz")
    features = [FeatureSet.read(demo_features[name]) for name in names]
    with np.load(tmp_path / "scores.npz", allow_pickle=False) as scores:
        assert number == len(scores["score"])
        assert np.array_equal(np.bincount(scores["file_index"]), [len(f) for f in features])
        assert scores["files"].tolist() == sources


def test_a_variant_stands_for_the_mean_of_its_models(
    folders: dict[str, Path], demo_features: dict[str, Path], normalisation: Normalisation, tmp_path: Path
) -> None:
    """And events carry what their normalisation takes."""
    for name in ("trees", "trees 2"):
        shutil.copytree(folders[name], tmp_path / "variant" / folders[name].name)
    source = str(DEMO / "ttbar_had.root")
    score(tmp_path / "variant", [source], tmp_path / "both.npz")
    features = FeatureSet.read(demo_features["ttbar_had"])
    expected = [load_model(folders[name]).predict_logits(features) for name in ("trees", "trees 2")]
    assert not np.array_equal(*expected)
    with np.load(tmp_path / "both.npz", allow_pickle=False) as scores:
        assert scores["models"].tolist() == ["seed1", "seed2"]
        np.testing.assert_allclose(scores["logits"], expected, atol=1e-6)
        np.testing.assert_allclose(scores["logit"], np.mean(expected, axis=0), atol=1e-6)
        assert scores["generated_events"].tolist() == [900]
        # σ·L·w/Σw, with the σ and L that the analysis is normalised with
        share = scores["weight"] / scores["generated_weight"].sum()
        np.testing.assert_allclose(
            share * 1000 * 20.0 * 3000, normalisation.apply(features).weight, rtol=1e-12
        )


def test_models_of_other_settings_are_not_averaged(
    folders: dict[str, Path], recipe: Recipe, tmp_path: Path
) -> None:
    skim = recipe.skim.model_copy(update={"cuts": recipe.skim.cuts[:2]})
    other = recipe.model_copy(update={"skim": skim}).model_dump(mode="json")
    folder = changed(folders["trees"], tmp_path / "seed2", recipe=other)
    with pytest.raises(FileError, match=r"seed2: its recipe differs from that of .*seed1"):
        score([folders["trees"], folder], [str(DEMO / "ttbar_had.root")], tmp_path / "scores.npz")


def test_a_file_of_which_nothing_is_selected_scores_nothing(
    folders: dict[str, Path], recipe: Recipe, tmp_path: Path
) -> None:
    """It still counts among the generated events: others of its sample may have some."""
    cuts = [cut.model_copy(update={"min": 1e6}) if "pT" in cut.name else cut for cut in recipe.skim.cuts]
    skim = recipe.skim.model_copy(update={"cuts": cuts})
    other = recipe.model_copy(update={"skim": skim}).model_dump(mode="json")
    folder = changed(folders["trees"], tmp_path / "seed1", recipe=other)
    assert score(folder, [str(DEMO / "ttbar_had.root")], tmp_path / "scores.npz") == 0
    with np.load(tmp_path / "scores.npz", allow_pickle=False) as scores:
        assert scores["logits"].shape == (1, 0)
        assert scores["generated_events"].tolist() == [900]


def changed(folder: Path, output: Path, **changes: object) -> Path:
    """Return a copy of a trained folder with changes in its manifest."""
    shutil.copytree(folder, output)
    manifest = json.loads((folder / "manifest.json").read_text())
    (output / "manifest.json").write_text(json.dumps(manifest | changes))
    return output


def test_a_missing_branch_is_named(folders: dict[str, Path], recipe: Recipe, tmp_path: Path) -> None:
    """A model trained on jets that another file calls otherwise."""
    reading = recipe.reading.model_copy(update={"branches": {"fat_jets": "FatJat"}})
    other = recipe.model_copy(update={"reading": reading}).model_dump(mode="json")
    folder = changed(folders["trees"], tmp_path / "seed1", recipe=other)
    source = DEMO / "ttbar_had.root"
    with pytest.raises(FileError, match=r"ttbar_had\.root: .*FatJat"):
        score(folder, [str(source)], tmp_path / "scores.npz")
    result = CliRunner().invoke(app, ["score", str(folder), str(source), "-o", str(tmp_path / "scores.npz")])
    assert result.exit_code == 1
    assert not (tmp_path / "scores.npz").exists()


def test_a_feature_that_a_file_cannot_have_is_named(
    folders: dict[str, Path], recipe: Recipe, tmp_path: Path
) -> None:
    """NanoAOD has no b-tags, only scores, and here no impact parameters: trees that cut on them would see zeros."""
    source = str(shared_data("delphes_formats/foreign_nanoaod_v15_200_events.root"))
    other = recipe.model_copy(update={"reading": recipe.reading.model_copy(update={"format": "auto"})})
    trees = changed(folders["trees"], tmp_path / "auto", recipe=other.model_dump(mode="json"))
    with pytest.raises(
        FileError, match=r"'trees' learnt from '\w+' \(stream '\w+'\), which this file has not"
    ):
        score(trees, [source], tmp_path / "scores.npz")
    features = load_model(folders["trees"]).manifest["features"]
    constant = {name: stream["features"] for name, stream in features["streams"].items()}
    constant["event"] = features["event"]["features"]
    blind = changed(trees, tmp_path / "seed1", constant_features=constant)
    score(blind, [source], tmp_path / "scores.npz")  # it learnt from none of them, and loses nothing


def test_a_file_without_jets_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    source = str(shared_data("delphes_formats/foreign_no_jets_1000_events.root"))
    with pytest.raises(FileError, match="has no jet collection 'FatJet'"):
        score(folders["network"], [source], tmp_path / "scores.npz")


def test_a_broken_file_is_never_left_out_silently(
    folders: dict[str, Path], recipe: Recipe, tmp_path: Path
) -> None:
    lenient = recipe.reading.model_copy(update={"broken_files": "skip"})
    other = recipe.model_copy(update={"reading": lenient}).model_dump(mode="json")
    folder = changed(folders["trees"], tmp_path / "seed1", recipe=other)
    (tmp_path / "short.root").write_bytes((DEMO / "ttbar_had.root").read_bytes()[:5000])
    with pytest.raises(FileError, match=r"short\.root"):
        score(folder, [str(tmp_path / "short.root")], tmp_path / "scores.npz")


def test_what_varies_is_recorded(folders: dict[str, Path]) -> None:
    manifest = json.loads((folders["trees"] / "manifest.json").read_text())
    assert "n_matched_b_tags" not in manifest["constant_features"]["kinematics"]
    assert set(manifest["constant_features"]) == {"kinematics", "objects", "event"}


def test_a_model_that_does_not_know_its_features_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = changed(folders["trees"], tmp_path / "seed1", recipe=None)
    with pytest.raises(FileError, match="does not say how the features were made"):
        score(folder, [str(DEMO / "ttbar_had.root")], tmp_path / "scores.npz")
