"""Limits against mass and expected significance, from the tables of the inference stage."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from jetlens.config.evaluation import FiguresConfig
from jetlens.figures.palette import Look, line
from jetlens.figures.style import (
    header,
    headroom,
    legend_below,
    look,
    pretty,
    read_table,
    save,
    scientific,
    titled,
    write_table,
)

LIMITS = ("mass_GeV", "expected_minus2", "expected_minus1", "expected", "expected_plus1", "expected_plus2")
RATIOS = ("expected_error", "reference", "ratio", "ratio_error")
"""Error of the simulation [fb]; variant that limits are compared to, ratio to its limit and its error."""
ONE_SIGMA, TWO_SIGMA = "#607641", "#f5bb54"
"""Colours of the bands, after CMS' colour-blind safe recommendation; also apart in grey."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
"""Of variants, apart from colours and dashes."""


def draw_limits(
    limits: Path,
    outputs: Sequence[Path],
    csv: Path,
    *,
    variant: str,
    label: str,
    figures: FiguresConfig,
    luminosity_fb: float,
    signal: str,
    theory: Mapping[str, float] | None = None,
    demonstration: bool = False,
) -> None:
    """Draw a variant's upper limits on σ·B against mass, with bands of ± 1 and ± 2 deviations.

    Args:
        limits: CSV with ``variant``, the confidence ``level`` and the columns :data:`LIMITS` [fb], optionally
            ``observed`` [fb], ``statistics_only`` [fb] and ``remark``; one line per variant and mass. Masses without a
            limit leave a gap, and are named with their remark.
        outputs: figure files, .pdf or .png.
        csv: the numbers drawn.
        variant: whose limits are drawn.
        label: its text in the legend.
        figures: the look.
        luminosity_fb: integrated luminosity [1/fb].
        signal: the process, for the axis.
        theory: σ·B [fb] by mass [GeV], drawn as a line.
        demonstration: whether weights were scaled: written into the figure.

    Raises:
        FileError: if the table cannot be read.
    """
    table = read_table(limits, ("variant", *LIMITS, "level"), "inference")
    table = table[table["variant"] == variant].sort_values("mass_GeV")
    level = "".join(f"{100 * each:g} % CL " for each in table["level"].dropna().unique())
    predicted = {float(mass): value for mass, value in (theory or {}).items()}
    with look(figures):
        figure = Figure(figsize=(4.6, 4.4))
        axes = figure.add_subplot()
        axes.set_yscale("log")
        drawn = _around(table)
        mass = drawn["mass_GeV"]
        for column, style, text in (
            ("observed", "-", "observed"),
            ("statistics_only", ":", "statistics only"),
        ):
            if column in drawn and drawn[column].notna().any():
                axes.plot(mass, drawn[column], style, color="black", label=text)
        if table["expected"].notna().any():
            axes.plot(mass, drawn["expected"], "--", color="black", label="median expected")
            _band(axes, drawn, "minus1", "plus1", ONE_SIGMA, "expected ± 1 std. deviation", 0.6)
            _band(axes, drawn, "minus2", "plus2", TWO_SIGMA, "expected ± 2 std. deviations", 0.5)
        if predicted:
            x = sorted(predicted)
            axes.plot(x, [predicted[m] for m in x], "-.", color="#bd1f01", label="theory")
        _mass_axis(axes, table, f"{level}limit on $\\sigma\\,B$({pretty(signal)}) [fb]")
        _legend_above(axes, titled(label, demonstration=demonstration))
        _missing(axes, table)
        header(axes, figures, luminosity_fb)
        save(figure, outputs)
    write_table(csv, table.assign(theory=[predicted.get(m, np.nan) for m in table["mass_GeV"]]))


def draw_limits_by_variant(
    limits: Path,
    outputs: Sequence[Path],
    csv: Path,
    *,
    variants: Mapping[str, Look],
    figures: FiguresConfig,
    luminosity_fb: float,
    signal: str,
    demonstration: bool = False,
) -> None:
    """Draw the median expected limits of all variants, and below their ratio to one of them.

    Variants of one mass stand side by side, so that equal limits do not cover each other. Bars are the errors of the
    simulation: of a limit, and of a ratio, of whose two limits the events are the same. They are errors of logarithms,
    so on a logarithmic axis they are as long up as down.

    Args:
        limits: table as of :func:`draw_limits`, with the columns :data:`RATIOS`.
        outputs: figure files, .pdf or .png.
        csv: the numbers drawn.
        variants: look of every variant, in the order of the legend.
        figures: the look.
        luminosity_fb: integrated luminosity [1/fb].
        signal: the process, for the axis.
        demonstration: as there.

    Raises:
        FileError: if the table cannot be read.
    """
    everything = read_table(limits, ("variant", *LIMITS, *RATIOS), "inference").sort_values("mass_GeV")
    tables = {name: everything[everything["variant"] == name].set_index("mass_GeV") for name in variants}
    reference = str(everything["reference"].iloc[0])
    base = tables[reference]
    step = _step(base.index, len(tables))
    with look(figures):
        figure = Figure(figsize=(4.6, 5.6))
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        upper.set_yscale("log")
        _mass_axis(upper, base.reset_index(), f"expected limit on\n$\\sigma\\,B$({pretty(signal)}) [fb]")
        relative = _around(_relative(base))
        _band(lower, relative, "minus1", "plus1", "0.85", "± 1 std. deviation of the reference")
        for number, (name, table) in enumerate(tables.items()):
            x = table.index + (number - (len(tables) - 1) / 2) * step
            style = {
                "marker": MARKERS[number % len(MARKERS)],
                "markersize": 4,
                "capsize": 2,
                **line(variants[name]),
            }
            label = pretty(variants[name]["label"])
            _points(upper, x, table["expected"], table["expected_error"], label=label, **style)
            if name != reference:
                _points(lower, x, table["ratio"], table["ratio_error"], **style)
        lower.axhline(1, **line(variants[reference]))
        half = 0.5 * len(tables) * step
        left, right = base.index.min() - half, base.index.max() + half
        room = max(0.03 * (right - left), step)
        upper.set_xlim(left - room, right + room)
        upper.margins(y=0.08)
        upper.set_xlabel("")
        _legend_above(upper, titled(demonstration=demonstration))
        _missing(upper, everything)
        lower.margins(y=0.08)
        headroom(lower, lower.get_ylim()[1], 0.14)
        lower.legend(loc="upper left", fontsize=8.5)
        lower.set_xlabel("$m$ [GeV]")
        lower.set_ylabel(f"ratio to\n{pretty(variants[reference]['label'])}")
        header(upper, figures, luminosity_fb)
        save(figure, outputs)
    write_table(csv, everything[["variant", *LIMITS, *RATIOS]])


def _step(masses: pd.Index, variants: int) -> float:
    """Return by how much variants of one mass stand apart [GeV]: all of them within a third of the way to the next."""
    gaps = np.diff(sorted(masses))
    return float(gaps.min() / 3 if len(gaps) else 0.04 * masses[0]) / max(variants, 1)


def _points(axes: Axes, x: pd.Index, value: pd.Series, error: pd.Series, **style: Any) -> None:
    """Draw values with bars of the error of their logarithm."""
    factor = np.exp((error / value).fillna(0.0).to_numpy())
    bars = np.stack([value * (1 - 1 / factor), value * (factor - 1)])
    axes.errorbar(x, value, bars, **style)


def _around(table: pd.DataFrame) -> pd.DataFrame:
    """A limit without neighbours has no width: it is drawn from 2 % below its mass to 2 % above."""
    known = table["expected"].notna()
    parts = []
    for _, part in table.groupby((known != known.shift()).cumsum(), sort=False):
        alone = len(part) == 1 and part["expected"].notna().all()
        parts += [part.assign(mass_GeV=f * part["mass_GeV"]) for f in (0.98, 1.02)] if alone else [part]
    return pd.concat(parts)


def _missing(axes: Axes, table: pd.DataFrame) -> None:
    """Say for which masses there is no limit, and why for the first of them."""
    gone = table[table["expected"].isna()]
    if not len(gone):
        return
    masses = ", ".join(f"{mass:g}" for mass in sorted(set(gone["mass_GeV"])))
    reason = str(gone["remark"].iloc[0]) if "remark" in gone else "not computable"
    text = "\n".join(textwrap.wrap(f"{masses} GeV: {reason}", 52)[:7])
    axes.text(0.03, 0.03, text, transform=axes.transAxes, fontsize=7.5, va="bottom")


def draw_significance(
    significance: Path,
    outputs: Sequence[Path],
    csv: Path,
    *,
    against: str,
    axis_label: str,
    variants: Mapping[str, Look],
    figures: FiguresConfig,
    where: Mapping[str, Any] | None = None,
    luminosity_fb: float | None = None,
    demonstration: bool = False,
) -> None:
    """Draw the expected significance against luminosity, or against the cut on a classifier's output.

    Args:
        significance: CSV with ``variant``, the column ``against``, ``significance``, and optionally its
            ``significance_error``. Lines without a significance, where the simulation cannot give one, leave a gap.
        outputs: figure files, .pdf or .png.
        csv: the numbers drawn.
        against: column along x: ``luminosity_fb`` (logarithmic) or ``signal_efficiency``.
        axis_label: of the x axis.
        variants: look of every variant, in the order of the legend.
        figures: the look.
        where: value by column of the lines that are drawn; None: all.
        luminosity_fb: integrated luminosity [1/fb], where it is one.
        demonstration: whether weights were scaled: written into the figure.

    Raises:
        FileError: if the table cannot be read.
    """
    table = read_table(significance, ("variant", against, "significance"), "inference", empty=True)
    for column, value in (where or {}).items():
        table = table[table[column] == value]
    if "significance_error" not in table:
        table = table.assign(significance_error=np.nan)
    table = table[["variant", against, "significance", "significance_error"]]
    known = table.dropna(subset=["significance"])
    with look(figures):
        figure = Figure(figsize=(4.6, 4.2))
        axes = figure.add_subplot()
        if against == "luminosity_fb":
            axes.set_xscale("log")
            shown = sorted(set(table[against]))
            axes.set_xticks(shown, [f"{x:g}" for x in shown])
            axes.xaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: scientific(y)))
        for name in (name for name in variants if name in set(known["variant"])):
            own, style = table[table["variant"] == name].sort_values(against), line(variants[name])
            label = pretty(variants[name]["label"])
            axes.plot(own[against], own["significance"], marker="o", markersize=3, label=label, **style)
            low, high = (own["significance"] + sign * own["significance_error"] for sign in (-1, 1))
            axes.fill_between(own[against], low, high, color=style["color"], alpha=0.2, linewidth=0)
        axes.set(xlabel=axis_label, ylabel="Expected significance $Z$")
        if len(known):
            top = max(float((known["significance"] + known["significance_error"].fillna(0)).max()), 1e-12)
            axes.set_ylim(0, top)
            _legend_above(axes, titled(demonstration=demonstration), "upper left", 0.08)
            _levels(axes, top)
        else:
            text = "not computable from this simulation:\nthe table's remarks say what is missing"
            axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center")
        header(axes, figures, luminosity_fb)
        save(figure, outputs)
    write_table(csv, table)


def _levels(axes: Axes, top: float) -> None:
    for level in (3, 5):
        if level < top:
            axes.axhline(level, color="0.5", linewidth=0.8, linestyle=":")
            axes.text(0.99, level, f"{level}σ", transform=axes.get_yaxis_transform(), ha="right", va="bottom")


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
    masses = _around(table)["mass_GeV"]
    low, high = masses.min(), masses.max()
    axes.set_xlim(*((low, high) if table["mass_GeV"].nunique() > 1 else (0.94 * low, 1.07 * high)))
    axes.set(xlabel="$m$ [GeV]", ylabel=label)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: scientific(y)))
    axes.yaxis.set_minor_formatter(FuncFormatter(lambda y, _: _between(axes, y)))


def _between(axes: Axes, y: float) -> str:
    """Return the label of 2 and 5 between powers of ten where the axis spans few of them, of all in a part of one."""
    low, high = axes.get_ylim()
    shown = "123456789" if high < 4 * low else "25" if high < 300 * low else ""
    return scientific(y) if f"{y:e}"[0] in shown else ""


FEW = 6
"""Lines that a legend has room for inside of the frame."""
LONG = 38
"""Letters that a line of its heading has room for."""


def _legend_above(axes: Axes, note: str, where: str = "upper right", share: float = 0.062) -> None:
    """Put the legend into room of its own above the lines, the note as its title; a long one below the figure.

    Args:
        axes: with all that is drawn.
        note: heading, may be empty.
        where: corner.
        share: of the height that each line of the legend takes.
    """
    handles, labels = axes.get_legend_handles_labels()
    low, high = axes.get_ylim()
    axes.set_ylim(low, high)
    lines = textwrap.wrap(note, LONG)
    if len(labels) > FEW:
        figure = axes.get_figure(root=True)
        assert isinstance(figure, Figure)
        headroom(axes, high, 0.05)
        legend_below(figure, handles, labels, note)
        renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
        room = figure.legends[-1].get_window_extent(renderer).height / figure.dpi
        figure.set_figheight(figure.get_figheight() + room)
        return
    headroom(axes, high, share * (len(labels) + 0.5 + len(lines)))
    axes.legend(handles, labels, **{"loc": where, **_title("\n".join(lines))})


def _title(text: str) -> dict[str, Any]:
    """Return what heads a legend, as matplotlib takes it; nothing if there is nothing to say."""
    return {"title": text, "title_fontsize": 9.5, "alignment": "left"} if text else {}
