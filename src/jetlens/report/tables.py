"""The tables of an analysis, as the page of results shows them: numbers rounded by their errors, names as labels."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

Row = Mapping[str, Any]
Names = Mapping[str, str]
"""Labels of variants by their names."""


@dataclass(frozen=True)
class TableEntry:
    """One table of the page.

    Attributes:
        file: under ``results/<analysis>/``.
        category: section of the page.
        title: its heading.
        caption: name of its caption in ``workflow/report``.
        shown: what of the file is shown.
        folded: whether it is long, and shown only when asked for.
    """

    file: str
    category: str
    title: str
    caption: str
    shown: Callable[[pd.DataFrame, Names], pd.DataFrame]
    folded: bool = False


def read_table(entry: TableEntry, folder: Path, names: Names) -> pd.DataFrame:
    """Return a table as text, cell by cell, in the columns that are shown."""
    frame = pd.read_csv(folder / entry.file, dtype=str, keep_default_na=False)
    if "variant" in frame:
        frame["variant"] = frame["variant"].map(lambda name: names.get(name, name))
    return entry.shown(frame, names)


def measured(value: str | float, error: str | float = "") -> str:
    """Return ``0.943 ± 0.005``: an error to two digits, or one above 3, its value to the same place.

    Where there is no error, the value has four digits; what is no number, such as a limit, stays.
    """
    try:
        number = float(value)
    except ValueError:
        return str(value)
    try:
        spread = float(error)
    except ValueError:
        spread = math.nan
    if not math.isfinite(number):
        return ""
    if not spread > 0:
        return _number(number, 3 - _power(number), _power(number))
    place = -_power(spread) + (spread / 10.0 ** _power(spread) < 3)
    power = max(_power(number), _power(spread))
    if -4 < power < 6:
        return f"{_number(number, place, 0)} ± {_number(spread, place, 0)}"
    scale, digits = 10.0**power, max(place + power, 0)
    return f"({number / scale:.{digits}f} ± {spread / scale:.{digits}f}) · 10{_superscript(power)}"


def between(low: str, high: str) -> str:
    """Return an interval in brackets, nothing where there is none."""
    return f" [{measured(low)}, {measured(high)}]" if low and high else ""


def _power(number: float) -> int:
    return math.floor(math.log10(abs(number))) if number else 0


def _number(number: float, place: int, power: int) -> str:
    if -4 < power < 6:
        return f"{round(number, place):.{max(place, 0)}f}".replace("-", "−")
    return f"{number / 10.0**power:.3f} · 10{_superscript(power)}".replace("-", "−")


def _superscript(number: int) -> str:
    return str(number).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _rows(frame: pd.DataFrame, columns: Mapping[str, Callable[[Row], str]]) -> pd.DataFrame:
    """Return a table of the columns; those without any entry are left out."""
    records = [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]
    table = pd.DataFrame(
        {title: [show(row) for row in records] for title, show in columns.items()}, dtype=str
    )
    return table.loc[:, [bool(table[title].astype(bool).any()) for title in table]]


def _text(column: str) -> Callable[[Row], str]:
    return lambda row: str(row[column])


def _value(column: str, error: str = "") -> Callable[[Row], str]:
    return lambda row: measured(row[column], row[error] if error else "")


def _with_range(column: str) -> Callable[[Row], str]:
    return lambda row: measured(row[column]) + between(row[f"{column}_low"], row[f"{column}_high"])


def _cutflow(frame: pd.DataFrame, names: Names) -> pd.DataFrame:
    """Cuts from top to bottom, a sample per column; the last line are the yields."""
    columns: dict[str, list[str]] = {"cut": [*dict.fromkeys(frame["cut"]), "expected yield"]}
    for sample, own in frame.groupby("sample", sort=False):
        cells = [f"{row['events']} ({100 * float(row['efficiency']):.1f} %)" for _, row in own.iterrows()]
        last = own.iloc[-1]
        columns[str(sample)] = [*cells, measured(last["yield"], last["yield_error"])]
    return pd.DataFrame(columns)


def _summary(frame: pd.DataFrame, names: Names) -> pd.DataFrame:
    rejections = {f"1/ε_B at ε_S = {at} %": _with_range(f"rejection_{at}") for at in (30, 50, 70)}
    columns = {"classifier": _text("variant"), "AUC": _value("auc", "auc_error"), **rejections}
    return _rows(
        frame, columns | {"parameters": _text("parameters"), "training [s]": _value("training_seconds")}
    )


def _comparison(frame: pd.DataFrame, names: Names) -> pd.DataFrame:
    columns: dict[str, Callable[[Row], str]] = {
        "first": lambda row: names.get(row["first"], row["first"]),
        "second": lambda row: names.get(row["second"], row["second"]),
        "AUC, first − second": _value("auc_difference", "error"),
        "z": lambda row: row["z"].replace("-", "−"),
        "p": _value("p_value"),
        "p, corrected for all comparisons": _value("p_value_holm"),
    }
    return _rows(frame, columns)


def _locked(frame: pd.DataFrame, names: Names) -> pd.DataFrame:
    columns = {"classifier": _text("variant"), "AUC": _value("auc", "auc_error")}
    columns |= {"1/ε_B at ε_S = 50 %": _with_range("rejection_50")}
    return _rows(
        frame,
        columns | {"signal events": _text("signal_events"), "background events": _text("background_events")},
    )


def _application(frame: pd.DataFrame, names: Names) -> pd.DataFrame:
    columns = {
        "classifier": _text("variant"),
        "sample": _text("sample"),
        "cut at ε_S": _text("signal_efficiency"),
        "events pass": _text("passing_events"),
        "efficiency": _with_range("efficiency"),
        "yield": _with_range("yield"),
    }
    return _rows(frame, columns)


OF_LIMIT: dict[str, Callable[[Row], str]] = {"classifier": _text("variant"), "mass [GeV]": _text("mass_GeV")}
"""What tells one limit from another."""


def _limits(frame: pd.DataFrame, names: Names) -> pd.DataFrame:
    columns = OF_LIMIT | {
        "expected [fb]": _value("expected", "expected_error"),
        "±1σ": lambda row: between(row["expected_minus1"], row["expected_plus1"]),
        "±2σ": lambda row: between(row["expected_minus2"], row["expected_plus2"]),
        "observed [fb]": _value("observed"),
        "statistics only [fb]": _value("statistics_only"),
        "ratio to the reference": _value("ratio", "ratio_error"),
        "remark": lambda row: "; ".join(filter(None, (row["remark"], row["notes"]))),
    }
    return _rows(frame, columns)


def _breakdown(frame: pd.DataFrame, names: Names) -> pd.DataFrame:
    columns = OF_LIMIT | {
        "uncertainty": _text("uncertainty"),
        "statistics and it alone [fb]": _value("alone"),
        "with all above [fb]": _value("cumulative"),
        "all but it [fb]": _value("without"),
        "remark": _text("notes"),
    }
    return _rows(frame, columns)


def _yields(frame: pd.DataFrame, names: Names) -> pd.DataFrame:
    columns = OF_LIMIT | {
        "region": _text("region"),
        "process": _text("process"),
        "before the fit": _value("prefit", "prefit_error"),
        "after the fit": _value("postfit", "postfit_error"),
        "remark": _text("notes"),
    }
    return _rows(frame, columns)


def _significance(frame: pd.DataFrame, names: Names) -> pd.DataFrame:
    """The cuts that were chosen."""
    columns = {
        "classifier": _text("variant"),
        "ε_S of the cut": _text("signal_efficiency"),
        "process": _text("process"),
        "test events": _text("events"),
        "yield": _with_range("yield"),
        "yield below (95 %)": _value("yield_limit_95"),
        "Z": _value("significance", "significance_error"),
        "remark": _text("remark"),
    }
    return _rows(frame[frame["chosen"] == "1"], columns)


TABLES = (
    TableEntry("skim/cutflow.csv", "Selection", "Events after each cut", "cutflow", _cutflow),
    TableEntry("evaluation/summary.csv", "Classifiers", "All classifiers", "summary", _summary),
    TableEntry("evaluation/comparison.csv", "Classifiers", "Paired differences", "comparison", _comparison, True),
    TableEntry("evaluation/locked.csv", "Classifiers", "Locked folds", "locked", _locked),
    TableEntry("application/summary.csv", "Classifiers", "Samples only scored", "application", _application, True),
    TableEntry("inference/limits.csv", "Inference", "Upper limits on σ·B", "limits", _limits),
    TableEntry("inference/limits_breakdown.csv", "Inference", "Limits by uncertainty", "limits_breakdown", _breakdown),
    TableEntry("inference/yields.csv", "Inference", "Yields before and after the fit", "yields", _yields, True),
    TableEntry("inference/significance.csv", "Inference", "Counting after a cut", "significance", _significance, True),
)  # fmt: skip
