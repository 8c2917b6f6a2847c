"""Trees grown by LightGBM: stored as its text, scored alike, explained to the last digit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from jetlens.errors import FileError
from jetlens.features.featurefile import FeatureSet
from jetlens.trained import load_model, trees
from jetlens.training import boosting, train
from jetlens.training.data import Dataset

from .conftest import BOOSTING, model_options, training_config


@pytest.fixture(scope="module")
def folder(files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("trees")
    train(files, path, variant="gb", options=model_options(BOOSTING), training=training_config(), seed=1)
    return path


@pytest.fixture(scope="module")
def everything(files: list[Path]) -> FeatureSet:
    return FeatureSet.join([FeatureSet.read(f) for f in files])


def test_stored_trees_are_the_best_of_those_grown(files: list[Path], folder: Path) -> None:
    options = model_options(BOOSTING)
    sets = (Dataset(files, options.streams, role) for role in ("training", "validation"))  # type: ignore[arg-type]
    training, validation = (boosting.whole(data) for data in sets)
    grown = boosting.grow(training, validation, options, seed=1, threads=1)
    X = trees.columns(validation.inputs, options)
    assert np.isnan(X).any()  # missing objects go through the trees as such
    kept = trees.logits(trees.read(folder / "model.txt"), X)
    expected = grown.trees.predict(X, raw_score=True, num_iteration=grown.best)
    assert np.array_equal(kept, expected.astype(np.float32))  # a second growth gives the same digits
    w, y = validation.weight, validation.label
    loss = np.sum(w * (np.logaddexp(0, expected) - y * expected)) / np.sum(w)
    assert loss == pytest.approx(min(grown.curves["validation_loss"]), rel=1e-6)
    assert json.loads((folder / "manifest.json").read_text())["parameters"] == sum(
        2 * tree["num_leaves"] - 1 for tree in grown.trees.dump_model(num_iteration=grown.best)["tree_info"]
    )


def test_trained_folder_scores(folder: Path, everything: FeatureSet) -> None:
    model = load_model(folder)
    logits = model.predict_logits(everything, batch_size=100)
    assert logits.dtype == np.float32
    assert np.array_equal(logits, model.predict_logits(everything))
    assert logits[everything.label == 1].mean() > logits[everything.label == 0].mean() + 1
    assert sorted(p.name for p in folder.iterdir()) == ["history.csv", "manifest.json", "model.txt"]


def test_contributions_sum_to_the_logit_and_name_their_columns(folder: Path, everything: FeatureSet) -> None:
    model = load_model(folder)
    names, shares = model.contributions(everything)
    assert shares.shape == (len(everything), len(names) + 1)
    np.testing.assert_allclose(shares.sum(axis=1), model.predict_logits(everything), atol=1e-4)
    assert names[0] == "kinematics[fat_jets[0]].log_pt"
    assert len(set(names)) == len(names)
    strength = dict(zip(names, np.abs(shares[:, :-1]).mean(axis=0), strict=True))
    assert max(strength, key=strength.__getitem__).split(".")[-1] in (
        "n_matched_b_tags",
        "log_mass",
        "log_soft_drop_mass",
    )


@pytest.mark.parametrize("text", ["", "treasure\n", "tree\nversion=v4\n", None])
def test_damaged_trees_are_refused(folder: Path, tmp_path: Path, text: str | None) -> None:
    whole = (folder / "model.txt").read_text()
    (tmp_path / "model.txt").write_text(whole[: len(whole) // 2] if text is None else text)
    with pytest.raises(FileError, match="no stored gradient boosting"):
        trees.read(tmp_path / "model.txt")
