"""The whole chain on real files, and what runs again after a change."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable

import numpy as np
import pytest

from jetlens.config.load import load
from jetlens.evaluation.scores import read_scores
from jetlens.features.featurefile import FeatureSet
from tests.conftest import ROOT
from tests.workflow.conftest import Workspace

pytestmark = pytest.mark.workflow


def test_every_contracted_file_is_there(finished: Workspace) -> None:
    expected = [
        "index.html",
        "report.html",
        "manifest.json",
        "skim/cutflow.csv",
        "evaluation/summary.csv",
        "evaluation/comparison.csv",
        "evaluation/locked.csv",
        "inference/significance.csv",
    ]
    for sample in finished.rows:
        if sample["role"] == "application":
            continue
        part = sample["files"].rsplit("/", 1)[-1].removesuffix(".root")
        expected += [f"skim/{sample['sample']}/{part}{suffix}" for suffix in (".parquet", ".cutflow.json")]
        streams = ("event", "jet1", "jet2", "kinematics")
        expected += [f"features/{sample['sample']}/{part}/{name}.npz" for name in streams]
    for variant in ("cross_attention_three_stream", "gradient_boosting"):
        expected += [f"training/{variant}/seed1/{name}" for name in ("history.csv", "manifest.json")]
        expected += [f"evaluation/{variant}/{name}" for name in ("scores.npz", "metrics.json", "roc.csv")]
    expected += [
        f"explanation/cross_attention_three_stream/{name}"
        for name in (
            "leave_one_out.npz",
            "relevance.npz",
            "attention.npz",
            "gradcam.npz",
            "faithfulness.json",
            "believed.html",
        )
    ]
    missing = [name for name in expected if not finished.results(name).is_file()]
    assert not missing


def test_nothing_half_written_is_left(finished: Workspace) -> None:
    hidden = [str(path) for path in finished.results().rglob(".*") if path.is_file()]
    assert not hidden


def test_the_cutflow_counts(finished: Workspace) -> None:
    with finished.results("skim", "cutflow.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    events = {(row["sample"], row["cut"]): int(row["events"]) for row in rows}
    samples = ("signal_H1000", "qcd_4b", "qcd_jj", "ttbar_had")
    first, last = (cut["cut"] for cut in (rows[0], [row for row in rows if row["sample"] == samples[0]][-1]))
    assert [events[name, first] for name in samples] == [1000, 700, 700, 900]
    assert [events[name, last] for name in samples] == [918, 396, 334, 594]


def test_no_test_event_is_trained_on(finished: Workspace) -> None:
    """Scored are all events of the test folds; trained and validated on are all others, and no more."""
    split = load(ROOT / "config" / "config.yaml").features.split
    folds, numbers = [], []
    for path in sorted(finished.results("features").rglob("event.npz")):
        features = FeatureSet.read(path.parent, [])
        folds.append(features.fold)
        numbers.append(features.event_number[np.isin(features.fold, split.test)])
    fold = np.concatenate(folds)
    for variant in ("cross_attention_three_stream", "gradient_boosting"):
        manifest = json.loads(finished.results("training", variant, "seed1", "manifest.json").read_text())
        used = {role: sum(counts.values()) for role, counts in manifest["events"].items()}
        validation = int(np.isin(fold, split.validation).sum())
        training = int((~np.isin(fold, [*split.test, *split.validation, *split.locked])).sum())
        assert used == {"training": training, "validation": validation}
        with np.load(finished.results("evaluation", variant, "scores.npz"), allow_pickle=False) as scores:
            assert sorted(scores["event_number"].tolist()) == sorted(np.concatenate(numbers).tolist())


def test_an_application_sample_is_scored_as_the_evaluation_scores(finished: Workspace) -> None:
    """Its events are those of tt̄ under another name: event by event the same logits, and nothing else knows of it."""
    for variant in ("cross_attention_three_stream", "gradient_boosting"):
        scores = read_scores(finished.results("evaluation", variant, "scores.npz"))
        with np.load(finished.results("application", variant, "recorded", "recorded.npz")) as applied:
            # as the evaluation's: on the common scale of the rotations
            mean = applied["logits"].astype(np.float64).mean(axis=0)
            scaled = scores.scale.apply(mean, np.array([0]))
            logit = dict(zip(applied["event_number"].tolist(), scaled.tolist(), strict=True))
        assert "recorded" not in scores.sample_names
        own = scores.sample_names[scores.sample] == "ttbar_had"
        expected = scores.ensemble[own]
        np.testing.assert_allclose([logit[n] for n in scores.event_number[own].tolist()], expected, atol=1e-5)
    assert not finished.results("skim", "recorded").exists()
    with finished.results("application", "summary.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 2 * 3
    for row in rows:
        assert (row["generated_events"], row["yield"]) == ("900", "")
        assert float(row["efficiency"]) == pytest.approx(
            int(row["passing_events"]) / 900, rel=1e-5
        )  # six digits


def test_a_second_run_has_nothing_to_do(finished: Workspace) -> None:
    assert "Nothing to be done" in finished.snakemake().stdout


def test_a_deleted_figure_is_rebuilt_alone(finished: Workspace) -> None:
    figure = finished.results("figures", "roc.png")
    content = figure.read_bytes()
    figure.unlink()
    done = finished.snakemake()
    assert done.returncode == 0, done.stdout
    assert figure.read_bytes() == content, "the same numbers must give the same file"
    assert re.search(r"  1/\d+  .*ROC", done.stdout), done.stdout
    steps = re.findall(r"^\S+  \d+/\d+  (.*)$", done.stdout, flags=re.MULTILINE)
    assert len(steps) <= 4, steps  # the figure, and what shows or lists it


def test_too_many_rotations_are_refused(new_workspace: Callable[[], Workspace]) -> None:
    workspace = new_workspace()
    workspace.config["training"]["k_fold"] = 6
    done = workspace.snakemake("--dry-run")
    assert done.returncode != 0
    assert "training.k_fold: 6 rotations" in done.stdout
    assert "Traceback" not in done.stdout


def test_a_killed_run_goes_on(new_workspace: Callable[[], Workspace]) -> None:
    """What a killed job leaves is not mistaken for a result."""
    workspace = new_workspace()
    target = f"results/{workspace.config['analysis']}/skim/qcd_jj/qcd_jj.parquet"
    assert workspace.snakemake(target).returncode == 0
    path = workspace.folder / target
    first = path.read_bytes()
    stray = path.with_name(".qcd_jj.partial.parquet")
    stray.write_bytes(first[:1000])
    path.unlink()
    done = workspace.snakemake(target)
    assert done.returncode == 0, done.stdout
    assert path.read_bytes() == first
