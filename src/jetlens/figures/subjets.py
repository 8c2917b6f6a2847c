"""Maps in the jets' own frame: the harder subjet at the origin, the other at (1, 0)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from jetlens.config.evaluation import FiguresConfig
from jetlens.explanation.framemaps import EDGES_X, EDGES_Y, RADII, FrameMap, frame_map
from jetlens.explanation.relevance import read_relevance
from jetlens.figures.palette import COLOURS
from jetlens.figures.style import (
    DIVERGING,
    EMPTY_COLOUR,
    figure_header,
    look,
    save,
    write_table,
)

FEWEST_SIGMA = 2.0
"""Cells whose difference is less significant are hatched."""
SIGNIFICANT = 0.05
"""Largest p-value of a map that is called significant."""
COLUMNS = ("part", "x", "y", "signal", "background", "difference", "error")
TITLES = ("signal", "background, reweighted", "signal − background")


def draw_subjet_map(maps: Path, outputs: Sequence[Path], csv: Path, *, figures: FiguresConfig) -> None:
    """Draw the mean worth of a constituent for signal, background and their difference, and radial profiles.

    Args:
        maps: ``<method>.npz``.
        outputs: figure files, .pdf or .png.
        csv: the numbers drawn.
        figures: the look.

    Raises:
        FileError: if the file cannot be read, or holds no constituents with a place.
    """
    found = frame_map(read_relevance(maps))
    with look(figures):
        figure = Figure(figsize=(13.2, 4.1), layout="constrained")
        panels = figure.subplots(1, 4, width_ratios=(1, 1, 1, 0.9))
        both = np.concatenate([found.signal.ravel(), found.background.ravel()])
        for axes, title, values, kind in zip(
            panels,
            TITLES,
            (found.signal, found.background, found.difference),
            ("worth", "worth", "Δ"),
            strict=False,
        ):
            centre = 0.0 if kind == "Δ" else float(np.nanmean(both)) if np.isfinite(both).any() else 1.0
            span = values if kind == "Δ" else both
            reach = float(np.nanmax(np.abs(span - centre))) if np.isfinite(span).any() else 1.0
            norm = TwoSlopeNorm(centre, centre - max(reach, 1e-3), centre + max(reach, 1e-3))
            map_panel(axes, values, norm)
            axes.set_title(title, size=11)
            if kind == "Δ":
                weak_cells(axes, found)
            figure.colorbar(
                ScalarMappable(norm, DIVERGING), ax=axes, orientation="horizontal", label=f"{kind}"
            )
        panels[0].set_ylabel(r"across subjets / $\Delta R_{12}$")
        profile_panel(panels[3], found)
        figure.supxlabel(verdict_of(found), size=11)
        figure_header(figure, figures)
        save(figure, outputs)
    write_table(csv, _table(found))


def verdict_of(found: FrameMap) -> str:
    """Say whether a map shows more than a radial profile, or that too few events are explained to tell."""
    if not np.isfinite(found.p_value):
        return (
            "not tested: with so few events no cell of turned maps is filled; "
            "nothing here is shown to be more than a radial profile"
        )
    turned = found.turned_chi2
    error = turned.std(ddof=1) / np.sqrt(len(turned))
    word = (
        "significant"
        if max(found.p_value, found.shuffled_p) < SIGNIFICANT
        else "not significant: no structure beyond a radial profile is seen"
    )
    return (
        f"$\\chi^2$/cell {found.chi2:.2f} in {found.cells} cells, of {len(turned)} turned maps {turned.mean():.2f} ± "
        f"{error:.2f}: p = {found.p_value:.3f}; of maps with the worth shuffled at equal distance: p = "
        f"{found.shuffled_p:.3f}\n{word}"
    )


def map_panel(axes: Axes, values: np.ndarray[Any, Any], norm: TwoSlopeNorm) -> None:
    """Draw a map (X, Y) in the jets' frame, empty cells grey, both subjets marked."""
    axes.set_facecolor(EMPTY_COLOUR)
    axes.pcolormesh(
        EDGES_X, EDGES_Y, np.ma.masked_invalid(values.T), norm=norm, cmap=DIVERGING, rasterized=True
    )
    axes.plot([0, 1], [0, 0], linestyle="none", marker="+", color="black", markersize=9)
    axes.set_aspect("equal")
    axes.minorticks_off()
    axes.set_xlabel(r"along subjets / $\Delta R_{12}$")


def weak_cells(axes: Axes, found: FrameMap) -> None:
    """Hatch the cells whose difference is less than 2σ."""
    with np.errstate(invalid="ignore", divide="ignore"):
        weak = np.abs(found.difference / found.error) < FEWEST_SIGMA
    for i, j in np.argwhere(weak):
        width, height = EDGES_X[i + 1] - EDGES_X[i], EDGES_Y[j + 1] - EDGES_Y[j]
        corner = (EDGES_X[i], EDGES_Y[j])
        axes.add_patch(
            Rectangle(corner, width, height, fill=False, hatch="/////", edgecolor="0.45", linewidth=0)
        )


def profile_panel(axes: Axes, found: FrameMap) -> None:
    """Draw the radial profiles of both classes about the harder subjet."""
    centre = (RADII[1:] + RADII[:-1]) / 2
    for c, (name, colour) in enumerate((kind, COLOURS[kind][0]) for kind in ("signal", "background")):
        axes.errorbar(
            centre, found.radial[:, c, 0], found.radial[:, c, 1], np.diff(RADII) / 2, fmt="o", markersize=3.5,
            color=colour, label=name,
        )  # fmt: skip
    axes.set_xlabel(r"distance from subjet 1 / $\Delta R_{12}$")
    axes.set_ylabel("worth")
    axes.legend()


def _table(found: FrameMap) -> dict[str, list[Any]]:
    rows: dict[str, list[Any]] = {
        name: [] for name in ("part", "x", "y", "signal", "background", "difference", "error")
    }
    x, y = ((edges[1:] + edges[:-1]) / 2 for edges in (EDGES_X, EDGES_Y))
    for i, j in np.argwhere(np.isfinite(found.difference)):
        values = [
            float(part[i, j]) for part in (found.signal, found.background, found.difference, found.error)
        ]
        for name, value in zip(rows, ["map", float(x[i]), float(y[j]), *values], strict=True):
            rows[name].append(value)
    for k, radius in enumerate((RADII[1:] + RADII[:-1]) / 2):
        (s, s_error), (b, b_error) = found.radial[k]
        row = [
            "profile",
            float(radius),
            0.0,
            float(s),
            float(b),
            float(s - b),
            float(np.hypot(s_error, b_error)),
        ]
        for name, value in zip(rows, row, strict=True):
            rows[name].append(value)
    nothing = float("nan")
    tests = [("chi2", found.chi2), *(("turned chi2", x) for x in found.turned_chi2)]
    tests += [("p, turned", found.p_value), ("p, shuffled", found.shuffled_p)]
    for k, (part, value) in enumerate(tests):
        row = [part, float(k), 0.0, nothing, nothing, float(value), nothing]
        for name, entry in zip(rows, row, strict=True):
            rows[name].append(entry)
    return rows
