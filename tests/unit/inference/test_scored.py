"""The scored events: every event once, by networks that never saw it, with the observables of the skim."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pyarrow.parquet as pq
import pytest

from jetlens.config.evaluation import EvaluationConfig
from jetlens.config.folds import roles
from jetlens.errors import FileError
from jetlens.evaluation import evaluate
from jetlens.evaluation.scores import read_scores
from jetlens.features.featurefile import FeatureSet
from jetlens.features.normalisation import Normalisation
from jetlens.inference.scored import PartFiles, Scorer, rotations_of_folds, write_events
from jetlens.skim.parquet import read_skim

OBSERVABLES = {"mass_jj": "(fat_jets[0] + fat_jets[1]).mass", "n_tags": "num(b_jets)"}


def manifests(rotations: int, seeds: int = 2, locked: tuple[int, ...] = ()) -> list[dict[str, Any]]:
    return [
        {
            "variant": "v",
            "seed": seed,
            "rotation": rotation,
            "folds": roles(10, [0, 1], [2], rotation, locked),
            "features": {"locked_folds": list(locked)},
        }
        for seed in range(seeds)
        for rotation in range(rotations)
    ]


def test_a_fold_is_scored_by_those_that_never_trained_on_it() -> None:
    assert rotations_of_folds(manifests(1)) == {0: [0], 1: [0], 2: [0]}
    whole = rotations_of_folds(manifests(5))
    assert whole == {fold: [fold // 2] for fold in range(10)}
    # fold 4 is validated on by rotation 1, fold 2 is tested by it
    assert rotations_of_folds(manifests(2)) == {0: [0], 1: [0], 2: [1], 3: [1], 4: [1]}
    assert set(rotations_of_folds(manifests(1, locked=(9,)))) == {0, 1, 2}
    assert rotations_of_folds(manifests(2, locked=(9,)), unlock=True)[9] == [0, 1]


@pytest.mark.parametrize("rotations", [1, 2, 5])
@pytest.mark.parametrize("locked", [(), (8, 9)])
def test_nobody_scores_what_it_was_trained_on(rotations: int, locked: tuple[int, ...]) -> None:
    if rotations == 5 and locked:
        return  # there are no so many rotations of the eight folds that are left
    every = manifests(rotations, locked=locked)
    for fold, entitled in rotations_of_folds(every, unlock=True).items():
        for entry in every:
            assert entry["rotation"] not in entitled or fold not in entry["folds"]["training"]


def test_a_manifest_that_contradicts_the_rotations_is_refused() -> None:
    every = manifests(2)
    every[1]["folds"]["training"].append(every[1]["folds"]["test"][0])
    with pytest.raises(FileError, match="was trained on fold 2"):
        rotations_of_folds(every)


def test_events_have_the_scores_of_the_evaluation_and_the_skims_observables(
    demo_features: dict[str, Path], normalisation: Normalisation, demo_trees: list[Path], tmp_path: Path
) -> None:
    folder = demo_features["ttbar_had"]
    evaluate(
        demo_trees,
        list(demo_features.values()),
        tmp_path,
        variant="trees",
        normalisation=normalisation,
        evaluation=EvaluationConfig(bootstrap=2),
    )
    scorer = Scorer(demo_trees, tmp_path / "scores.npz")
    output = tmp_path / "ttbar_had.parquet"
    files = PartFiles(folder, folder.with_suffix(".parquet"))
    rows = write_events(
        [files, files],
        output,
        scorer=scorer,
        observables=OBSERVABLES,
        definitions={"b_jets": "jets[jets.b_tag]"},
    )
    found = pq.read_table(output).to_pandas()
    assert rows == len(found)
    assert list(found) == ["event_number", "fold", "weight", "score", *OBSERVABLES]
    features = FeatureSet.read(folder, scorer.streams)
    own = np.isin(features.fold, [0, 1, 2])
    found = found[: rows // 2]
    assert found.event_number.tolist() == features.event_number[own].tolist()
    assert found.fold.tolist() == features.fold[own].tolist()
    assert np.array_equal(found.weight, features.weight[own])
    scores = read_scores(tmp_path / "scores.npz")
    of_sample = scores.sample_names[scores.sample] == "ttbar_had"
    expected = dict(zip(scores.event_number[of_sample], scores.ensemble[of_sample], strict=True))
    tested = found[found.fold < 2]
    assert len(tested) == len(expected)
    assert np.allclose(tested.score, [expected[n] for n in tested.event_number], atol=1e-6)
    skim = read_skim(files.skim)[own]
    assert np.allclose(
        found.mass_jj.to_numpy(), ak.to_numpy((skim.fat_jets[:, 0] + skim.fat_jets[:, 1]).mass)
    )
    assert np.array_equal(found.n_tags.to_numpy(), ak.to_numpy(ak.sum(skim.jets.b_tag, axis=1)))
