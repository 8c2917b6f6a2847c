"""Tables of the page of results say what their files say, rounded by their errors."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jetlens.inference.summary import LIMITS
from jetlens.report.page import html_of
from jetlens.report.tables import TABLES, between, measured, read_table


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        ("0.953744", "0.010533", "0.954 ± 0.011"),
        ("0.943", "0.0052", "0.943 ± 0.005"),
        ("-0.00462", "0.0028", "−0.0046 ± 0.0028"),
        ("6259.8", "197.95", "6260 ± 200"),
        ("2.47222e10", "3.356559e9", "(2.5 ± 0.3) · 10¹⁰"),
        ("2814972", "", "2.815 · 10⁶"),
        ("14.467", "", "14.47"),
        (">50.373", "", ">50.373"),
        ("", "", ""),
        ("0", "", "0.000"),
    ],
)
def test_a_number_is_rounded_by_its_error(value: str, error: str, text: str) -> None:
    assert measured(value, error) == text


@given(st.floats(1e-3, 1e5), st.floats(1e-3, 1e4))
def test_rounding_moves_less_than_a_fifth_of_the_error(value: float, error: float) -> None:
    shown, spread = measured(value, error).replace("−", "-").split(" ± ")
    assert abs(float(shown) - value) < 0.2 * error
    assert float(spread) == pytest.approx(error, rel=0.2)


def test_an_interval_with_no_end_is_none() -> None:
    assert between("1.5", "2.5") == " [1.500, 2.500]"
    assert between("", "2.5") == ""


def test_what_a_limit_lacks_and_notes_on_it_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "inference").mkdir()
    row = dict.fromkeys(LIMITS, "") | {"variant": "a", "mass_GeV": "800", "remark": "too few", "notes": "odd"}
    content = ",".join(row) + "\n" + ",".join(row.values()) + "\n"
    (tmp_path / "inference" / "limits.csv").write_text(content, encoding="utf-8")
    entry = next(entry for entry in TABLES if entry.file == "inference/limits.csv")
    assert read_table(entry, tmp_path, {})["remark"].tolist() == ["too few; odd"]


def test_the_cutflow_has_a_column_per_sample(tmp_path: Path) -> None:
    (tmp_path / "skim").mkdir()
    header = "sample,process,cut,events,efficiency,efficiency_error,sum_weights,yield,yield_error\n"
    rows = ["a,A,all events,100,1,0,100,50,5", "a,A,one jet,40,0.4,0.05,40,20,3.2"]
    rows += ["b,B,all events,10,1,0,10,5,1.6", "b,B,one jet,1,0.1,0.09,1,0.5,0.5"]
    (tmp_path / "skim" / "cutflow.csv").write_text(header + "\n".join(rows) + "\n", encoding="utf-8")
    entry = next(entry for entry in TABLES if entry.file == "skim/cutflow.csv")
    table = read_table(entry, tmp_path, {})
    assert table.to_dict("list") == {
        "cut": ["all events", "one jet", "expected yield"],
        "a": ["100 (100.0 %)", "40 (40.0 %)", "20 ± 3"],
        "b": ["10 (100.0 %)", "1 (10.0 %)", "0.5 ± 0.5"],
    }


def test_captions_are_escaped() -> None:
    assert "<script>" not in html_of("**bold** <script>alert(1)</script>")
    assert "<strong>bold</strong>" in html_of("**bold**")
