import csv
import dataclasses
import json
import warnings

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from jetlens.config.evaluation import EvaluationConfig
from jetlens.errors import FileError, JetlensWarning, NoEventsError
from jetlens.evaluation import compare, evaluate, summarise
from jetlens.evaluation.locked import confirm
from jetlens.evaluation.rejection import background_rejection, working_point
from jetlens.evaluation.scores import Scores, read_scores, write_scores
from jetlens.evaluation.stage import measure, write_roc
from jetlens.evaluation.summary import SUMMARY_COLUMNS
from jetlens.features.featurefile import FeatureSet
from jetlens.files import read_json, write_json
from jetlens.inference.yields import write_significance

SETTINGS = EvaluationConfig(bootstrap=100)


@pytest.fixture(scope="module")
def evaluated(demo_features, normalisation, demo_trees, tmp_path_factory):
    output = tmp_path_factory.mktemp("evaluation") / "gradient_boosting"
    evaluate(
        demo_trees,
        list(demo_features.values()),
        output,
        variant="gradient_boosting",
        normalisation=normalisation,
        evaluation=SETTINGS,
    )
    return output


def toy_scores(seed, seeds=2, distance=2.0):
    rng = np.random.default_rng(seed)
    label = np.repeat([1, 0], [150, 250]).astype(np.int8)
    logits = rng.normal(size=(seeds, 400)) + distance * label
    return Scores(
        logits=logits,
        ensemble=logits.mean(axis=0),
        seeds=np.arange(seeds),
        label=label,
        weight=np.where(label == 1, 0.1, 30.0),
        event_number=np.arange(400),
        rotation=np.zeros(400, dtype=np.uint8),
        sample=(1 - label).astype(np.int16),
        sample_names=np.array(["s", "b"]),
        process_names=np.array(["S", "B"]),
        sample_expected=np.array([15.0, 7500.0]),
        seed_offset=np.zeros((seeds, 1)),
        seed_slope=np.ones((seeds, 1)),
        ensemble_offset=np.zeros(1),
        ensemble_slope=np.ones(1),
        validation_ensemble=logits.mean(axis=0)[::2],
        validation_label=label[::2],
        validation_weight=np.where(label == 1, 0.2, 60.0)[::2],
        validation_sample=(1 - label).astype(np.int16)[::2],
        validation_rotation=np.zeros(200, dtype=np.uint8),
    )


def write_evaluation(folder, variant, scores):
    write_scores(folder / "scores.npz", scores)
    write_roc(folder / "roc.csv", scores, SETTINGS)
    content = {"variant": variant, "seeds": scores.seeds.tolist(), "parameters": 7, "training_seconds": 1.5}
    write_json(folder / "metrics.json", content | measure(scores, SETTINGS))
    return folder


def test_only_test_folds_are_scored_and_all_of_them(evaluated, demo_features, normalisation):
    scores = read_scores(evaluated / "scores.npz")
    for path in demo_features.values():
        features = normalisation.apply(FeatureSet.read(path))
        test = np.isin(features.fold, features.metadata.test_folds)
        sample = scores.sample_names.tolist().index(features.metadata.sample)
        own = scores.sample == sample
        np.testing.assert_array_equal(scores.event_number[own], features.event_number[test])
        # the test events stand for the whole sample, to the last digit: as the cutflow says
        assert scores.weight[own].sum() == pytest.approx(features.weight.sum())
        assert scores.sample_expected[sample] == pytest.approx(features.weight.sum())


def test_metrics_agree_with_an_independent_calculation(evaluated):
    scores, metrics = read_scores(evaluated / "scores.npz"), read_json(evaluated / "metrics.json")
    areas = [roc_auc_score(scores.label, row) for row in scores.logits]
    assert metrics["auc"] == pytest.approx(np.mean(areas), abs=1e-6)
    assert metrics["auc_spread"] == pytest.approx(np.std(areas, ddof=1), abs=1e-6)
    assert metrics["auc_interval"][0] < metrics["auc"] < metrics["auc_interval"][1]
    assert metrics["n_test"]["signal"] == (scores.label == 1).sum()
    weighted = [roc_auc_score(scores.label, row, sample_weight=scores.weight) for row in scores.logits]
    assert metrics["by_weights"]["physics"]["auc"] == pytest.approx(np.mean(weighted), abs=1e-6)
    assert metrics["auc"] > 0.8  # trees on real events do learn something
    assert set(metrics["auc_per_process"]) == {"qcd_4b", "ttbar_had"}
    assert set(metrics["background_rejection"]) == {"0.3", "0.5", "0.7"}
    shares = [working_point(row, scores.label, 0.7).background_efficiency for row in scores.logits]
    detail = metrics["background_rejection_detail"]["0.7"]
    assert detail["background_efficiency"] == pytest.approx(np.mean(shares), abs=1e-6)
    assert detail["is_limit"] or detail["low"] < detail["value"] < detail["high"]


def test_roc_table_passes_through_the_quoted_working_points(tmp_path):
    scores = toy_scores(0, seeds=1)  # 150 signal events: 0.3, 0.5 and 0.7 are exactly reached
    write_roc(tmp_path / "roc.csv", scores, SETTINGS)
    rows = {row["signal_efficiency"]: row for row in csv.DictReader((tmp_path / "roc.csv").open())}
    detail = measure(scores, SETTINGS)["background_rejection_detail"]
    for key, entry in detail.items():
        quoted = entry["per_seed"][0]
        assert quoted["signal_efficiency"] == pytest.approx(float(key), abs=1e-6)
        share = float(rows[f"{float(key):.6f}"]["background_efficiency"])
        assert share == pytest.approx(quoted["background_efficiency"], abs=2e-6)
    x, y = (
        np.array([float(row[k]) for row in rows.values()])
        for k in ("signal_efficiency", "background_efficiency")
    )
    assert (np.diff(y) >= 0).all()
    assert np.trapezoid(1 - y, x) == pytest.approx(roc_auc_score(scores.label, scores.logits[0]), abs=0.005)


def test_evaluation_repeats_byte_by_byte(evaluated, demo_features, normalisation, demo_trees, tmp_path):
    features = list(demo_features.values())
    evaluate(
        demo_trees,
        features,
        tmp_path,
        variant="gradient_boosting",
        normalisation=normalisation,
        evaluation=SETTINGS,
    )
    for name in ("scores.npz", "metrics.json", "roc.csv"):
        assert (tmp_path / name).read_bytes() == (evaluated / name).read_bytes()


def test_summary_has_the_promised_columns_in_the_order_given(tmp_path):
    folders = [
        write_evaluation(tmp_path / name, name, toy_scores(k)) for k, name in enumerate(("zeta", "alpha"))
    ]
    summarise(folders, tmp_path / "summary.csv")
    rows = list(csv.reader((tmp_path / "summary.csv").open()))
    assert tuple(rows[0]) == SUMMARY_COLUMNS
    assert [row[0] for row in rows[1:]] == ["zeta", "alpha"]
    auc, low, high = (float(rows[1][rows[0].index(name)]) for name in ("auc", "auc_low", "auc_high"))
    assert low < auc < high
    detail = read_json(folders[0] / "metrics.json")["background_rejection_detail"]["0.5"]
    for edge in ("low", "high"):
        assert float(rows[1][rows[0].index(f"rejection_50_{edge}")]) == pytest.approx(detail[edge], rel=1e-5)


def test_perfect_separation_gives_limits_never_infinities(tmp_path):
    folder = write_evaluation(tmp_path / "v", "v", toy_scores(0, distance=50.0))
    summarise([folder], tmp_path / "summary.csv")
    row = next(csv.DictReader((tmp_path / "summary.csv").open()))
    # 250 background events, none passes: 1 − 0.05^(1/250) at 95 %
    assert row["rejection_50"].startswith(">")
    assert float(row["rejection_50"][1:]) == pytest.approx(1 / (1 - 0.05 ** (1 / 250)), rel=0.03)
    assert "Infinity" not in (folder / "metrics.json").read_text()
    json.loads((folder / "metrics.json").read_text(), parse_constant=pytest.fail)


def test_comparison_of_every_pair(tmp_path):
    names = {"good": 3.0, "middle": 2.0, "poor": 0.5}
    folders = [write_evaluation(tmp_path / n, n, toy_scores(1, distance=d)) for n, d in names.items()]
    compare(folders, tmp_path / "comparison.csv", evaluation=SETTINGS)
    rows = list(csv.DictReader((tmp_path / "comparison.csv").open()))
    assert [(row["first"], row["second"]) for row in rows] == [
        ("good", "middle"),
        ("good", "poor"),
        ("middle", "poor"),
    ]
    for row in rows:
        difference, error, z = (float(row[key]) for key in ("auc_difference", "error", "z"))
        assert difference > 0 < error
        # Student's tails apart: those of 400 events' own variance, too, far out
        assert z == pytest.approx(difference / error, rel=0.35 if difference < 10 * error else 0.6)
        assert row["comparisons"] == "3"
        assert float(row["p_value"]) == pytest.approx(2 * norm.sf(z), rel=0.02)
        assert float(row["p_value"]) <= float(row["p_value_holm"]) <= min(1, 3 * float(row["p_value"]) * 1.01)


def test_comparison_refuses_different_events(tmp_path):
    first, second = toy_scores(0), toy_scores(1)
    other = Scores(**{**vars(second), "event_number": second.event_number + 1})
    folders = [write_evaluation(tmp_path / "a", "a", first), write_evaluation(tmp_path / "b", "b", other)]
    with pytest.raises(FileError, match="different test events"):
        compare(folders, tmp_path / "comparison.csv", evaluation=SETTINGS)
    assert not (tmp_path / "comparison.csv").exists()


def test_scores_that_are_not_finite_are_refused(tmp_path):
    scores = toy_scores(0)
    scores.logits[0, 3] = np.nan
    with pytest.raises(FileError, match=r"1 of 400 events.*learning_rate"):
        write_scores(tmp_path / "scores.npz", scores)
    assert not list(tmp_path.iterdir())


def test_damaged_score_files_are_named(tmp_path):
    path = tmp_path / "scores.npz"
    with pytest.raises(FileError, match="does not exist"):
        read_scores(path)
    write_scores(path, toy_scores(0))
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(FileError, match="damaged"):
        read_scores(path)
    np.savez(path, logits=np.zeros(3))
    with pytest.raises(FileError, match="no score file"):
        read_scores(path)


def test_a_class_without_test_events_is_an_error(demo_features, normalisation, demo_trees, tmp_path):
    with pytest.raises(NoEventsError, match="no background event"):
        evaluate(
            demo_trees,
            [demo_features["signal_H1000"]],
            tmp_path,
            variant="v",
            normalisation=normalisation,
            evaluation=SETTINGS,
        )
    assert not list(tmp_path.iterdir())


def test_k_fold_scores_every_event_by_a_network_that_never_saw_it(demo_features, normalisation, tmp_path):
    """And each network's scores are its own: trees score rows one by one, whatever the others."""
    from pydantic import TypeAdapter

    from jetlens.config.models import ModelOptions
    from jetlens.config.training import TrainingConfig
    from jetlens.trained import load_model
    from jetlens.training import train

    content = {"kind": "gradient_boosting", "streams": ["kinematics"], "iterations": 20}
    options, files = TypeAdapter(ModelOptions).validate_python(content), list(demo_features.values())
    folders = []
    for rotation in range(5):
        folders.append(tmp_path / f"seed1_rotation{rotation}")
        settings = TrainingConfig(variants=["trees"], seeds=[1])
        train(
            files, folders[-1], variant="trees", options=options, training=settings, seed=1, rotation=rotation
        )
    evaluate(
        folders,
        files,
        tmp_path / "evaluation",
        variant="trees",
        normalisation=normalisation,
        evaluation=SETTINGS,
    )
    scores = read_scores(tmp_path / "evaluation" / "scores.npz")
    whole = [normalisation.apply(FeatureSet.read(path)) for path in sorted(files)]
    locked = whole[0].metadata.locked_folds
    everything = [features.select(~np.isin(features.fold, locked)) for features in whole]
    assert len(scores) == sum(map(len, everything)) < sum(map(len, whole))
    assert scores.weight.sum() == pytest.approx(sum(features.weight.sum() for features in whole))
    fold = np.concatenate([features.fold for features in everything])
    medians, widths = [], []
    for rotation, folder in enumerate(folders):
        folds = read_json(folder / "manifest.json")["folds"]
        own = scores.rotation == rotation
        assert set(fold[own]) == set(folds["test"])
        assert not set(folds["test"]) & {*folds["training"], *folds["validation"]}
        assert not set(locked) & {*folds["training"], *folds["validation"], *folds["test"]}
        logits = np.concatenate([load_model(folder).predict_logits(features) for features in everything])
        offset, slope = scores.seed_offset[0, rotation], scores.seed_slope[0, rotation]
        np.testing.assert_allclose(scores.logits[0, own], offset + slope * logits[own], rtol=1e-6)
        background = np.concatenate([features.label for features in everything]) == 0
        validated = offset + slope * logits[background & np.isin(fold, folds["validation"])]
        medians.append(np.median(validated))
        widths.append(np.subtract(*np.quantile(validated, [0.841345, 0.158655])))
    np.testing.assert_allclose(medians, medians[0], rtol=1e-5)
    np.testing.assert_allclose(widths, widths[0], rtol=1e-5)
    confirmed = tmp_path / "locked.csv"
    paths = (folders, files, tmp_path / "evaluation" / "scores.npz", confirmed)
    confirm(*paths, variant="trees", normalisation=normalisation, evaluation=SETTINGS)
    row = next(csv.DictReader(confirmed.open()))
    in_locked = [int(np.isin(f.fold, locked).sum()) for f in whole]
    assert int(row["signal_events"]) + int(row["background_events"]) == sum(in_locked)
    assert abs(float(row["auc"]) - read_json(tmp_path / "evaluation" / "metrics.json")["auc"]) < 4 * float(
        row["auc_error"]
    )
    assert [len(r) for r in (medians, widths)] == [5, 5]
    metrics = read_json(tmp_path / "evaluation" / "metrics.json")
    assert len(metrics["auc_per_rotation"]) == 5
    assert metrics["auc"] == pytest.approx(np.mean(metrics["auc_per_rotation"]), abs=0.02)


def test_equal_seeds_are_one_seed_to_a_rejection():
    label = np.repeat([1, 0], [40, 100])
    one = np.concatenate([np.full(40, 2.0), np.full(4, 3.0), np.zeros(96)])
    found = [background_rejection(logits, label, 0.5) for logits in (one[None], np.stack([one, one]))]
    assert found[0].value == found[1].value == 25
    assert found[0].low == pytest.approx(found[1].low, rel=0.02)


def test_the_curve_says_how_many_events_it_rests_on(tmp_path):
    scores = toy_scores(0, seeds=1)
    write_roc(tmp_path / "roc.csv", scores, SETTINGS)
    rows = list(csv.DictReader((tmp_path / "roc.csv").open()))
    for row in rows[20::20]:
        point = working_point(scores.logits[0], scores.label, float(row["signal_efficiency"]))
        assert float(row["background_events"]) == point.events


def test_features_with_weights_of_either_sign_go_through(demo_features, demo_trees, normalisation, tmp_path):
    """Every fourth event negative, from the feature files to yields: ranges hold, and the user is told."""
    files = []
    for name, folder in demo_features.items():
        features = FeatureSet.read(folder)
        flipped = features.weight * np.where(np.arange(len(features)) % 4 == 0, -1, 1)
        files.append(tmp_path / "features" / name)
        dataclasses.replace(features, weight=flipped).write(files[-1])
    settings = EvaluationConfig(bootstrap=50, weights="physics")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        evaluate(demo_trees, files, tmp_path, variant="v", normalisation=normalisation, evaluation=settings)
    assert any("of negative weight, count like" in str(each.message) for each in told)
    metrics = read_json(tmp_path / "metrics.json")
    assert all(
        0 <= each <= 1 for each in (metrics["auc"], *metrics["auc_interval"], *metrics["auc_per_seed"])
    )
    write_significance({"v": tmp_path / "scores.npz"}, tmp_path / "s.csv", background_uncertainty=0.1)
    rows = list(csv.DictReader((tmp_path / "s.csv").open()))
    everything = next(r for r in rows if r["signal_efficiency"] == "1.00" and r["class"] == "signal")
    assert float(everything["yield_low"]) < float(everything["yield"]) < float(everything["yield_high"])


def test_weights_of_either_sign_are_evaluated_and_warned_of(tmp_path):
    """As from an NLO generator, every fourth weight negative: figures of merit stay in their ranges."""
    scores = toy_scores(3, seeds=2, distance=4.0)
    sign = np.where((np.arange(400) % 4 == 0) & (scores.label == 0), -1, 1)
    flipped = dataclasses.replace(scores, weight=scores.weight * sign)
    settings = EvaluationConfig(bootstrap=100, weights="physics")
    with pytest.warns(JetlensWarning, match="250 background events, 62 of negative weight, count like 6"):
        metrics = measure(flipped, settings)
    assert metrics["n_effective"] == pytest.approx({"signal": 150, "background": 250 / 4}, rel=0.1)
    plain = measure(scores, settings)
    assert abs(metrics["auc"] - plain["auc"]) < 3 * metrics["auc_error"]
    for each in (
        metrics["auc"],
        *metrics["auc_interval"],
        *metrics["auc_per_seed"],
        metrics["ensemble"]["auc"],
    ):
        assert 0 <= each <= 1
    write_roc(tmp_path / "roc.csv", flipped, settings)
    rows = list(csv.DictReader((tmp_path / "roc.csv").open()))
    shares = [float(row["background_efficiency"]) for row in rows]
    assert all(0 <= share <= 1 for share in shares)
    assert shares == sorted(shares)
