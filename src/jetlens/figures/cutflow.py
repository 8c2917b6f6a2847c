"""What each cut leaves of each sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from jetlens.config.evaluation import FiguresConfig
from jetlens.figures.palette import Look
from jetlens.figures.style import header, legend_below, look, pretty, read_table, save, write_table

COLUMNS = ["sample", "process", "cut", "efficiency", "efficiency_error", "yield", "yield_error"]
MARKERS = "osD^v<>ph"


def draw_cutflow(
    cutflow: Path,
    outputs: Sequence[Path],
    csv: Path,
    *,
    processes: Mapping[str, Look],
    luminosity_fb: float,
    figures: FiguresConfig,
) -> None:
    """Draw the efficiency after each cut, per sample, with statistical errors; yields stand in the legend.

    Args:
        cutflow: ``skim/cutflow.csv``.
        outputs: figure files, .pdf or .png.
        csv: the numbers drawn.
        processes: look of every process.
        luminosity_fb: integrated luminosity of the yields [1/fb].
        figures: the look.

    Raises:
        FileError: if the table cannot be read.
    """
    table = read_table(cutflow, COLUMNS, "skim")
    groups = {str(name): own for name, own in table.groupby("sample", sort=False)}
    order = sorted(groups, key=lambda name: list(processes).index(groups[name]["process"].iloc[0]))
    cuts = list(dict.fromkeys(table["cut"]))
    with look(figures):
        figure = Figure(figsize=(5.4, 0.42 * len(cuts) + 0.2 * len(groups) + 1.4))
        axes = figure.add_subplot()
        y = np.arange(len(cuts))
        for number, sample in enumerate(order):
            own = groups[sample]
            last = own.iloc[-1]
            entry = processes[last["process"]]
            axes.errorbar(
                100 * own["efficiency"],
                y + 0.7 / len(groups) * (number - (len(groups) - 1) / 2),
                xerr=100 * own["efficiency_error"],
                color=entry["color"],
                marker=MARKERS[number % len(MARKERS)],
                markersize=4.5,
                linestyle="none",
                label=f"{_name(sample, table, processes)}: {_number(last['yield'], last['yield_error'])}",
            )
        for border in y[:-1] + 0.5:
            axes.axhline(border, color="0.85", linewidth=0.6, zorder=0)
        axes.set_yticks(y, [pretty(cut) for cut in cuts])
        axes.tick_params(axis="y", which="minor", left=False, right=False)
        axes.set_ylim(len(cuts) - 0.5, -0.5)
        axes.set_xlim(0, 105)
        axes.set_xlabel("Selected so far [%]")
        handles, labels = axes.get_legend_handles_labels()
        legend_below(figure, handles, labels, "expected events after all cuts")
        header(axes, figures, luminosity_fb)
        save(figure, outputs)
    write_table(csv, table[COLUMNS])


def _name(sample: str, table: pd.DataFrame, processes: Mapping[str, Look]) -> str:
    """Return the label of the process, with the sample's name if the process has several."""
    process = table.loc[table["sample"] == sample, "process"].iloc[0]
    several = table.loc[table["process"] == process, "sample"].nunique() > 1
    label = pretty(processes[process]["label"])
    return f"{label}, {sample.replace('_', ' ')}" if several else label


def _number(x: float, dx: float) -> str:
    """Return ``(2.70 ± 0.11) × 10⁶`` as mathtext, as many digits as the error is worth."""
    power = int(np.floor(np.log10(abs(x)))) if x else 0
    if -1 <= power < 4:
        digits = max(0, 1 - int(np.floor(np.log10(dx)))) if dx > 0 else 0
        return f"{x:.{digits}f} ± {dx:.{digits}f}"
    digits = max(0, 1 - int(np.floor(np.log10(dx / 10.0**power)))) if dx > 0 else 2
    return f"({x / 10.0**power:.{digits}f} ± {dx / 10.0**power:.{digits}f})$\\,\\times 10^{{{power}}}$"
