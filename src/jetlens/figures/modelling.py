"""What templates rest on: how cuts shape the fitted observable, closure of background models, and variations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator
from numpy.typing import NDArray

from jetlens.config.evaluation import FiguresConfig
from jetlens.figures.fits import DOWN, UP
from jetlens.figures.palette import Look
from jetlens.figures.style import (
    entries_of,
    figure_header,
    legend_below,
    line_style,
    look,
    pretty,
    read_table,
    save,
    titled,
    write_table,
)

Floats = NDArray[np.float64]


def draw_sculpting(
    sculpting: Path,
    outputs: Sequence[Path],
    csv: Path,
    *,
    variant: str,
    label: str,
    processes: Mapping[str, Look],
    figures: FiguresConfig,
    observable: str,
) -> None:
    """Draw the fitted observable of each background before and after cuts on the score, with measures of the change.

    Args:
        sculpting: CSV of the inference stage with a column ``variant``.
        outputs: figure files, .pdf or .png.
        csv: the numbers drawn.
        variant: whose score is cut on.
        label: its text.
        processes: look of every process.
        figures: the look.
        observable: label of the x axis, with its unit.

    Raises:
        FileError: if the table cannot be read.
    """
    columns = (
        "variant",
        "score",
        "process",
        "signal_efficiency",
        "low",
        "high",
        "before",
        "after",
        "divergence",
    )
    table = read_table(sculpting, columns, "inference", empty=True)
    table = table[table["variant"] == variant]
    rows = list(dict.fromkeys(table["score"]))
    names = list(dict.fromkeys(table["process"]))
    # one style per cut in all panels, whichever of them a process has events behind
    styles = {cut: line_style(n) for n, cut in enumerate(sorted(set(table["signal_efficiency"])), 1)}
    with look(figures):
        figure = Figure(figsize=(2.5 * max(len(names), 2) + 0.6, 2.7 * max(len(rows), 1) + 1.1))
        panels = figure.subplots(max(len(rows), 1), max(len(names), 1), sharex=True, squeeze=False)
        for axes_row, score in zip(panels, rows, strict=False):
            for axes, name in zip(axes_row, names, strict=True):
                own = table[(table["score"] == score) & (table["process"] == name)]
                lines: list[str] = []
                for efficiency, cut in own.groupby("signal_efficiency"):
                    edges = np.append(cut["low"], cut["high"].iloc[-1])
                    if not lines:
                        axes.stairs(cut["before"], edges, color="black", label="no cut", linewidth=1.8)
                    axes.stairs(cut["after"], edges, label=f"ε$_S$ = {efficiency:g}", **styles[efficiency])
                    found = cut.iloc[0]
                    lines.append(
                        f"{efficiency:g}: {found['divergence']:.3f} ({found['divergence_chance']:.3f}), "
                        f"p = {found['p_value']:.2g}"
                    )
                if len(own):
                    axes.set_xlim(*_shown(np.unique(own[["low", "high"]])))
                    first = own.iloc[0]
                    lines.append(f"dcor {first['correlation']:.2f} ({first['correlation_chance']:.2f})")
                top = float(own[["before", "after"]].max().max()) if len(own) else 1.0
                axes.set_ylim(0, 1.75 * top)
                axes.text(0.97, 0.97, "\n".join(["JS (chance)", *lines]), transform=axes.transAxes, ha="right",
                          va="top", fontsize=6.5)  # fmt: skip
                look_of = processes.get(name, {"label": name})
                axes.set_title(pretty(look_of["label"]), loc="left", fontsize=9)
            axes_row[0].set_ylabel(f"Share of events\n{score}")
        for axes in panels[-1]:
            axes.set_xlabel(observable)
        handles, labels = entries_of(panels.flat)
        legend_below(figure, handles, labels, pretty(label))
        figure_header(figure, figures)
        save(figure, outputs)
    write_table(csv, table)


def _shown(edges: Floats) -> tuple[float, float]:
    """Return the range of the axis: the last bin reaches to the last event, however far that is from all others."""
    low, high = float(edges[0]), float(edges[-1])
    if len(edges) > 2:
        high = min(high, float(edges[-2] + 2 * (edges[-2] - edges[-3])))
    room = 0.03 * (high - low)
    return low - room, high + (room if high == edges[-1] else 0)


def draw_closure(
    closure: Path,
    outputs: Sequence[Path],
    csv: Path,
    *,
    label: str,
    figures: FiguresConfig,
    demonstration: bool = False,
) -> None:
    """Draw a closure: what is found over what is estimated, test by test, with the p-value of each where there is one.

    Args:
        closure: CSV with ``region``, ``test``, ``ratio``, ``ratio_error``, and optionally ``chi2``, ``ndf`` and
            ``p_value``; a line whose ratio is empty and that has these stands for all tests of its region.
        outputs: figure files, .pdf or .png.
        csv: the numbers drawn.
        label: of the classifier, or whatever closes.
        figures: the look.
        demonstration: whether weights were scaled: written into the figure.

    Raises:
        FileError: if the table cannot be read.
    """
    table = read_table(closure, ("region", "test", "ratio", "ratio_error"), "inference")
    if "p_value" not in table:
        table = table.assign(chi2=np.nan, ndf=np.nan, p_value=np.nan)
    whole = (table["ratio"].isna() & table["p_value"].notna()).to_numpy()
    tests, regions = table[~whole], table[whole].set_index("region")
    # a line of room above the tests of each region
    names = list(dict.fromkeys(table["region"]))
    of = np.array([names.index(name) for name in tests["region"]])
    y = np.arange(len(tests)) + 1.0 + of
    with look(figures):
        figure = Figure(figsize=(5.6, 0.3 * (len(tests) + len(names)) + 1.3))
        axes = figure.add_subplot()
        axes.axvline(1, color="0.3", linewidth=0.8)
        _ratios_of_tests(axes, tests, y)
        for number, name in enumerate(names):
            top = float(y[of == number].min()) - 1
            together = regions.loc[name] if name in regions.index else None
            heading: dict[str, Any] = {
                "transform": axes.get_yaxis_transform(),
                "va": "center",
                "fontsize": 9.5,
            }
            axes.text(0.02, top, pretty(str(name).replace("_", " ")), weight="bold", **heading)
            if together is not None:
                text = f"χ²/ndf = {together['chi2']:.1f}/{together['ndf']:.0f}, {_p(together['p_value'])}"
                axes.text(0.98, top, text, ha="right", **heading)
            if number:
                axes.axhline(top - 0.5, color="0.75", linewidth=0.6)
        for at, p in zip(y, tests["p_value"], strict=True):
            if np.isfinite(p):
                axes.text(1.02, at, _p(p), transform=axes.get_yaxis_transform(), va="center", fontsize=9)
        axes.set_yticks(y, [str(test) for test in tests["test"]])
        axes.set_ylim(y.max() + 0.6, -0.6)
        axes.tick_params(axis="y", which="both", left=False, right=False)
        axes.set_xlabel("found / estimated")
        axes.set_title(titled(label, demonstration=demonstration), loc="left", fontsize=9.5)
        figure_header(figure, figures)
        save(figure, outputs)
    write_table(csv, table)


def _p(value: float) -> str:
    return f"p = {value:.{2 if value >= 0.1 else 3}f}" if value >= 0.001 else f"p = {value:.1g}"


FARTHEST = 3.0
"""Largest ratio that the frame holds; what is beyond, mostly hardly known, is an arrow with its numbers."""


def _ratios_of_tests(axes: Axes, tests: pd.DataFrame, y: Floats) -> None:
    """Draw ratios with errors; those beyond the frame as arrows, missing ones as a dash."""
    ratio, error = (tests[name].to_numpy(dtype=np.float64) for name in ("ratio", "ratio_error"))
    inside = ratio <= FARTHEST
    low, high = (
        np.nanmin((ratio - error)[inside], initial=0.8),
        np.nanmax((ratio + error)[inside], initial=1.2),
    )
    low, high = max(low, -0.2), min(high, 1.1 * FARTHEST)
    axes.set_xlim(low - 0.05 * (high - low), high + 0.05 * (high - low))
    axes.errorbar(
        ratio[inside], y[inside], xerr=error[inside], fmt="o", color="black", markersize=4, capsize=2
    )
    for at, value, spread in zip(y, ratio, error, strict=True):
        if not np.isfinite(value):
            axes.text(1, at, "none estimated", ha="center", va="center", fontsize=8, color="0.4",
                      bbox={"facecolor": "white", "edgecolor": "none", "pad": 1})  # fmt: skip
        elif value > FARTHEST:
            text = f"{value:.2g} ± {spread:.2g} →"
            axes.text(
                0.98, at, text, transform=axes.get_yaxis_transform(), ha="right", va="center", fontsize=8
            )


def draw_variations(
    variations: Path,
    outputs: Sequence[Path],
    csv: Path,
    *,
    label: str,
    processes: Mapping[str, Look],
    figures: FiguresConfig,
    demonstration: bool = False,
) -> None:
    """Draw the templates of each process under each systematic, up and down over nominal, bins in a row.

    Args:
        variations: CSV with ``region``, ``process``, ``systematic``, ``low``, ``high``, ``nominal``,
            ``nominal_error``, ``up``, ``down``, ``up_error``, ``down_error``: errors are those of the differences to
            nominal. It may be empty.
        outputs: figure files, .pdf or .png.
        csv: the numbers drawn.
        label: of the classifier.
        processes: look of every process.
        figures: the look.
        demonstration: whether weights were scaled: written into the figure.

    Raises:
        FileError: if the table cannot be read.
    """
    columns = (
        "region",
        "process",
        "systematic",
        "nominal",
        "nominal_error",
        "up",
        "up_error",
        "down",
        "down_error",
    )
    table = read_table(variations, columns, "inference", empty=True)
    names, kinds = list(dict.fromkeys(table["process"])), list(dict.fromkeys(table["systematic"]))
    with look(figures):
        height = 1.5 if len(kinds) < 10 else 1.1
        figure = Figure(figsize=(1.7 * max(len(names), 2) + 1.2, height * max(len(kinds), 1) + 1.5))
        panels = figure.subplots(
            max(len(kinds), 1), max(len(names), 1), sharex=True, sharey="row", squeeze=False
        )
        for row, kind in zip(panels, kinds, strict=False):
            for axes, name in zip(row, names, strict=True):
                _ratios(axes, table[(table["systematic"] == kind) & (table["process"] == name)])
            row[0].set_ylabel(kind.replace("_", " "), fontsize=9)
        for axes, name in zip(panels[0], names, strict=False):
            shown = processes[name]["label"] if name in processes else name
            axes.set_title(pretty(shown), loc="left", fontsize=8)
        if not kinds:
            panels[0, 0].text(0.5, 0.5, "no systematic varies\nany template", ha="center", va="center")
        for axes in panels[-1]:
            axes.set_xlabel("bin", fontsize=9)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.xaxis.set_minor_locator(NullLocator())
        handles, labels = entries_of(panels.flat)
        if labels:
            title = titled(label, "ratio to nominal", demonstration=demonstration)
            legend_below(figure, handles, labels, title)
        figure_header(figure, figures)
        save(figure, outputs)
    write_table(csv, table)


def _ratios(axes: Axes, table: pd.DataFrame) -> None:
    """Draw up and down over nominal for the bins of all regions, one after the other.

    A side that is not there, as of a smearing, is what the fit mirrors, and is not drawn.
    """
    if not len(table):
        axes.text(0.5, 0.5, "–", transform=axes.transAxes, ha="center", va="center", color="0.5")
        axes.tick_params(labelsize=8)
        return
    edges = np.arange(len(table) + 1)
    nominal = np.where(table["nominal"] > 0, table["nominal"], np.nan)
    error = table["nominal_error"].to_numpy() / nominal
    axes.stairs(1 + error, edges, baseline=1 - error, fill=True, color="0.85", label="stat. error of nominal")
    axes.axhline(1, color="0.3", linewidth=0.8)
    for side, colour, style, shift in (("up", UP, "--", 0.6), ("down", DOWN, "-.", 0.4)):
        ratio = table[side].to_numpy() / nominal
        if not np.isfinite(ratio).any():
            continue
        axes.stairs(ratio, edges, color=colour, linestyle=style, label=side, baseline=None)
        axes.errorbar(
            edges[:-1] + shift,
            ratio,
            table[f"{side}_error"] / nominal,
            fmt="none",
            color=colour,
            linewidth=0.9,
        )
    axes.tick_params(labelsize=8)
