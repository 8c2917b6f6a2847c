"""Limits against mass and expected significance, from the tables of the inference stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from jetlens.config.evaluation import FiguresConfig
from jetlens.errors import NoEventsError
from jetlens.figures.palette import Look, line
from jetlens.figures.style import header, headroom, look, pretty, read_table, save, write_table

LIMITS = ("mass_GeV", "expected_minus2", "expected_minus1", "expected", "expected_plus1", "expected_plus2")
ONE_SIGMA, TWO_SIGMA = "#607641", "#f5bb54"
"""Colours of the bands, after CMS' colour-blind safe recommendation; also apart in grey."""


def draw_limits(
    limits: Path,
    outputs: Sequence[Path],
    csv: Path,
    *,
    figures: FiguresConfig,
    luminosity_fb: float,
    signal: str,
    theory: Mapping[float, float] | None = None,
    note: str = "",
) -> None:
    """Draw upper limits at 95 % confidence on σ·B against mass, with bands of ± 1 and ± 2 standard deviations.

    Args:
        limits: CSV with the columns :data:`LIMITS` [fb], optionally ``observed`` [fb]; one line per mass. Lines whose
            ``expected`` is empty are masses for which no limit could be computed: they leave a gap.
        outputs: figure files, .pdf or .png.
        csv: the numbers drawn.
        figures: the look.
        luminosity_fb: integrated luminosity [1/fb].
        signal: the process, for the axis.
        theory: σ·B [fb] by mass [GeV], drawn as a line.
        note: what the reader must know, such as "demonstration: weights scaled"; written into the figure.

    Raises:
        FileError: if the table cannot be read.
        NoEventsError: if it holds no limit at all.
    """
    table = read_table(limits, LIMITS, "inference").sort_values("mass_GeV")
    _refuse_empty(table["expected"], limits)
    with look(figures):
        figure = Figure(figsize=(4.6, 4.4))
        axes = figure.add_subplot()
        axes.set_yscale("log")
        mass = table["mass_GeV"]
        if "observed" in table and table["observed"].notna().any():
            axes.plot(mass, table["observed"], "o-", color="black", markersize=4, label="observed")
        axes.plot(mass, table["expected"], "--", color="black", label="median expected")
        _band(axes, table, "minus1", "plus1", ONE_SIGMA, "expected ± 1 std. deviation", 0.6)
        _band(axes, table, "minus2", "plus2", TWO_SIGMA, "expected ± 2 std. deviations", 0.5)
        if theory:
            x = sorted(theory)
            axes.plot(x, [theory[m] for m in x], "-.", color="#bd1f01", label="theory")
        _mass_axis(axes, table, f"95 % CL limit on $\\sigma\\,B$({pretty(signal)}) [fb]")
        _legend_above(axes, note)
        header(axes, figures, luminosity_fb)
        save(figure, outputs)
    write_table(csv, table.assign(theory=[(theory or {}).get(m, np.nan) for m in mass]))


def draw_limits_by_variant(
    limits: Mapping[str, Path],
    outputs: Sequence[Path],
    csv: Path,
    *,
    variants: Mapping[str, Look],
    figures: FiguresConfig,
    luminosity_fb: float,
    signal: str,
    reference: str | None = None,
) -> None:
    """Draw the median expected limits of all variants, and below their ratio to one of them.

    Args:
        limits: tables as of :func:`draw_limits`, by variant.
        outputs: figure files, .pdf or .png.
        csv: the numbers drawn.
        variants: look of every variant, in the order of the legend.
        figures: the look.
        luminosity_fb: integrated luminosity [1/fb].
        signal: the process, for the axis.
        reference: variant that the ratio is taken to; default: the last one.

    Raises:
        FileError: if a table cannot be read.
        NoEventsError: if one holds no limit at all.
    """
    tables = {
        name: read_table(limits[name], LIMITS, "inference").sort_values("mass_GeV").set_index("mass_GeV")
        for name in variants
        if name in limits
    }
    for name, table in tables.items():
        _refuse_empty(table["expected"], limits[name])
    base = tables[reference or list(tables)[-1]]
    with look(figures):
        figure = Figure(figsize=(4.6, 5.4))
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        upper.set_yscale("log")
        for name, table in tables.items():
            style = {"marker": "o", "markersize": 3.5, **line(variants[name])}
            upper.plot(table.index, table["expected"], label=pretty(variants[name]["label"]), **style)
            lower.plot(table.index, table["expected"] / base["expected"].reindex(table.index), **style)
        _band(lower, _relative(base), "minus1", "plus1", "0.85", "± 1 std. deviation of the reference")
        first = base.reset_index()
        _mass_axis(upper, first, f"expected limit on\n$\\sigma\\,B$({pretty(signal)}) [fb]")
        upper.set_xlabel("")
        _legend_above(upper, "")
        lower.legend(loc="best", fontsize=8.5)
        lower.set_xlabel("$m$ [GeV]")
        shown = variants[reference or list(tables)[-1]]["label"]
        lower.set_ylabel(f"ratio to\n{pretty(shown)}")
        header(upper, figures, luminosity_fb)
        save(figure, outputs)
    write_table(csv, pd.concat([t.reset_index().assign(variant=name) for name, t in tables.items()]))


def draw_significance(
    significance: Path,
    outputs: Sequence[Path],
    csv: Path,
    *,
    against: str,
    axis_label: str,
    variants: Mapping[str, Look],
    figures: FiguresConfig,
    luminosity_fb: float | None = None,
) -> None:
    """Draw the expected significance against luminosity, or against the cut on a classifier's output.

    Args:
        significance: CSV with ``variant``, the column ``against``, ``significance``, and its interval
            ``significance_low`` and ``significance_high``. Lines without a significance, where the simulation cannot
            give one, leave a gap.
        outputs: figure files, .pdf or .png.
        csv: the numbers drawn.
        against: column along x: ``luminosity_fb`` (logarithmic) or ``signal_efficiency``.
        axis_label: of the x axis.
        variants: look of every variant, in the order of the legend.
        figures: the look.
        luminosity_fb: integrated luminosity [1/fb], where it is one.

    Raises:
        FileError: if the table cannot be read.
        NoEventsError: if it holds no significance at all.
    """
    columns = ("variant", against, "significance", "significance_low", "significance_high")
    table = read_table(significance, columns, "inference")
    _refuse_empty(table["significance"], significance)
    with look(figures):
        figure = Figure(figsize=(4.6, 4.2))
        axes = figure.add_subplot()
        if against == "luminosity_fb":
            axes.set_xscale("log")
        for name in (name for name in variants if name in set(table["variant"])):
            own, style = table[table["variant"] == name].sort_values(against), line(variants[name])
            label = pretty(variants[name]["label"])
            axes.plot(own[against], own["significance"], marker="o", markersize=3, label=label, **style)
            low, high = own["significance_low"], own["significance_high"]
            axes.fill_between(own[against], low, high, color=style["color"], alpha=0.2, linewidth=0)
        top = float(table[["significance", "significance_high"]].max().max())
        axes.set_ylim(0, top)
        headroom(axes, top, 0.08 * (len(variants) + 1))
        for level in (3, 5):
            if level < top:
                axes.axhline(level, color="0.5", linewidth=0.8, linestyle=":")
                axes.text(
                    0.99, level, f"{level}σ", transform=axes.get_yaxis_transform(), ha="right", va="bottom"
                )
        axes.set(xlabel=axis_label, ylabel="Expected significance $Z$")
        axes.legend(loc="upper left")
        header(axes, figures, luminosity_fb)
        save(figure, outputs)
    write_table(csv, table[list(columns)])


def _band(
    axes: Axes, table: pd.DataFrame, low: str, high: str, colour: str, label: str, layer: float = 0.5
) -> None:
    edges = table[f"expected_{low}"], table[f"expected_{high}"]
    axes.fill_between(table["mass_GeV"], *edges, color=colour, linewidth=0, label=label, zorder=layer)


def _relative(table: pd.DataFrame) -> pd.DataFrame:
    """Return the bands of limits divided by their median."""
    bands = {name: table[name] / table["expected"] for name in LIMITS[1:]}
    return pd.DataFrame({"mass_GeV": table.index, **{name: band.to_numpy() for name, band in bands.items()}})


def _mass_axis(axes: Axes, table: pd.DataFrame, label: str) -> None:
    axes.set_xlim(table["mass_GeV"].min(), table["mass_GeV"].max())
    axes.set(xlabel="$m$ [GeV]", ylabel=label)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    axes.yaxis.set_minor_formatter(FuncFormatter(lambda y, _: _between(axes, y)))


def _between(axes: Axes, y: float) -> str:
    """Return the label of 2 and 5 between powers of ten, where the axis spans few of them."""
    low, high = axes.get_ylim()
    return f"{y:g}" if high < 300 * low and f"{y:e}"[0] in "25" else ""


def _legend_above(axes: Axes, note: str) -> None:
    """Put the legend into room of its own above the lines, the note as its title."""
    handles, labels = axes.get_legend_handles_labels()
    low, high = axes.get_ylim()
    axes.set_ylim(low, high)
    headroom(axes, high, 0.062 * (len(labels) + 0.5 + bool(note)))
    settings: dict[str, Any] = {"title": note, "title_fontsize": 9.5, "alignment": "left"} if note else {}
    axes.legend(handles, labels, loc="upper right", **settings)


def _refuse_empty(values: pd.Series, path: Path) -> None:
    if not values.notna().any():
        raise NoEventsError(f"{path}: holds no number that could be computed; its notes say what is missing")
