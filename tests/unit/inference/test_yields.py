"""Expected yields and significance: processes of which nothing passes, cuts from validation events, few events."""

import csv
import dataclasses

import numpy as np
import pytest

from jetlens.evaluation.scores import write_scores
from jetlens.inference.asimov import asimov_significance
from jetlens.inference.yields import COLUMNS, choose_cuts, significance, write_significance, yields
from tests.unit.evaluation.test_stage import toy_scores


@pytest.fixture
def scores():
    """Signal, one background with many events that pass, and 110 multijet events of 1.58e8 expected events each."""
    toy = toy_scores(1, seeds=1, distance=1.0)
    sample = np.where(toy.label == 1, 0, 1).astype(np.int16)
    sample[-110:] = 2
    logit = toy.ensemble.copy()
    logit[-110:] = -5 + np.linspace(0, 1, 110)
    weight = np.select([sample == 0, sample == 1], [40.0, 7.5e5], 1.58e8)
    return dataclasses.replace(
        toy,
        logits=logit[None],
        ensemble=logit,
        weight=weight,
        sample=sample,
        sample_names=np.array(["s", "tt", "qcd"]),
        process_names=np.array(["S", "tt", "QCD"]),
        sample_expected=np.bincount(sample, weight),
        validation_sample=sample[::2],
        validation_ensemble=logit[::2],
        validation_weight=2 * weight[::2],
    )


def rows_of(scores, folder, **more):
    write_scores(folder / "trees" / "scores.npz", scores)
    write_significance(
        {"trees": folder / "trees" / "scores.npz"}, folder / "s.csv", background_uncertainty=0.1, **more
    )
    with (folder / "s.csv").open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_a_process_of_which_nothing_passes_is_not_left_out(scores, tmp_path) -> None:
    rows = rows_of(scores, tmp_path)
    assert tuple(rows[0]) == COLUMNS
    qcd = next(row for row in rows if row["signal_efficiency"] == "0.40" and row["process"] == "QCD")
    assert (qcd["events"], qcd["yield"]) == ("0", "0")
    assert float(qcd["yield_limit_95"]) == pytest.approx(3.0 * 1.58e8, rel=0.01)  # 4.7e8, not nothing
    total = next(row for row in rows if row["signal_efficiency"] == "0.40" and row["class"] == "total")
    assert total["significance"] == ""
    assert total["remark"].startswith("not computable: QCD needs about ")
    assert total["remark"].endswith(" events (has 110)")


@pytest.mark.parametrize(("weight", "computable"), [(1e6, True), (1.58e8, False)])
def test_a_heavy_sample_is_missed_though_others_of_its_process_pass(scores, weight, computable) -> None:
    """Of the two backgrounds as one process ten events pass, none of them a heavy one."""
    names = np.array(["S", "B", "B"])
    weights = np.where(scores.sample == 2, weight, scores.weight)
    processes = yields(
        dataclasses.replace(scores, process_names=names, weight=weights), choose_cuts(scores)[0.4]
    )
    (background,) = (process for process in processes if not process.signal)
    assert background.passing.n_effective >= 10
    found = significance(processes, 0.1)
    assert (found.value is not None) is computable
    assert computable or found.remark.startswith("not computable: B needs about ")


@pytest.mark.parametrize(("expected", "computable"), [(1e6, True), (1e9, False)])
def test_a_sample_without_any_test_event_is_missed_though_others_of_its_process_have_some(
    scores, expected, computable
) -> None:
    light = dataclasses.replace(
        scores,
        weight=np.where(scores.sample == 2, 750.0, scores.weight),
        sample_names=np.append(scores.sample_names, "slice"),
        process_names=np.append(scores.process_names, "tt"),
        sample_expected=np.append(scores.sample_expected, expected),
    )
    found = significance(yields(light, choose_cuts(light)[0.4]), 0.1)
    assert (found.value is not None) is computable
    assert computable or found.remark.startswith("not computable: tt needs about ")


def test_of_a_process_none_of_which_passes_one_of_its_heaviest_sample_may(scores) -> None:
    """A hundred light events beside ten heavy ones: one more weighs as a heavy one, not as all do on average."""
    names = np.array(["s", "light", "heavy"])
    sample = np.where((scores.sample == 2) & (np.arange(len(scores.sample)) % 11 > 0), 1, scores.sample)
    weight = np.select([sample == 0, sample == 1], [40.0, 10.0], 1000.0)
    both = dataclasses.replace(
        scores,
        sample=sample.astype(np.int16),
        weight=weight,
        sample_names=names,
        process_names=np.array(["S", "B", "B"]),
    )
    (background,) = (p for p in yields(both, 1e3) if not p.signal)
    assert (background.passing.events, background.unseen) == (0, 1000.0)
    assert background.passing.limit == pytest.approx(3.0 * 1000.0, rel=0.01)


def test_what_is_needed_suffices(scores) -> None:
    """With as many multijet events as the remark asks for, of which none passes, Z is computed."""
    processes = yields(scores, choose_cuts(scores)[0.4])
    asked = int(significance(processes, 0.1).remark.split("about ")[1].split(" ")[0].replace(",", ""))
    qcd = next(process for process in processes if process.name == "QCD")
    for number, computable in ((1.1 * asked, True), (0.9 * asked, False)):
        limit = qcd.passing.limit * 110 / number
        more = dataclasses.replace(qcd, passing=dataclasses.replace(qcd.passing, limit=limit))
        z = significance([p if p is not qcd else more for p in processes], 0.1)
        assert (z.value is not None) is computable


def test_the_significance_of_enough_events_is_asimovs(scores) -> None:
    cut = choose_cuts(scores)[1.0] - 10  # everything passes
    processes = yields(scores, cut)
    assert [p.passing.value for p in processes] == pytest.approx(scores.sample_expected)
    s, b = 150 * 40.0, 140 * 7.5e5 + 110 * 1.58e8
    found = significance(processes, 0.1)
    assert found.value == pytest.approx(float(asimov_significance(s, b, 0.1 * b)))
    assert 0 < found.error < found.value


def test_cuts_come_from_validation_events_alone(scores) -> None:
    moved = dataclasses.replace(scores, ensemble=scores.ensemble + 1.0)
    assert choose_cuts(moved) == choose_cuts(scores)
    kept = scores.validation_ensemble[scores.validation_label == 1] >= choose_cuts(scores)[0.4]
    assert kept.mean() == pytest.approx(0.4, abs=0.01)


def test_one_cut_is_chosen_per_variant(scores, tmp_path) -> None:
    rows = rows_of(scores, tmp_path)
    assert len({row["signal_efficiency"] for row in rows if row["chosen"] == "1"}) == 1


def test_signals_of_several_masses_have_no_significance_together(scores, tmp_path) -> None:
    light = dataclasses.replace(scores, weight=np.where(scores.sample == 2, 750.0, scores.weight))
    assert any(row["significance"] for row in rows_of(light, tmp_path, masses=[1000.0]))
    rows = rows_of(light, tmp_path, masses=[1500.0, 800.0])
    assert not any(row["significance"] for row in rows)
    (remark,) = {row["remark"] for row in rows if row["class"] == "total"}
    assert remark.startswith("not computable: signals of 800, 1500 GeV are hypotheses apart")


def test_a_process_without_any_test_event_is_named(scores) -> None:
    without = dataclasses.replace(
        scores,
        sample_names=np.append(scores.sample_names, "w"),
        process_names=np.append(scores.process_names, "W"),
        sample_expected=np.append(scores.sample_expected, 5.0),
    )
    found = significance(yields(without, -100.0), 0.1)
    assert found.remark == "not computable: W needs test events, there is none"
