"""ROC curves of all variants, plain and as background rejection."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from jetlens.config.evaluation import FiguresConfig
from jetlens.errors import FileError
from jetlens.figures.style import header, headroom, line_style, look, save, write_table
from jetlens.files import read_json

Curve = dict[str, NDArray[np.float64]]


def draw_roc(
    roc: Sequence[Path],
    metrics: Sequence[Path],
    outputs: Sequence[Path],
    csv: Path,
    *,
    figures: FiguresConfig,
) -> None:
    """Draw background against signal efficiency of all variants: mean over seeds, band ± one standard
    deviation.

    Args:
        roc: ``evaluation/<variant>/roc.csv``, in the order of the legend.
        metrics: ``evaluation/<variant>/metrics.json``, in the same order.
        outputs: figure files, .pdf or .png.
        csv: the numbers drawn.
        figures: the look.

    Raises:
        FileError: if a file cannot be read, or an output has another suffix.
    """
    curves = [_read(*files) for files in zip(roc, metrics, strict=True)]
    with look(figures):
        figure = Figure(figsize=(5.6, 5.2))
        axes = figure.add_subplot()
        for number, (curve, merit) in enumerate(curves):
            style = line_style(number)
            axes.plot(
                curve["signal_efficiency"], curve["background_efficiency"], label=_legend(merit), **style
            )
            axes.fill_between(
                curve["signal_efficiency"],
                curve["background_efficiency_low"],
                curve["background_efficiency_high"],
                color=style["color"],
                alpha=0.25,
                linewidth=0,
            )
        axes.plot([0, 1], [0, 1], color="0.6", linewidth=0.8, linestyle=(0, (2, 2)), label="random guess")
        axes.set(xlim=(0, 1), ylim=(0, 1), **_labels("Background efficiency $\\epsilon_B$"))
        axes.legend(loc="upper left", title=_title(curves))
        header(axes, figures)
        save(figure, outputs)
    _write(csv, curves)


def draw_rejection(
    roc: Sequence[Path],
    metrics: Sequence[Path],
    outputs: Sequence[Path],
    csv: Path,
    *,
    figures: FiguresConfig,
) -> None:
    """Draw background rejection 1/ε_B against signal efficiency, with the rejections quoted in the summary.

    A line is 1/⟨ε_B⟩ over seeds and ends where no background event passes; its band is ± one standard
    deviation over seeds. Points carry the statistical errors of the test sample, arrows are lower limits
    at 95 % confidence. Arguments and errors as in :func:`draw_roc`.
    """
    curves = [_read(*files) for files in zip(roc, metrics, strict=True)]
    with look(figures):
        figure = Figure(figsize=(5.6, 5.2))
        axes = figure.add_subplot()
        axes.set_yscale("log")
        top = 10.0
        for number, (curve, merit) in enumerate(curves):
            style = line_style(number)
            drawn = curve["background_efficiency"] > 0
            x, share = curve["signal_efficiency"][drawn], curve["background_efficiency"][drawn]
            low = np.maximum(curve["background_efficiency_low"][drawn], share / 3)
            axes.plot(x, 1 / share, label=_legend(merit), **style)
            axes.fill_between(
                x,
                1 / curve["background_efficiency_high"][drawn],
                1 / low,
                color=style["color"],
                alpha=0.2,
                linewidth=0,
            )
            top = max(
                top, _points(axes, merit, style["color"], number, len(curves)), float((1 / share).max())
            )
        axes.set(xlim=(0, 1), ylim=(0.8, top), **_labels("Background rejection $1/\\epsilon_B$"))
        headroom(axes, 1.5 * top, 0.06 * (len(curves) + 1))
        axes.legend(loc="upper right", title=_title(curves))
        header(axes, figures)
        save(figure, outputs)
    _write(csv, curves)


def _points(axes: Axes, metrics: dict[str, Any], colour: str, number: int, of: int) -> float:
    """Draw the quoted rejections, slightly displaced from each other; return the largest."""
    values = [0.0]
    for key, entry in metrics["background_rejection_detail"].items():
        x = float(key) + 0.008 * (number - (of - 1) / 2)
        value = entry["value"]
        if entry["is_limit"]:
            axes.errorbar(x, value, yerr=0.35 * value, lolims=True, color=colour, marker="_", capsize=2.5)
        else:
            error = [[value - entry["low"]], [entry["high"] - value]]
            axes.errorbar(x, value, yerr=np.maximum(error, 0), color=colour, marker="o", markersize=3.5)
        values.append(entry["high"] or 2 * value)
    return max(values)


def _read(roc: Path, file: Path) -> tuple[Curve, dict[str, Any]]:
    try:
        with Path(roc).open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        metrics: dict[str, Any] = read_json(file)
    except OSError as error:
        raise FileError(f"{error.filename}: cannot be read; run the evaluation stage first") from error
    return {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}, metrics


def _legend(metrics: dict[str, Any]) -> str:
    low, high = metrics["auc_interval"]
    error = max(high - metrics["auc"], metrics["auc"] - low)
    name = metrics["variant"].replace("_", " ")
    return f"{name}: AUC = {metrics['auc']:.3f} ± {error:.3f}"


def _labels(background: str) -> dict[str, str]:
    return {"xlabel": "Signal efficiency $\\epsilon_S$", "ylabel": background}


def _title(curves: list[tuple[Curve, dict[str, Any]]]) -> str:
    metrics = curves[0][1]
    weights = (
        "all test events count the same" if metrics["weights"] == "unit" else "test events weighted by σL"
    )
    number = len(metrics["seeds"])
    return f"mean of {number} trainings; {weights}" if number > 1 else f"one training; {weights}"


def _write(path: Path, curves: list[tuple[Curve, dict[str, Any]]]) -> None:
    columns: dict[str, list[Any]] = {"variant": []}
    names = (
        "signal_efficiency",
        "background_efficiency",
        "background_efficiency_low",
        "background_efficiency_high",
        "background_events",
    )
    for curve, metrics in curves:
        columns["variant"] += [metrics["variant"]] * len(curve[names[0]])
        for name in names:
            columns.setdefault(name, []).extend(curve[name].tolist())
    write_table(path, columns)
