"""The look that all figures share, and how they are written.

Colours of processes and variants are in :mod:`jetlens.figures.palette`; maps use perceptually uniform scales.
Files are deterministic: the same numbers give the same bytes.
Figures are made without pyplot, so no window system is needed and the state of a notebook stays as it is.
"""

from __future__ import annotations

import contextlib
import functools
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from jetlens.config.evaluation import FiguresConfig
from jetlens.config.inference import DEMONSTRATION
from jetlens.errors import FileError
from jetlens.figures.palette import COLOURS, Look, hatch, line
from jetlens.files import atomic_path

EMPTY_COLOUR = "0.93"
SEQUENTIAL = "viridis"
DIVERGING = "PuOr_r"

_RC: dict[Any, Any] = {
    "font.size": 11,
    "mathtext.fontset": "dejavusans",
    "mathtext.default": "regular",
    "axes.labelsize": 12,
    "axes.titlesize": 11,
    "axes.linewidth": 0.9,
    "axes.formatter.use_mathtext": True,
    "axes.formatter.limits": (-3, 4),
    "xaxis.labellocation": "right",
    "yaxis.labellocation": "top",
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "xtick.minor.visible": True,
    "ytick.minor.visible": True,
    "xtick.major.size": 6,
    "ytick.major.size": 6,
    "xtick.minor.size": 3,
    "ytick.minor.size": 3,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "legend.handlelength": 1.8,
    "lines.linewidth": 1.6,
    "hatch.linewidth": 0.6,
    "figure.constrained_layout.use": True,
    "pdf.fonttype": 42,
    "path.simplify": False,
    "svg.hashsalt": "jetlens",
}


@contextlib.contextmanager
def look(figures: FiguresConfig) -> Iterator[None]:
    """Give figures the project's look within a context, whatever the user's own matplotlib settings."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_RC)
        matplotlib.rcParams["font.family"] = _fonts()
        matplotlib.rcParams["savefig.dpi"] = figures.dpi
        yield


@functools.cache
def _fonts() -> list[str]:
    """Return the fonts to use: matplotlib logs each text that is set in a machine's missing one."""
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return [name for name in ("TeX Gyre Heros", "DejaVu Sans") if name in installed]


def header(axes: Axes, figures: FiguresConfig, luminosity_fb: float | None = None) -> None:
    """Write the label at the upper left and ``3000 fb⁻¹ (14 TeV)`` at the upper right, outside the frame.

    Args:
        axes: where to; of several panels the upper left one, or the same for the right with an empty label.
        figures: label and centre-of-mass energy.
        luminosity_fb: integrated luminosity [1/fb]; None where the figure does not depend on it.
    """
    axes.text(
        0, 1.015, figures.label, transform=axes.transAxes, ha="left", va="bottom", style="italic", size=11
    )
    axes.text(
        1,
        1.015,
        conditions(figures, luminosity_fb),
        transform=axes.transAxes,
        ha="right",
        va="bottom",
        size=11,
    )


def figure_header(figure: Figure, figures: FiguresConfig, luminosity_fb: float | None = None) -> None:
    """As :func:`header`, for a figure of several panels."""
    figure.suptitle(" ", size=17)  # constrained layout keeps the room
    figure.text(0.012, 0.99, figures.label, ha="left", va="top", style="italic", size=12)
    figure.text(0.988, 0.99, conditions(figures, luminosity_fb), ha="right", va="top", size=12)


def conditions(figures: FiguresConfig, luminosity_fb: float | None = None) -> str:
    """Return ``3000 fb⁻¹ (14 TeV)``, or the energy alone."""
    energy = f"{figures.energy_tev:g} TeV"
    return (
        f"$\\sqrt{{s}}$ = {energy}" if luminosity_fb is None else f"{luminosity_fb:g} fb$^{{-1}}$ ({energy})"
    )


def pretty(text: str) -> str:
    """Set as mathtext what plain fonts cannot: a letter with a combining bar (t̄), an index (pT)."""
    text = re.sub("(\\w)[\u0304\u0305]", r"$\\bar{\1}$", text)
    return re.sub(r"\bpT\b", "$p_T$", text)


def titled(*parts: str, demonstration: bool = False) -> str:
    """Return what a legend is headed with; where weights were scaled, the figure itself says so."""
    return ", ".join(filter(None, [*map(pretty, parts), DEMONSTRATION if demonstration else ""]))


def indexed(name: str) -> str:
    """Set the numbers of jets as indices: ``J1+J2`` becomes mathtext."""
    return re.sub(r"\b([Jj])(\d+)", r"$\1_{\2}$", name)


def line_style(number: int) -> dict[str, Any]:
    """Colour and dashes of the n-th line where lines are neither processes nor variants."""
    colours = COLOURS["variant"]
    return line({"color": colours[number % len(colours)], "number": number})


def headroom(axes: Axes, top: float, share: float) -> None:
    """Raise the upper end of the y axis so that data up to ``top`` leaves ``share`` of the height free."""
    low = axes.get_ylim()[0]
    if axes.get_yscale() == "log":
        axes.set_ylim(low, float(np.exp(np.log(low) + (np.log(top) - np.log(low)) / (1 - share))))
    else:
        axes.set_ylim(low, low + (top - low) / (1 - share))


def stack(axes: Axes, heights: Sequence[ArrayLike], edges: ArrayLike, looks: Sequence[Look]) -> None:
    """Draw stacked, filled histograms, the first one at the bottom, told apart by colour and hatch."""
    import mplhep  # as slow to import as all else together, and only for stacks

    mplhep.histplot(
        [np.asarray(row) for row in heights],
        np.asarray(edges),
        ax=axes,
        stack=True,
        histtype="fill",
        color=[own["color"] for own in looks],
        hatch=[hatch(own) for own in looks],
        label=[pretty(own["label"]) for own in looks],
        flow="none",
        edgecolor="white",
        linewidth=0.3,
    )


def uncertainty_band(
    axes: Axes, low: ArrayLike, high: ArrayLike, edges: ArrayLike, label: str, floor: float = 0.0
) -> None:
    """Hatch the range of an uncertainty per bin, as far down as ``floor``: events are never below 0."""
    baseline = np.maximum(np.asarray(low), floor)
    axes.stairs(
        high, edges, baseline=baseline, fill=True, facecolor="none", edgecolor="0.2",
        hatch="//////", linewidth=0, label=label,
    )  # fmt: skip


def entries_of(panels: Iterable[Axes]) -> tuple[list[Any], list[str]]:
    """Return handles and labels of all that panels name, each label once: not every panel need hold every line."""
    found = [axes.get_legend_handles_labels() for axes in panels]
    named = {text: handle for handles, texts in found for handle, text in zip(handles, texts, strict=True)}
    return list(named.values()), list(named)


def legend_below(figure: Figure, handles: Sequence[Any], labels: Sequence[str], title: str) -> None:
    """Put a legend under all panels, in two columns if they fit; a long title is broken into lines."""
    title = "\n".join(
        textwrap.wrap(title, int(11 * figure.get_figwidth()))
    )  # 11 of its letters are an inch, nearly
    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    for ncols in (2, 1):
        legend = figure.legend(
            handles, labels, loc="outside lower center", ncols=ncols, title=title,
            columnspacing=1.2, handletextpad=0.6, fontsize=9,
        )  # fmt: skip
        if ncols == 1 or legend.get_window_extent(renderer).width < 0.98 * figure.bbox.width:
            return
        legend.remove()


def mark_flow(axes: Axes, below: bool, above: bool) -> None:
    """Say beside the frame whether the first or last bin also holds what lies beyond."""
    ends = (("first bin incl. underflow", below), ("last bin incl. overflow", above))
    text = ",\n".join(words for words, there in ends if there)
    axes.text(1.012, 0.98, text, transform=axes.transAxes, rotation=90, ha="left", va="top", size=8)


def scientific(x: float) -> str:
    """Return ``7.4 · 10⁷`` as mathtext, two digits, a power of ten without them; small powers as a plain number."""
    power = int(np.floor(np.log10(abs(x)))) if x else 0
    if -2 <= power < 3:
        return f"{x:.2g}" if power < 2 else f"{x:.0f}"
    digits = f"{x / 10.0**power:.1f}"
    times = "" if digits == "1.0" else digits + r"$\cdot$"
    return f"{times}$10^{{{power}}}$"


def save(figure: Figure, outputs: Sequence[Path]) -> None:
    """Write a figure to each path, in the format that its suffix names; no time stamps, nothing half-written.

    Raises:
        FileError: for another suffix than ``.pdf`` or ``.png``.
    """
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)  # once for all formats: it is the slowest part
        figure.set_layout_engine("none")
        for axes in figure.axes:  # the solver's last digits depend on the order of sets
            axes.set_position(np.round(axes.get_position(original=True).bounds, 7), which="original")
    for path in map(Path, outputs):
        metadata: dict[str, None]
        if path.suffix == ".pdf":
            metadata = {"CreationDate": None, "ModDate": None, "Producer": None, "Creator": None}
        elif path.suffix == ".png":
            metadata = {"Software": None}
        else:
            raise FileError(f"{path}: figures are written as .pdf or .png, not '{path.suffix}'")
        with atomic_path(path) as temporary:
            figure.savefig(temporary, metadata=metadata)


def write_table(path: Path, columns: pd.DataFrame | Mapping[str, Sequence[Any] | NDArray[Any]]) -> None:
    """Write the numbers of a figure as CSV, numbers to seven significant digits."""
    with atomic_path(path) as temporary:
        pd.DataFrame(columns).to_csv(temporary, index=False, float_format="%.7g", lineterminator="\n")


def read_table(path: Path, columns: Iterable[str], stage: str, *, empty: bool = False) -> pd.DataFrame:
    """Read a CSV of a stage; with ``empty`` it need not have a line.

    Raises:
        FileError: if it cannot be read, is empty, or lacks one of the columns.
    """
    try:
        table = pd.read_csv(path)
    except OSError as error:
        raise FileError(f"{path}: cannot be read; run the {stage} stage first") from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise FileError(f"{path}: is no CSV table: {error}; run the {stage} stage again") from error
    missing = [name for name in columns if name not in table]
    if missing or not (len(table) or empty):
        what = f"has no column '{missing[0]}'" if missing else "has no line"
        raise FileError(f"{path}: {what}; run the {stage} stage again")
    return table
