from __future__ import annotations

import csv
import json
import warnings
from pathlib import Path

import numpy as np
import pytest

from jetlens.config.reading import ReadingConfig
from jetlens.config.samples import Sample
from jetlens.config.skim import SkimConfig
from jetlens.errors import FileError, JetlensWarning, NoEventsError
from jetlens.skim import skim_file
from jetlens.skim.cutflow import check_selected, cutflow_lines, generated_weight, write_cutflow_table
from tests.conftest import DEMO

SAMPLE = Sample("s", "process", "signal", {"a": "a.root", "b": "b.root"}, 2.0)


def flow(weights: np.ndarray, passes: np.ndarray, part: str = "a") -> dict:
    cuts = [
        {"name": name, "events": len(w), "sum_weights": w.sum(), "sum_weights_squared": (w**2).sum()}
        for name, w in (("all events", weights), ("half", weights[passes]))
    ]
    return {"sample": "s", "part": part, "cuts": cuts}


def test_unit_weights_give_binomial_and_poisson_errors() -> None:
    lines = cutflow_lines([flow(np.ones(400), np.arange(400) < 100)], SAMPLE, 3.0)
    assert lines[1].efficiency == 0.25
    assert np.isclose(lines[1].efficiency_error, np.sqrt(0.25 * 0.75 / 400))
    assert np.isclose(lines[1].expected, 2.0 * 3000 * 0.25)
    assert np.isclose(lines[1].expected_error, lines[1].expected / np.sqrt(100))
    assert lines[0].efficiency_error == 0


def test_errors_of_weighted_events_cover_toys() -> None:
    """The stated errors are the spread over repeated experiments, negative weights included."""
    rng = np.random.default_rng(1)
    efficiencies, yields, errors, yield_errors = [], [], [], []
    for _ in range(800):
        weights = rng.choice([2.0, 1.0, -0.5], size=rng.poisson(300))
        lines = cutflow_lines([flow(weights, rng.random(len(weights)) < 0.3)], SAMPLE, 1.0)
        efficiencies.append(lines[1].efficiency)
        errors.append(lines[1].efficiency_error)
        yields.append(lines[1].sum_weights)
        yield_errors.append(lines[1].expected_error / lines[1].expected * lines[1].sum_weights)
    assert np.isclose(np.std(efficiencies), np.mean(errors), rtol=0.1)
    assert np.isclose(np.std(yields), np.mean(yield_errors), rtol=0.1)


def test_parts_add_up_and_generated_events_override() -> None:
    parts = [flow(np.ones(100), np.arange(100) < 50), flow(np.ones(300), np.arange(300) < 50, "b")]
    assert cutflow_lines(parts, SAMPLE, 1.0)[1].efficiency == 0.25
    skimmed_before = Sample("s", "process", "signal", {}, 2.0, events=800)
    assert cutflow_lines(parts, skimmed_before, 1.0)[1].efficiency == 0.125
    too_few = Sample("s", "process", "signal", {}, 2.0, events=10)
    with pytest.raises(FileError, match="10 events were generated, its files hold 400"):
        cutflow_lines(parts, too_few, 1.0)


def test_no_event_selected_names_sample_and_cut() -> None:
    with pytest.raises(
        NoEventsError, match=r"sample 's': no event is selected; the cut 'half' removes the last one"
    ):
        check_selected("s", flow(np.ones(5), np.zeros(5, dtype=bool))["cuts"])
    check_selected("s", flow(np.ones(5), np.arange(5) < 1)["cuts"])
    with pytest.raises(NoEventsError, match="no event at all"):
        cutflow_lines([flow(np.ones(0), np.zeros(0, dtype=bool))], SAMPLE, 1.0)


def test_table(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    paths = []
    for part, size in (("a", 100), ("b", 300)):
        path = tmp_path / f"{part}.json"
        path.write_text(json.dumps(flow(np.ones(size), np.arange(size) < 50, part)))
        paths.append(path)
    write_cutflow_table(paths, [SAMPLE], 3.0, tmp_path / "cutflow.csv")
    rows = list(csv.DictReader((tmp_path / "cutflow.csv").open()))
    assert [row["events"] for row in rows] == ["400", "100"]
    assert float(rows[1]["yield"]) == 1500
    log = capfd.readouterr().err
    assert "half             100    25.00" in log
    assert "warning" not in log
    with pytest.raises(FileError, match="has no cutflow"):
        write_cutflow_table(paths, [Sample("t", "p", "signal", {}, 1.0)], 3.0, tmp_path / "x.csv")
    with pytest.raises(FileError, match="is no cutflow"):
        write_cutflow_table([tmp_path / "cutflow.csv"], [SAMPLE], 3.0, tmp_path / "x.csv")


def test_what_was_left_out_is_said(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A damaged file, skipped by the skim itself, and references that it could not resolve."""
    damaged = tmp_path / "damaged.root"
    damaged.write_bytes((DEMO / "qcd_jj.root").read_bytes()[:100_000])
    skim = SkimConfig.model_validate({"cuts": [{"name": "two", "quantity": "num(fat_jets)", "min": 2}]})
    reading = ReadingConfig(broken_files="skip", unmatched="warn", constituents=["EFlowTrack"])
    paths = []
    for part, source in (("a", DEMO / "qcd_jj.root"), ("b", damaged)):
        paths.append(tmp_path / f"{part}.json")
        names = {"sample": "s", "part": part, "reading": reading, "skim": skim}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", JetlensWarning)
            skim_file(str(source), tmp_path / f"{part}.parquet", paths[-1], **names)
    write_cutflow_table(paths, [SAMPLE], 3.0, tmp_path / "cutflow.csv")
    unmatched, skipped = (line for line in capfd.readouterr().err.splitlines() if "warning" in line)
    flow = json.loads(paths[0].read_text(encoding="utf-8"))["constituents"]
    assert f"part 'a': {flow['unmatched']} of {flow['references']} constituent references" in unmatched
    assert f"part 'b': skipped, {damaged}: is truncated" in skipped
    flows = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    assert generated_weight(flows, SAMPLE) == 700
    generated = Sample("s", "process", "signal", {}, 2.0, events=2000)
    with pytest.raises(FileError, match="1 of its 2 files were skipped as damaged, the first being part 'b'"):
        generated_weight(flows, generated)
    assert generated_weight(flows[:1], generated) == 2000
