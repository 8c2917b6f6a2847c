"""The scored events: every event once, by networks that never saw it, with the observables of the skim."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pyarrow.parquet as pq
import pytest

from jetlens.config.evaluation import EvaluationConfig
from jetlens.config.folds import roles
from jetlens.config.load import load
from jetlens.config.variations import ObjectVariation
from jetlens.errors import FileError
from jetlens.evaluation import evaluate
from jetlens.evaluation.scores import read_scores
from jetlens.features import build_event, build_stream
from jetlens.features.featurefile import FeatureSet
from jetlens.features.normalisation import Normalisation
from jetlens.files import read_json, write_json
from jetlens.hashing import identities
from jetlens.inference.data import write_data
from jetlens.inference.scored import PartFiles, Scorer, rotations_of_folds, write_events
from jetlens.inference.selected import read_selected
from jetlens.inference.templates import fill_region
from jetlens.inference.weights import read_factors, sides_of, write_weights
from jetlens.skim import Target, vary_file
from jetlens.skim.parquet import read_skim
from jetlens.trained import score
from jetlens.trained.recipe import Recipe
from tests.conftest import DEMO, ROOT

OBSERVABLES = {"mass_jj": "(fat_jets[0] + fat_jets[1]).mass", "n_tags": "num(b_jets)"}


@pytest.fixture(scope="module")
def scores_file(
    demo_features: dict[str, Path],
    normalisation: Normalisation,
    demo_trees: list[Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """The evaluation's scores of the demo's trees."""
    folder = tmp_path_factory.mktemp("evaluation")
    evaluate(
        demo_trees,
        list(demo_features.values()),
        folder,
        variant="trees",
        normalisation=normalisation,
        evaluation=EvaluationConfig(bootstrap=2),
    )
    return folder / "scores.npz"


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
    assert rotations_of_folds(manifests(1)) == {0: 0, 1: 0, 2: 0}
    whole = rotations_of_folds(manifests(5))
    assert whole == {fold: fold // 2 for fold in range(10)}
    # fold 4 is validated on by rotation 1, fold 2 is tested by it
    assert rotations_of_folds(manifests(2)) == {0: 0, 1: 0, 2: 1, 3: 1, 4: 1}
    assert set(rotations_of_folds(manifests(1, locked=(9,)))) == {0, 1, 2}
    assert rotations_of_folds(manifests(2, locked=(9,)), unlock=True)[9] == 1


def test_data_are_scored_by_as_many_networks_as_the_simulation_whatever_their_fold() -> None:
    every = manifests(2, locked=(8, 9))
    data = rotations_of_folds(every, data=True)
    unlocked = rotations_of_folds(every, unlock=True)
    assert set(data) == set(range(256))
    assert all(data[fold] == rotation for fold, rotation in unlocked.items())
    assert [data[fold] for fold in (6, 7, 8, 9)] == [0, 1, 0, 1]


@pytest.mark.parametrize("rotations", [1, 2, 5])
@pytest.mark.parametrize("locked", [(), (8, 9)])
def test_nobody_scores_what_it_was_trained_on(rotations: int, locked: tuple[int, ...]) -> None:
    if rotations == 5 and locked:
        return  # there are no so many rotations of the eight folds that are left
    every = manifests(rotations, locked=locked)
    for fold, scoring in rotations_of_folds(every, unlock=True).items():
        for entry in every:
            assert entry["rotation"] != scoring or fold not in entry["folds"]["training"]


def test_a_manifest_that_contradicts_the_rotations_is_refused() -> None:
    every = manifests(2)
    every[1]["folds"]["training"].append(every[1]["folds"]["test"][0])
    with pytest.raises(FileError, match="was trained on fold 2"):
        rotations_of_folds(every)


def test_events_have_the_scores_of_the_evaluation_and_the_skims_observables(
    demo_features: dict[str, Path], demo_trees: list[Path], scores_file: Path, tmp_path: Path
) -> None:
    folder = demo_features["ttbar_had"]
    scorer = Scorer(demo_trees, scores_file)
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
    assert list(found) == ["event", "event_number", "fold", "weight", "score", *OBSERVABLES]
    features = FeatureSet.read(folder, scorer.streams)
    own = np.isin(features.fold, [0, 1, 2])
    found = found[: rows // 2]
    assert found.event_number.tolist() == features.event_number[own].tolist()
    assert found.fold.tolist() == features.fold[own].tolist()
    assert np.array_equal(found.weight, features.weight[own])
    scores = read_scores(scores_file)
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


def test_events_of_two_files_are_two_events_though_their_numbers_are_the_same(
    demo_features: dict[str, Path], demo_trees: list[Path], scores_file: Path, tmp_path: Path
) -> None:
    """As of Delphes, which counts from the first event of each file: their weights are squared one by one."""
    config = load(ROOT / "config" / "config.yaml")
    skim = demo_features["ttbar_had"].with_suffix(".parquet")
    parts = []
    for part in ("first", "second"):
        parts.append(PartFiles(tmp_path / part, skim))
        common: dict[str, Any] = {"sample": "ttbar_had", "part": part}
        build_event(
            skim, parts[-1].features / "event.npz", recipe=config.features.event_recipe(), label=0, **common
        )
        stream = config.features.stream_recipe("kinematics")
        build_stream(skim, parts[-1].features / "kinematics.npz", recipe=stream, **common)
    regions = []
    for name, files in (("one", parts[:1]), ("both", parts)):
        output = tmp_path / f"{name}.parquet"
        write_events(
            files,
            output,
            scorer=Scorer(demo_trees, scores_file),
            observables={"mass_jj": OBSERVABLES["mass_jj"]},
        )
        events = read_selected(output, ["mass_jj"])
        assert len(np.unique(events.number)) == len(events)
        regions.append(fill_region(name, {"p": {"nominal": events.events("mass_jj")}}, [0, 800, 1100, 5000]))
    one, both = regions
    assert one.values("p").all()
    np.testing.assert_allclose(both.values("p"), 2 * one.values("p"))
    np.testing.assert_allclose(both.variances("p"), 2 * one.variances("p"))


def test_data_are_scored_whole_as_new_files_are(
    demo_features: dict[str, Path], demo_trees: list[Path], scores_file: Path, tmp_path: Path
) -> None:
    """The recipe of a training is wanted, which those of the fixtures lack: they are given the demo's."""
    config = load(ROOT / "config" / "config.yaml")
    models = []
    for folder in demo_trees:
        models.append(Path(shutil.copytree(folder, tmp_path / "trees" / folder.name)))
        manifest = read_json(folder / "manifest.json")
        recipe = Recipe(
            reading=config.reading, skim=config.skim, features=config.features.of(["kinematics"]), define={}
        )
        write_json(models[-1] / "manifest.json", manifest | {"recipe": recipe.model_dump(mode="json")})
    source, output = str(DEMO / "ttbar_had.root"), tmp_path / "recorded.parquet"
    rows = write_data(
        models,
        scores_file,
        [source],
        output,
        observables=OBSERVABLES,
        definitions={"b_jets": "jets[jets.b_tag]"},
    )
    assert score(models, [source], tmp_path / "new.npz") == rows == 594
    with np.load(tmp_path / "new.npz", allow_pickle=False) as new:
        found = pq.read_table(output).to_pandas()
        assert found.event_number.tolist() == new["event_number"].tolist()
        scale = read_scores(scores_file).scale
        expected = scale.apply(new["logit"].astype(float), np.zeros(rows, np.uint8))
    assert np.allclose(found.score, expected, atol=1e-5)
    skim = read_skim(demo_features["ttbar_had"].with_suffix(".parquet"))
    assert np.array_equal(found.n_tags.to_numpy(), ak.to_numpy(ak.sum(skim.jets.b_tag, axis=1)))


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> PartFiles:
    """The events of ``ttbar_had`` with jets moved up, as the workflow makes them."""
    config = load(ROOT / "config" / "config.yaml")
    folder = tmp_path_factory.mktemp("twins") / "ttbar_had@jet_scale_up"
    source, files = DEMO / "ttbar_had.root", PartFiles(folder, folder.with_suffix(".parquet"))
    moves = ObjectVariation(kind="objects", scale={"jets": 1.1, "fat_jets": 1.1}).moves()["up"]
    common: dict[str, Any] = {"sample": "ttbar_had", "part": "ttbar_had"}
    vary_file(
        str(source),
        [Target(files.skim, folder.with_suffix(".json"), moves)],
        variation="jet_scale",
        reading=config.reading,
        skim=config.skim,
        **common,
    )
    folder.mkdir()
    build_event(files.skim, folder / "event.npz", recipe=config.features.event_recipe(), label=0, **common)
    recipe = config.features.stream_recipe("kinematics")
    build_stream(files.skim, folder / "kinematics.npz", recipe=recipe, **common)
    return files


def test_no_varied_event_is_scored_by_what_its_nominal_twin_trained(
    demo_features: dict[str, Path],
    demo_trees: list[Path],
    scores_file: Path,
    twins: PartFiles,
    tmp_path: Path,
) -> None:
    """On event numbers: of those whose twins were trained on none has a score, nor has any event of their folds."""
    scorer = Scorer(demo_trees, scores_file)
    output = tmp_path / "ttbar_had@jet_scale_up.parquet"
    write_events([twins], output, scorer=scorer, observables={"mass_jj": OBSERVABLES["mass_jj"]})
    found = pq.read_table(output).to_pandas()
    nominal = FeatureSet.read(demo_features["ttbar_had"], scorer.streams)
    trained = set(read_json(demo_trees[0] / "manifest.json")["folds"]["training"])
    seen = set(nominal.event_number[np.isin(nominal.fold, list(trained))].tolist())
    assert len(seen) > 100
    assert not seen & set(found.event_number)
    fold_of = dict(zip(nominal.event_number.tolist(), nominal.fold.tolist(), strict=True))
    both = [number for number in found.event_number if number in fold_of]
    assert len(both) > 100
    assert all(fold_of[n] == f for n, f in zip(found.event_number, found.fold, strict=True) if n in fold_of)
    # what comes into the selection by the variation was trained on by nobody, and is scored by its own fold's networks
    new = set(found.event_number) - set(fold_of)
    assert new
    assert set(found.fold) <= set(scorer.rotations)


def test_factors_are_of_every_event_in_the_order_of_the_skim(
    demo_features: dict[str, Path], tmp_path: Path
) -> None:
    parts = {
        name: [PartFiles(demo_features[name], demo_features[name].with_suffix(".parquet"))]
        for name in ("qcd_4b", "ttbar_had")
    }
    output = tmp_path / "tags.parquet"
    factors = {"up": "1 + 0.1 * num(b_jets)", "down": "prod(where(jets.b_tag, 0.9, 1))"}
    write_weights(parts, output, factors=factors, definitions={"b_jets": "jets[jets.b_tag]"})
    assert sides_of(output) == ["up", "down"]
    for name, ((folder, skim),) in parts.items():
        events, own = read_skim(skim), FeatureSet.read(folder, [])
        number = identities(own.metadata.part, own.event_number)
        tags = ak.to_numpy(ak.sum(events.jets.b_tag, axis=1))
        for side, expected in (("up", 1 + 0.1 * tags), ("down", 0.9**tags)):
            assert np.allclose(read_factors(output, name, side, number, own.fold), expected)
    assert not np.allclose(read_factors(output, "ttbar_had", "up", number, own.fold), 1)
    with pytest.raises(FileError, match=r"'jets\[12\].pt' is missing in \d+ of"):
        write_weights(parts, output, factors={"up": "jets[12].pt"})
