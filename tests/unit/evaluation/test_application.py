import csv
import dataclasses

import numpy as np
import pytest

from jetlens.config.samples import Sample
from jetlens.errors import FileError
from jetlens.evaluation.application import COLUMNS, summarise_applications
from jetlens.evaluation.scores import write_scores

from .test_stage import toy_scores

SAMPLE = Sample("new", "H(2 TeV), 4b", "application", {"a": "a.root", "b": "b.root"}, cross_section_pb=0.5)


def write_application(path, logit, weight, generated):
    """As if ``generated`` events of unit weight had been selected down to some weighted ones."""
    sums = {
        "generated_events": generated,
        "generated_weight": generated,
        "generated_weight_squared": generated,
    }
    arrays = {name: np.array([value]) for name, value in sums.items()}
    logits = np.atleast_2d(logit)
    np.savez(path, logits=logits, rotation=np.arange(len(logits)), weight=weight, **arrays)
    return path


@pytest.fixture
def evaluation(tmp_path):
    folder = tmp_path / "trees"
    write_scores(folder / "scores.npz", toy_scores(1))
    return folder


def rows_of(path):
    with path.open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_a_sample_is_counted_over_all_its_parts(evaluation, tmp_path):
    """Against the same done by hand: 400 of 500 generated events selected, in two parts."""
    logit = np.random.default_rng(2).normal(2.0, 1.0, 400)
    weight = np.ones(400)
    files = [
        write_application(tmp_path / "a.npz", logit[:300], weight[:300], 350.0),
        write_application(tmp_path / "b.npz", logit[300:], weight[300:], 150.0),
    ]
    output = tmp_path / "summary.csv"
    summarise_applications([evaluation], {"trees": {"new": files}}, [SAMPLE], output, luminosity_fb=100.0)
    rows = rows_of(output)
    assert tuple(rows[0]) == COLUMNS
    scores = toy_scores(1)
    signal = np.sort(scores.ensemble[scores.label == 1])[::-1]
    for row, share in zip(rows, (0.3, 0.5, 0.7), strict=True):
        cut = signal[int(np.ceil(share * 150)) - 1]
        passing = int((logit >= cut).sum())
        assert float(row["logit_cut"]) == pytest.approx(cut, rel=1e-5)
        assert (row["process"], int(row["passing_events"])) == ("H(2 TeV), 4b", passing)
        efficiency = passing / 500
        assert float(row["efficiency"]) == pytest.approx(efficiency)
        assert float(row["efficiency_error"]) == pytest.approx(
            np.sqrt(efficiency * (1 - efficiency) / 500), rel=0.01
        )
        assert float(row["yield"]) == pytest.approx(50_000 * efficiency)
        assert float(row["yield_error"]) == pytest.approx(50_000 * np.sqrt(passing) / 500, rel=0.01)


def test_events_lost_before_count_as_rejected(evaluation, tmp_path):
    file = write_application(tmp_path / "a.npz", np.full(100, 50.0), np.ones(100), 200.0)
    applied, output = {"trees": {"new": [file]}}, tmp_path / "summary.csv"
    sample = dataclasses.replace(SAMPLE, events=400.0, cross_section_pb=None)
    summarise_applications([evaluation], applied, [sample], output, luminosity_fb=1.0)
    assert {(float(row["efficiency"]), row["yield"]) for row in rows_of(output)} == {(0.25, "")}
    sample = dataclasses.replace(SAMPLE, events=100.0)
    with pytest.raises(FileError, match=r"says 100 events were generated, its files hold 200"):
        summarise_applications([evaluation], applied, [sample], output, luminosity_fb=1.0)


def test_another_file_is_refused(evaluation, tmp_path):
    np.savez(tmp_path / "other.npz", logit=np.zeros(3))
    applied = {"trees": {"new": [tmp_path / "other.npz"]}}
    with pytest.raises(FileError, match=r"other\.npz: is no score file of an application"):
        summarise_applications([evaluation], applied, [SAMPLE], tmp_path / "summary.csv", luminosity_fb=1.0)
    assert not (tmp_path / "summary.csv").exists()


def test_rotations_are_cut_on_one_by_one(evaluation, tmp_path):
    """The cut was set on scores of single rotations; a mean over rotations would be another discriminant."""
    logits = np.array([[50.0, 50.0, -50.0, -50.0], [50.0, -50.0, 50.0, -50.0]])
    file = write_application(tmp_path / "a.npz", logits, np.ones(4), 8.0)
    scale = {"ensemble_offset": np.zeros(2), "ensemble_slope": np.ones(2)}
    write_scores(evaluation / "scores.npz", dataclasses.replace(toy_scores(1), **scale))
    output = tmp_path / "summary.csv"
    summarise_applications([evaluation], {"trees": {"new": [file]}}, [SAMPLE], output, luminosity_fb=1.0)
    for row in rows_of(output):
        assert float(row["passing_events"]) == 2.0  # one passes in both, two in one of two
        assert float(row["efficiency"]) == 0.25


def test_few_events_have_garwoods_interval(evaluation, tmp_path):
    """Of 0 and 1 events: 0 to 1.841 and 0.173 to 3.300 (PDG, Statistics); 1,000 generated stand for 50,000."""
    output, sample = tmp_path / "summary.csv", dataclasses.replace(SAMPLE, cross_section_pb=50.0)
    for passing, low, high in ((0, 0.0, 1.841), (1, 0.173, 3.300)):
        logit = np.repeat([50.0, -50.0], [passing, 20 - passing])
        file = write_application(tmp_path / "a.npz", logit, np.ones(20), 1000.0)
        summarise_applications([evaluation], {"trees": {"new": [file]}}, [sample], output, luminosity_fb=1.0)
        for row in rows_of(output):
            assert float(row["yield_low"]) == pytest.approx(50 * low, rel=0.01)
            assert float(row["yield_high"]) == pytest.approx(50 * high, rel=0.01)
            assert float(row["efficiency_high"]) == pytest.approx(high / 1000, rel=0.01)


def test_nothing_selected_gives_no_error_that_is_zero(evaluation, tmp_path):
    file = write_application(tmp_path / "a.npz", np.zeros((1, 0)), np.zeros(0), 8.0)
    output = tmp_path / "summary.csv"
    summarise_applications([evaluation], {"trees": {"new": [file]}}, [SAMPLE], output, luminosity_fb=1.0)
    assert {(r["selected_events"], r["efficiency"], r["efficiency_error"]) for r in rows_of(output)} == {
        ("0", "0", "")
    }
    assert {float(r["efficiency_high"]) for r in rows_of(output)} == {0.2056}  # 1 − 0.1587^(1/8)
