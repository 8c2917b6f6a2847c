"""Tables of all limits, from the files of each."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest
import yaml

from jetlens.config.inference import DEMONSTRATION
from jetlens.inference.breakdown import SIMULATION, STATISTICS
from jetlens.inference.summary import summarise
from jetlens.report.tables import TABLES, read_table


def results(
    folder: Path, replicas: Sequence[float] = (), *, demonstration: bool = False, **changes: object
) -> None:
    """The files of one limit."""
    own = folder / "inference" / "net" / "1000"
    own.mkdir(parents=True)
    content = {
        "mass_GeV": 1000.0,
        "cross_section_fb": 20.0,
        "remark": "",
        "notes": [],
        "significance": [{"luminosity_fb": 300.0, "significance": 1.0}],
        "limits": {
            "systematics": {
                "expected": [1, 2, 3, 4, 5],
                "observed": None,
                "level": 0.95,
                "method": "asymptotic",
            }
        },
        "breakdown": [
            {"uncertainty": STATISTICS, "alone": 0.5, "cumulative": 0.5, "without": None},
            {"uncertainty": SIMULATION, "alone": 3.0, "cumulative": 3.0, "without": 0.5},
        ],
    }
    (own / "limit.json").write_text(json.dumps(content | changes))
    row = {
        "region": "all",
        "process": "qcd",
        "prefit": 9,
        "prefit_error": 1,
        "postfit": 9,
        "postfit_error": 1,
    }
    pd.DataFrame([row]).to_csv(own / "yields.csv", index=False)
    drawn = {"mass_GeV": 1000.0, "replica": range(len(replicas)), "limit": list(replicas)}
    pd.DataFrame(drawn).to_csv(own.parent / "resampled.csv", index=False)
    summarise(
        {("net", "1000"): own}, folder / "inference", energy_tev=14, luminosity_fb=100,
        reaction="P P --> X", demonstration=demonstration,
    )  # fmt: skip


def shown(folder: Path) -> pd.DataFrame:
    (entry,) = (each for each in TABLES if each.file == "inference/limits_breakdown.csv")
    return read_table(entry, folder, {"net": "Network"})


def test_the_breakdown_is_in_fb(tmp_path: Path) -> None:
    results(tmp_path)
    table = pd.read_csv(tmp_path / "inference" / "limits_breakdown.csv")
    assert table["cumulative"].tolist() == [10.0, 60.0]
    assert table["without"].isna().tolist() == [True, False]
    assert shown(tmp_path)["uncertainty"].tolist() == [STATISTICS, SIMULATION]
    assert shown(tmp_path)["all but it [fb]"].tolist() == ["", "10.00"]


@pytest.mark.filterwarnings("error::FutureWarning")
def test_errors_are_those_of_the_replicas(tmp_path: Path) -> None:
    results(tmp_path, replicas=[3.0 * 1.01**n for n in range(20)])
    (row,) = pd.read_csv(tmp_path / "inference" / "limits.csv").to_dict("records")
    assert row["reference"] == "net"
    assert row["expected_error"] == pytest.approx(60 * 0.68 * 19 * math.log(1.01) / 2, rel=0.01)
    assert math.isnan(row["ratio"])


def test_without_a_limit_there_is_no_line(tmp_path: Path) -> None:
    results(tmp_path, limits={}, breakdown=[], significance=[], remark="not computable")
    assert pd.read_csv(tmp_path / "inference" / "limits_breakdown.csv").empty
    assert shown(tmp_path).empty


def test_a_demonstration_says_so_in_every_table(tmp_path: Path) -> None:
    folder = tmp_path / "inference"
    results(tmp_path, demonstration=True, notes=["few events"])
    for name in ("limits", "limits_breakdown", "luminosity", "yields"):
        notes = pd.read_csv(folder / f"{name}.csv")["notes"]
        assert len(notes)
        assert notes.str.startswith(DEMONSTRATION).all()
    assert pd.read_csv(folder / "limits.csv")["notes"].tolist() == [f"{DEMONSTRATION}, no result; few events"]
    assert set(shown(tmp_path)["remark"]) == {f"{DEMONSTRATION}, no result"}
    assert DEMONSTRATION in (folder / "yields.tex").read_text()
    about, *tables = yaml.safe_load_all((folder / "hepdata" / "submission.yaml").read_text())
    assert len(tables) == 2
    assert about["comment"].startswith("Demonstration: weights scaled")
    assert all(table["description"].startswith("Demonstration: weights scaled") for table in tables)


def test_what_is_no_demonstration_does_not_say_so(tmp_path: Path) -> None:
    results(tmp_path)
    for path in (tmp_path / "inference").rglob("*.*"):
        assert "emonstration" not in path.read_text()
    assert "remark" not in shown(tmp_path)
