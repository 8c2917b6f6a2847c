"""What each cut leaves of each sample."""

from __future__ import annotations

import csv as csv_module
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from jetlens.config.evaluation import FiguresConfig
from jetlens.errors import FileError
from jetlens.figures.style import SIGNAL_COLOUR, background_colour, header, look, pretty, save, write_table


def draw_cutflow(
    cutflow: Path,
    outputs: Sequence[Path],
    csv: Path,
    *,
    signals: Sequence[str],
    luminosity_fb: float,
    figures: FiguresConfig,
) -> None:
    """Draw the efficiency after each cut, per sample, with statistical errors; yields stand in the legend.

    Args:
        cutflow: ``skim/cutflow.csv``.
        outputs: figure files, .pdf or .png.
        csv: the numbers drawn.
        signals: names of the samples with the role signal, drawn as such.
        luminosity_fb: integrated luminosity of the yields [1/fb].
        figures: the look.

    Raises:
        FileError: if the table cannot be read.
    """
    rows = _read(cutflow)
    samples = list(dict.fromkeys(row["sample"] for row in rows))
    cuts = list(dict.fromkeys(row["cut"] for row in rows))
    columns: dict[str, list[Any]] = {
        key: [] for key in ("sample", "cut", "efficiency", "efficiency_error", "yield", "yield_error")
    }
    with look(figures):
        figure = Figure(figsize=(6.4, 0.42 * len(cuts) + 2.2))
        axes = figure.add_subplot()
        y = np.arange(len(cuts))
        backgrounds = list(dict.fromkeys(row["process"] for row in rows if row["sample"] not in signals))
        for number, sample in enumerate(samples):
            own = [row for row in rows if row["sample"] == sample]
            signal = sample in signals
            last = own[-1]
            colour = SIGNAL_COLOUR if signal else background_colour(backgrounds.index(last["process"]))
            label = f"{pretty(last['process'])}: {_number(last['yield'], last['yield_error'])} events"
            axes.errorbar(
                [100 * float(row["efficiency"]) for row in own],
                y + 0.14 * (number - (len(samples) - 1) / 2),
                xerr=[100 * float(row["efficiency_error"]) for row in own],
                color=colour,
                marker="o" if signal else "s",
                markersize=5,
                linestyle="none",
                label=label,
            )
            for row in own:
                for key, values in columns.items():
                    values.append(row[key] if key in ("sample", "cut") else float(row[key]))
        for line in y[:-1] + 0.5:
            axes.axhline(line, color="0.85", linewidth=0.6, zorder=0)
        axes.set_yticks(y, [pretty(cut) for cut in cuts])
        axes.tick_params(axis="y", which="minor", left=False, right=False)
        axes.set_ylim(len(cuts) - 0.5, -0.5)
        axes.set_xlim(0, 105)
        axes.set_xlabel("Selected so far [%]")
        figure.legend(loc="outside lower center", ncols=2 if len(samples) < 7 else 3, title="after all cuts")
        header(axes, figures, luminosity_fb)
        save(figure, outputs)
    write_table(csv, columns)


def _read(path: Path) -> list[dict[str, str]]:
    try:
        with Path(path).open(encoding="utf-8", newline="") as stream:
            rows = list(csv_module.DictReader(stream))
    except OSError as error:
        raise FileError(f"{path}: cannot be read; run the skim stage first") from error
    if not rows or "efficiency" not in rows[0]:
        raise FileError(f"{path}: is no cutflow table; make it again with the skim stage")
    return rows


def _number(value: str, error: str) -> str:
    """Return ``(2.70 ± 0.11) × 10⁶`` as mathtext, as many digits as the error is worth."""
    x, dx = float(value), float(error)
    power = int(np.floor(np.log10(abs(x)))) if x else 0
    if -1 <= power < 4:
        digits = max(0, 1 - int(np.floor(np.log10(dx)))) if dx > 0 else 0
        return f"{x:.{digits}f} ± {dx:.{digits}f}"
    digits = max(0, 1 - int(np.floor(np.log10(dx / 10.0**power)))) if dx > 0 else 2
    return f"({x / 10.0**power:.{digits}f} ± {dx / 10.0**power:.{digits}f})$\\,\\times 10^{{{power}}}$"
