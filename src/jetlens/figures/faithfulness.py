"""Tests of explanations: do they mark what decides?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jetlens.config.evaluation import FiguresConfig
from jetlens.config.explanation import title_of
from jetlens.errors import FileError
from jetlens.figures.style import figure_header, line_style, look, save, write_table
from jetlens.files import read_json

COLUMNS = ("class", "way", "test", "order", "share", "lost", "error")
YARDSTICKS = {"pt": "$p_T$ order", "d0": "$|d_0|$ order"}
PANELS = (("deletion", "taken away"), ("insertion", "alone left"))


def draw_faithfulness(
    faithfulness: Path, outputs: Sequence[Path], csv: Path, *, figures: FiguresConfig
) -> None:
    """Draw the logit lost while constituents are taken away, or are left alone, and areas between their bounds.

    Args:
        faithfulness: ``faithfulness.json``.
        outputs: figure files, .pdf or .png.
        csv: the numbers drawn.
        figures: the look.

    Raises:
        FileError: if the file cannot be read.
    """
    try:
        content = read_json(faithfulness)
        tests, shares = content["tests"], np.array(content["shares"])
    except (OSError, ValueError, KeyError) as error:
        raise FileError(f"{faithfulness}: cannot be read; run the explanation stage first") from error
    table: dict[str, list[Any]] = {name: [] for name in COLUMNS}
    with look(figures):
        figure = Figure(figsize=(11.2, 3.5 * len(tests) + 1.6), layout="constrained")
        panels = figure.subplots(len(tests), 3, squeeze=False, width_ratios=(1, 1, 0.9))
        for row, (kind, ways) in zip(panels, tests.items(), strict=True):
            orders = ways["masked"]["orders"]
            names = [name for name in orders if name not in ("best", "worst") and "matched" not in name]
            for axes, (test, verb) in zip(row, PANELS, strict=False):
                for number, name in enumerate(names):
                    _curve(axes, shares, orders[name][test]["lost"], number, name)
                if test == "deletion":
                    mean, spread = np.array(ways["masked"]["all_removed"], dtype=float)
                    axes.errorbar([1.0], [mean], [spread], fmt="*", color="black", label="all taken away")
                axes.axhline(0, color="0.6", linewidth=0.7)
                axes.set_xlabel(f"share of constituents {verb}")
                axes.set_ylabel(f"logit lost, {kind}")
            _areas(row[2], ways, names)
            for way, entry in ways.items():
                _collect(table, kind, way, entry, shares)
        handles, labels = panels[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4)
        figure_header(figure, figures)
        save(figure, outputs)
    write_table(csv, table)


def label_of(name: str) -> str:
    """Return what an order is called in a figure."""
    return YARDSTICKS.get(name, title_of(name))


def _curve(axes: Axes, shares: np.ndarray[Any, Any], lost: list[list[float]], number: int, name: str) -> None:
    mean, error = np.array(lost, dtype=float).T
    style = line_style(number)
    axes.plot(shares, mean, marker="o", markersize=3.5, label=label_of(name), **style)
    axes.fill_between(shares, mean - error, mean + error, color=style["color"], alpha=0.2, linewidth=0)
    axes.set_xlim(0, 1.05)


def _areas(axes: Axes, ways: dict[str, Any], names: Sequence[str]) -> None:
    place = np.arange(len(names))
    for shift, (way, alpha) in zip((-0.18, 0.18), (("masked", 1.0), ("replaced", 0.45)), strict=True):
        pairs = [ways[way]["orders"][name]["deletion"]["normalised"] for name in names]
        mean, error = np.array(pairs, dtype=float).T
        colours = [line_style(number)["color"] for number in range(len(names))]
        axes.barh(place + shift, mean, 0.34, xerr=error, color=colours, alpha=alpha, ecolor="0.25")
    axes.set_yticks(place, [label_of(name) for name in names], size=9)
    axes.invert_yaxis()
    axes.minorticks_off()
    axes.set_xlim(0, 1)
    axes.set_xlabel("area between worst and best")


def _collect(table: dict[str, list[Any]], kind: str, way: str, entry: dict[str, Any], shares: Any) -> None:
    for name, own in entry["orders"].items():
        for test, _ in PANELS:
            for share, (lost, error) in zip(shares, own[test]["lost"], strict=True):
                row = (kind, way, test, name, float(share), lost, error)
                for column, value in zip(COLUMNS, row, strict=True):
                    table[column].append(value)
    for column, value in zip(
        COLUMNS, (kind, way, "deletion", "all", 1.0, *entry["all_removed"]), strict=True
    ):
        table[column].append(value)
