"""The look that all figures share, and how they are written.

Colours are those of Petroff (arXiv:2107.02270), told apart with every common form of colour blindness;
maps use perceptually uniform scales. Files are deterministic: the same numbers give the same bytes.
Figures are made without pyplot, so no window system is needed and the state of a notebook stays as it is.
"""

from __future__ import annotations

import contextlib
import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import mplhep
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from jetlens.config.evaluation import FiguresConfig
from jetlens.errors import FileError
from jetlens.files import atomic_path

SIGNAL_COLOUR = "#bd1f01"
BACKGROUND_COLOUR = "#3f90da"
STACK_COLOURS = ("#3f90da", "#ffa90e", "#94a4a2", "#832db6", "#a96b59", "#92dadd", "#b9ac70", "#717581")
LINE_COLOURS = (
    "#bd1f01",
    "#3f90da",
    "#e39600",
    "#832db6",
    "#5b6b69",
    "#a96b59",
    "#1b9e77",
    "#717581",
)
LINE_STYLES = ("-", "--", "-.", ":", (0, (6, 1.5, 1.5, 1.5, 1.5, 1.5)), (0, (3, 1)), (0, (8, 2)), (0, (1, 1)))
EMPTY_COLOUR = "0.93"
SEQUENTIAL = "viridis"
DIVERGING = "PuOr_r"

_RC: dict[Any, Any] = {
    "font.family": ["TeX Gyre Heros", "DejaVu Sans"],
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
        matplotlib.rcParams["savefig.dpi"] = figures.dpi
        yield


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


def indexed(name: str) -> str:
    """Set the numbers of jets as indices: ``J1+J2`` becomes mathtext."""
    return re.sub(r"\b([Jj])(\d+)", r"$\1_{\2}$", name)


def line_style(number: int) -> dict[str, Any]:
    """Colour and dashes of the n-th line: told apart in print without colour, too."""
    return {
        "color": LINE_COLOURS[number % len(LINE_COLOURS)],
        # a colour that comes again comes with other dashes
        "linestyle": LINE_STYLES[(number + number // len(LINE_COLOURS)) % len(LINE_STYLES)],
    }


def headroom(axes: Axes, top: float, share: float) -> None:
    """Raise the upper end of the y axis so that data up to ``top`` leaves ``share`` of the height free."""
    low = axes.get_ylim()[0]
    if axes.get_yscale() == "log":
        axes.set_ylim(low, float(np.exp(np.log(low) + (np.log(top) - np.log(low)) / (1 - share))))
    else:
        axes.set_ylim(low, low + (top - low) / (1 - share))


def background_colour(number: int) -> str:
    """Colour of the n-th background of the sample table, the same in every figure."""
    return STACK_COLOURS[number % len(STACK_COLOURS)]


def stack(
    axes: Axes,
    heights: Sequence[ArrayLike],
    edges: ArrayLike,
    labels: Sequence[str],
    colours: Sequence[str],
) -> None:
    """Draw stacked, filled histograms, the first one at the bottom."""
    mplhep.histplot(
        [np.asarray(row) for row in heights],
        np.asarray(edges),
        ax=axes,
        stack=True,
        histtype="fill",
        color=list(colours),
        label=list(labels),
        flow="none",
        edgecolor="white",
        linewidth=0.3,
    )


def save(figure: Figure, outputs: Sequence[Path]) -> None:
    """Write a figure to each path, in the format that its suffix names; no time stamps, nothing half-written.

    Raises:
        FileError: for another suffix than ``.pdf`` or ``.png``.
    """
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)  # once for all formats: it is the slowest part
        figure.set_layout_engine("none")
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


def write_table(path: Path, columns: Mapping[str, Sequence[Any] | np.ndarray[Any, Any]]) -> None:
    """Write the numbers of a figure as CSV, one column per entry, numbers to seven significant digits."""
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        for row in zip(*columns.values(), strict=True):
            writer.writerow([f"{x:.7g}" if isinstance(x, float | np.floating) else x for x in row])
