"""ROC curves of all variants, plain and as background rejection on a logarithmic axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jetlens.config.evaluation import FiguresConfig
from jetlens.errors import FileError
from jetlens.figures.palette import Look, line
from jetlens.figures.style import header, headroom, look, pretty, read_table, save, write_table
from jetlens.files import read_json

Curve = tuple[pd.DataFrame, dict[str, Any]]
IN_FRAME = 6
"""Curves whose legend leaves the frame readable."""
FEWEST_EVENTS = 5
"""Background events below which a curve is drawn as dots: it follows single events there."""


def draw_roc(
    roc: Sequence[Path],
    metrics: Sequence[Path],
    outputs: Sequence[Path],
    csv: Path,
    *,
    variants: Mapping[str, Look],
    figures: FiguresConfig,
) -> None:
    """Draw background against signal efficiency of all variants: mean over seeds, band ± one standard deviation.

    Args:
        roc: ``evaluation/<variant>/roc.csv``.
        metrics: ``evaluation/<variant>/metrics.json``, in the same order.
        outputs: figure files, .pdf or .png.
        csv: the numbers drawn.
        variants: look of every variant, in the order of the legend.
        figures: the look.

    Raises:
        FileError: if a file cannot be read, or an output has another suffix.
    """
    curves = _read(roc, metrics, variants)
    with look(figures):
        figure = Figure(figsize=(4.6, 4.5))
        axes = figure.add_subplot()
        for name, (curve, merit) in curves.items():
            style = line(variants[name])
            x = curve["signal_efficiency"]
            axes.plot(x, curve["background_efficiency"], label=_legend(merit, variants[name]), **style)
            low, high = curve["background_efficiency_low"], curve["background_efficiency_high"]
            axes.fill_between(x, low, high, color=style["color"], alpha=0.25, linewidth=0)
        axes.plot([0, 1], [0, 1], color="0.6", linewidth=0.8, linestyle=(0, (2, 2)), label="random guess")
        axes.set(xlim=(0, 1), ylim=(0, 1), **_labels("Background efficiency $\\epsilon_B$"))
        _place_legend(figure, axes, "upper left", curves)
        header(axes, figures)
        save(figure, outputs)
    _write(csv, curves)


def draw_rejection(
    roc: Sequence[Path],
    metrics: Sequence[Path],
    outputs: Sequence[Path],
    csv: Path,
    *,
    variants: Mapping[str, Look],
    figures: FiguresConfig,
) -> None:
    """Draw background rejection 1/ε_B against signal efficiency, with the rejections quoted in the summary.

    A line is 1/⟨ε_B⟩ over seeds, its band ± one standard deviation of ε_B over seeds, cut at three times the line.
    Where fewer than :data:`FEWEST_EVENTS` background events pass, the line is dotted, without a band; it ends where
    none passes. Points carry the errors of the summary, arrows are lower limits at 95 % confidence. Arguments and
    errors as in :func:`draw_roc`.
    """
    curves = _read(roc, metrics, variants)
    with look(figures):
        figure = Figure(figsize=(4.6, 4.5))
        axes = figure.add_subplot()
        axes.set_yscale("log")
        top = 10.0
        for number, (name, (curve, merit)) in enumerate(curves.items()):
            style = line(variants[name])
            top = max(top, _rejection(axes, curve, style, _legend(merit, variants[name])))
            top = max(top, _points(axes, merit, style["color"], number, len(curves)))
        axes.plot(
            [], [], color="0.3", linestyle=(0, (0.7, 1.3)), label=f"< {FEWEST_EVENTS} background events"
        )
        axes.set(xlim=(0, 1), ylim=(0.8, top), **_labels("Background rejection $1/\\epsilon_B$"))
        headroom(axes, 1.5 * top, 0.065 * (len(curves) + 2) if len(curves) <= IN_FRAME else 0.05)
        _place_legend(figure, axes, "upper right", curves)
        header(axes, figures)
        save(figure, outputs)
    _write(csv, curves)


def _rejection(axes: Axes, curve: pd.DataFrame, style: dict[str, Any], label: str) -> float:
    """Draw one curve; return its largest rejection."""
    passing = curve[curve["background_efficiency"] > 0]
    x, share = passing["signal_efficiency"], passing["background_efficiency"]
    enough = passing["background_events"] >= FEWEST_EVENTS
    axes.plot(x[enough], 1 / share[enough], label=label, **style)
    axes.plot(x[~enough], 1 / share[~enough], color=style["color"], linestyle=(0, (0.7, 1.3)))
    low = np.maximum(passing["background_efficiency_low"], share / 3)[enough]
    high = passing["background_efficiency_high"][enough]
    axes.fill_between(x[enough], 1 / high, 1 / low, color=style["color"], alpha=0.2, linewidth=0)
    return float((1 / share).max())


def _points(axes: Axes, metrics: dict[str, Any], colour: str, number: int, of: int) -> float:
    """Draw the quoted rejections, slightly displaced from each other; return the largest."""
    values = [0.0]
    for key, entry in metrics["background_rejection_detail"].items():
        x = float(key) + min(0.008, 0.06 / of) * (number - (of - 1) / 2)
        value = entry["value"]
        if entry["is_limit"]:
            axes.errorbar(x, value, yerr=0.35 * value, lolims=True, color=colour, marker="_", capsize=2.5)
        else:
            error = [[value - entry["low"]], [entry["high"] - value]]
            axes.errorbar(x, value, yerr=np.maximum(error, 0), color=colour, marker="o", markersize=3.5)
        values.append(entry["high"] or 2 * value)
    return max(values)


def _read(roc: Sequence[Path], metrics: Sequence[Path], variants: Mapping[str, Look]) -> dict[str, Curve]:
    """Return curve and figures of merit of each variant, in the order of their looks."""
    read = {}
    for curve, file in zip(roc, metrics, strict=True):
        try:
            merit: dict[str, Any] = read_json(file)
        except OSError as error:
            raise FileError(f"{file}: cannot be read; run the evaluation stage first") from error
        columns = ("signal_efficiency", "background_efficiency", "background_events")
        read[merit["variant"]] = (read_table(curve, columns, "evaluation"), merit)
    return {name: read[name] for name in variants if name in read}


def _place_legend(figure: Figure, axes: Axes, corner: Any, curves: Mapping[str, Curve]) -> None:
    """Put the legend into the frame while there is room, beside it otherwise."""
    settings: dict[str, Any] = {"title": _title(curves), "title_fontsize": 8.5}
    if len(curves) <= IN_FRAME:
        axes.legend(loc=corner, **settings)
    else:
        figure.set_size_inches(8.0, 4.5)
        figure.legend(loc="outside right upper", fontsize=8.5, **settings)


def _legend(metrics: dict[str, Any], own: Look) -> str:
    return f"{pretty(own['label'])}: {metrics['auc']:.3f} ± {metrics['auc_error']:.3f}"


def _labels(background: str) -> dict[str, str]:
    return {"xlabel": "Signal efficiency $\\epsilon_S$", "ylabel": background}


def _title(curves: Mapping[str, Curve]) -> str:
    metrics = next(iter(curves.values()))[1]
    weights = "unit weights" if metrics["weights"] == "unit" else "σL weights"
    number = len(metrics["seeds"])
    return f"AUC, mean of {number} trainings, {weights}" if number > 1 else f"AUC, one training, {weights}"


def _write(path: Path, curves: Mapping[str, Curve]) -> None:
    write_table(path, pd.concat([curve.assign(variant=name) for name, (curve, _) in curves.items()]))
