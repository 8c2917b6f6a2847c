"""What a fit did: post-fit stacks with ratio, pulls and impacts of its parameters, and the variations behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from jetlens.config.evaluation import FiguresConfig
from jetlens.figures.palette import COLOURS, Look, line
from jetlens.figures.style import (
    figure_header,
    headroom,
    legend_below,
    look,
    pretty,
    read_table,
    save,
    stack,
    titled,
    uncertainty_band,
    write_table,
)

Floats = NDArray[np.float64]
UP, DOWN = COLOURS["signal"][0], COLOURS["background"][0]


def draw_postfit(
    yields: Path,
    outputs: Sequence[Path],
    csv: Path,
    *,
    processes: Mapping[str, Look],
    figures: FiguresConfig,
    luminosity_fb: float,
    observable: str,
    label: str = "",
    demonstration: bool = False,
) -> None:
    """Draw the fitted events of each region by process, with data where unblinded, and the ratio below.

    Args:
        yields: CSV with ``region``, ``process``, ``low``, ``high``, ``events``, ``error``; the process ``total`` is
            the sum of all that is stacked, its ``error`` that of the prediction with all correlations; ``data``, if
            there are any, are counts. Errors of other processes may be empty.
        outputs: figure files, .pdf or .png.
        csv: the numbers drawn.
        processes: look of every process; signals are drawn as lines.
        figures: the look.
        luminosity_fb: integrated luminosity [1/fb].
        observable: label of the x axis, with its unit.
        label: of the classifier.
        demonstration: whether weights were scaled: written into the figure.

    Raises:
        FileError: if the table cannot be read.
    """
    table = read_table(yields, ("region", "process", "low", "high", "events", "error"), "inference")
    regions = {str(name): own for name, own in table.groupby("region", sort=False)}
    with look(figures):
        figure = Figure(figsize=(4.0 * len(regions) + 0.8, 5.8))
        panels = figure.subplots(2, len(regions), sharex="col", height_ratios=(3, 1), squeeze=False)
        for (upper, lower), (name, own) in zip(panels.T, regions.items(), strict=True):
            _stack_of_region(upper, lower, own, processes)
            upper.set_title(name.replace("_", " "), loc="right", fontsize=10)
            lower.set_xlabel(observable)
        handles, labels = panels[0, 0].get_legend_handles_labels()
        title = titled(label, "background fit", demonstration=demonstration)
        legend_below(figure, handles[::-1], labels[::-1], title)
        figure_header(figure, figures, luminosity_fb)
        save(figure, outputs)
    write_table(csv, table)


def _stack_of_region(upper: Axes, lower: Axes, table: pd.DataFrame, processes: Mapping[str, Look]) -> None:
    groups = {str(name): own.sort_values("low") for name, own in table.groupby("process", sort=False)}
    total = groups["total"]
    edges = np.append(total["low"], total["high"].iloc[-1])
    value, error = total["events"].to_numpy(), total["error"].to_numpy()
    backgrounds = [name for name in processes if name in groups and processes[name]["role"] != "signal"]
    backgrounds.sort(key=lambda name: float(groups[name]["events"].sum()))
    upper.set_yscale("log")
    heights = [groups[name]["events"].to_numpy() for name in backgrounds]
    stack(upper, heights, edges, [processes[name] for name in backgrounds])
    uncertainty_band(upper, value - error, value + error, edges, "uncertainty")
    lowest = float(value[value > 0].min()) / 10
    for name in (name for name in processes if name in groups and processes[name]["role"] == "signal"):
        events = groups[name]["events"].to_numpy()
        if not (events > 0).any():  # no limit was found at which to draw it
            continue
        lowest = min(lowest, 0.3 * float(events.max()))
        label = f"{pretty(processes[name]['label'])} at its limit"
        upper.stairs(events, edges, linewidth=1.8, label=label, **line(processes[name]))
    if "data" in groups:
        _data(upper, lower, edges, groups["data"]["events"].to_numpy(), value)
    share = np.divide(error, value, out=np.zeros_like(error), where=value > 0)
    centre = 1 if "data" in groups else 0
    uncertainty_band(lower, centre - share, centre + share, edges, "", floor=-np.inf)
    lower.axhline(centre, color="0.3", linewidth=0.8)
    reach = 1.3 * float(share.max()) or 0.1
    lower.set(ylim=None if "data" in groups else (-reach, reach), xlim=(edges[0], edges[-1]))
    lower.set_ylabel("data / fit" if "data" in groups else "rel. unc.")
    upper.set_ylabel("Events / bin")
    top = float((value + error).max())
    upper.set_ylim(max(0.5 * lowest, top * 1e-7), top)
    headroom(upper, 1.2 * top, 0.05)


def _data(upper: Axes, lower: Axes, edges: Floats, counts: Floats, prediction: Floats) -> None:
    """Draw counts with √n errors, and their ratio to the prediction."""
    centres, error = (edges[1:] + edges[:-1]) / 2, np.sqrt(counts)
    there = prediction > 0
    upper.errorbar(
        centres, counts, error, color="black", marker="o", markersize=3.5, linestyle="none", label="data"
    )
    lower.errorbar(
        centres[there], counts[there] / prediction[there], error[there] / prediction[there],
        color="black", marker="o", markersize=3.5, linestyle="none",
    )  # fmt: skip


def draw_pulls(
    pulls: Path,
    outputs: Sequence[Path],
    csv: Path,
    *,
    figures: FiguresConfig,
    label: str = "",
    largest: int = 20,
    demonstration: bool = False,
) -> None:
    """Draw the parameters of a fit: impact on the signal strength on the left, pull and constraint on the right.

    Args:
        pulls: CSV with ``parameter``, ``pull`` and ``constraint`` in units of the uncertainty before the fit, and
            ``impact_up``, ``impact_down``: the change of the signal strength when the parameter is held one post-fit
            standard deviation up or down. Parameters without a prior have an empty pull.
        outputs: figure files, .pdf or .png.
        csv: the numbers drawn.
        figures: the look.
        label: of the classifier, above the legend.
        largest: how many parameters are drawn, by impact.
        demonstration: whether weights were scaled: written into the figure.

    Raises:
        FileError: if the table cannot be read.
    """
    columns = ("parameter", "pull", "constraint", "impact_up", "impact_down")
    table = read_table(pulls, columns, "inference")
    table = table.dropna(subset=["impact_up", "impact_down"], how="all")
    size = table[["impact_up", "impact_down"]].abs().max(axis=1)
    table = table.loc[size.sort_values(ascending=False).index].head(largest)
    y = np.arange(len(table))
    with look(figures):
        figure = Figure(figsize=(5.6, 0.28 * len(table) + 1.5))
        left, right = figure.subplots(1, 2, sharey=True)
        for key, colour, hatched, shift in (("impact_up", UP, "////", -0.2), ("impact_down", DOWN, "", 0.2)):
            side = "+1σ" if key == "impact_up" else "−1σ"
            left.barh(y + shift, table[key], 0.4, color=colour, hatch=hatched, edgecolor="white", label=side)
        left.axvline(0, color="0.3", linewidth=0.8)
        for level, shade in ((2, "0.93"), (1, "0.83")):
            right.axvspan(-level, level, color=shade, linewidth=0)
        right.errorbar(table["pull"], y, xerr=table["constraint"], fmt="o", color="black", markersize=4)
        reach = max(2.4, float((table["pull"].abs() + table["constraint"]).max()) * 1.05)
        right.set_xlim(-reach, reach)
        left.set_yticks(y, [str(name).replace("_", " ") for name in table["parameter"]])
        left.set_ylim(len(table) - 0.4, -0.6)
        for axes in (left, right):
            axes.tick_params(axis="y", which="minor", left=False, right=False)
        left.set_xlabel("impact on $\\mu$")
        right.set_xlabel("pull [pre-fit σ]")
        handles, labels = left.get_legend_handles_labels()
        legend_below(figure, handles, labels, titled(label, demonstration=demonstration))
        figure_header(figure, figures)
        save(figure, outputs)
    write_table(csv, table[list(columns)])
