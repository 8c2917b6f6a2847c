"""Maps in the (Δη, Δφ) plane of each jet, signal and background side by side, all on one colour scale."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from numpy.typing import NDArray

from jetlens.config.evaluation import FiguresConfig
from jetlens.explanation.relevance import Arrays
from jetlens.figures.style import (
    DIVERGING,
    EMPTY_COLOUR,
    SEQUENTIAL,
    figure_header,
    look,
    save,
    write_table,
)

Quantity = Literal["relative", "density"]
Floats = NDArray[np.float64]
FEWEST_ENTRIES = 10
"""Cells with fewer constituents are left blank: their average means nothing."""
TICKS = {1.3: (0.8, 0.9, 1, 1.1, 1.2), 2.2: (0.5, 0.6, 0.8, 1, 1.2, 1.5, 2), 11: (0.1, 0.2, 0.5, 1, 2, 5, 10)}
"""Ticks of a scale symmetric about one, by how far it reaches."""


def draw_maps(
    content: Arrays,
    outputs: Sequence[Path],
    csv: Path,
    *,
    rows: Sequence[tuple[str, Quantity]],
    labels: Sequence[str],
    row_titles: Sequence[str],
    figures: FiguresConfig,
) -> None:
    """Draw one row of panels per map; columns are the jets in signal and in background.

    Args:
        content: from :func:`jetlens.explanation.mapfile.read_maps`.
        outputs: figure files, .pdf or .png.
        csv: the numbers drawn, blank cells left out.
        rows: name of the map and which of its averages is drawn; rows of one average share a colour scale.
        labels: what the colours mean, per row.
        row_titles: text at the left of each row.
        figures: the look.
    """
    names = [str(name) for name in content["maps"]]
    classes, streams = content["classes"].tolist(), content["streams"].tolist()
    with look(figures):
        columns = len(classes) * len(streams)
        figure = Figure(figsize=(2.25 * columns + 2.1, 2.3 * len(rows) + 1.0), layout="compressed")
        panels = figure.subplots(len(rows), columns, squeeze=False, sharex=True, sharey=True)
        norms = {quantity: _norm(content, names, rows, quantity) for _, quantity in rows}
        table: dict[str, list[Any]] = {}
        for r, (name, quantity) in enumerate(rows):
            for column in range(columns):
                c, j = divmod(column, len(streams))
                index = (names.index(name), c, j)
                _panel(panels[r, column], content, index, quantity, norms[quantity])
                _collect(table, content, index, quantity)
                if r == 0:
                    panels[r, column].set_title(f"{classes[c]}, {jet_name(streams[j], j)}", size=12)
            panels[r, 0].annotate(
                row_titles[r],
                (0, 0.5),
                xytext=(-46, 0),
                xycoords="axes fraction",
                textcoords="offset points",
                rotation=90,
                ha="right",
                va="center",
                size=11.5,
            )
        _label_axes(panels, content)
        _colour_bars(figure, panels, rows, labels, norms)
        figure_header(figure, figures)
        save(figure, outputs)
    write_table(csv, table)


def jet_name(stream: str, index: int) -> str:
    """Return ``J₁`` for ``jet1``; any other stream keeps its name."""
    return f"$J_{index + 1}$" if stream == f"jet{index + 1}" else stream.replace("_", " ")


def shown(content: Arrays, index: tuple[int, int, int], quantity: Quantity) -> Floats:
    """Return a map with blank cells as NaN."""
    enough = content["entries"][index[1:]] >= FEWEST_ENTRIES
    return np.where(enough, content[quantity][index], np.nan)


def _panel(
    axes: Axes, content: Arrays, index: tuple[int, int, int], quantity: Quantity, norm: Normalize
) -> None:
    values, edges = shown(content, index, quantity), content["edges"]
    axes.set_facecolor(EMPTY_COLOUR)
    # first axis of the arrays is Δη, drawn along x
    axes.pcolormesh(edges, edges, values.T, norm=norm, cmap=_scale(quantity), rasterized=True)
    axes.set_aspect("equal")
    axes.tick_params(which="both", color="0.3", labelsize=9.5)
    axes.minorticks_off()
    drawn = np.isfinite(values) & (values > 0)
    if drawn.any():
        error = float(np.median(content[f"{quantity}_error"][index][drawn] / values[drawn]))
        axes.text(
            0.04, 0.04, f"stat. ± {100 * error:.0f} %", transform=axes.transAxes, size=8.5, color="0.15",
            bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1.5},
        )  # fmt: skip


def _norm(
    content: Arrays, names: Sequence[str], rows: Sequence[tuple[str, Quantity]], quantity: Quantity
) -> Normalize:
    jets = range(len(content["streams"]))
    values = np.concatenate(
        [
            shown(content, (names.index(name), c, j), quantity).ravel()
            for name, kind in rows
            if kind == quantity
            for c in range(len(content["classes"]))
            for j in jets
        ]
    )
    values = values[np.isfinite(values) & (values > 0)]
    if not len(values):
        return LogNorm(0.5, 2)
    if quantity == "relative":
        # symmetric about one; the three hundredths of the cells that are most extreme may saturate
        reach = float(np.exp(np.percentile(np.abs(np.log(values)), 97)))
        reach = float(np.clip(reach, 1.25, 10))
        return LogNorm(1 / reach, reach)
    top = float(values.max())
    return LogNorm(max(float(np.percentile(values, 1)), top / 1e3), top)


def _scale(quantity: Quantity) -> str:
    return DIVERGING if quantity == "relative" else SEQUENTIAL


def position_labels(alignments: Sequence[str]) -> tuple[str, str]:
    """Return the labels of the Δη and Δφ axes; they say so where constituents were aligned."""
    words = sorted(set(alignments) - {"none"})
    note = f", aligned ({', '.join(words)})" if words else ""
    return f"$\\Delta\\eta${note}", f"$\\Delta\\phi$ [rad]{note}"


def _label_axes(panels: NDArray[Any], content: Arrays) -> None:
    eta, phi = position_labels([str(word) for word in content["alignment"]])
    for axes in panels[-1]:
        axes.set_xlabel(eta)
    for axes in panels[:, 0]:
        axes.set_ylabel(phi)


def _colour_bars(
    figure: Figure,
    panels: NDArray[Any],
    rows: Sequence[tuple[str, Quantity]],
    labels: Sequence[str],
    norms: dict[Quantity, Normalize],
) -> None:
    for quantity in dict.fromkeys(kind for _, kind in rows):
        own = [r for r, (_, kind) in enumerate(rows) if kind == quantity]
        bar = figure.colorbar(
            ScalarMappable(norms[quantity], _scale(quantity)),
            ax=list(panels[own].ravel()),
            label=labels[own[0]],
            aspect=14 * len(own),
            pad=0.015,
            extend="both" if quantity == "relative" else "min",
        )
        if quantity == "relative":
            reach = float(norms[quantity].vmax or 1)
            ticks = next(ticks for limit, ticks in TICKS.items() if reach < limit)
            bar.ax.yaxis.set_major_locator(FixedLocator([x for x in ticks if 1 / reach <= x <= reach]))
            bar.ax.yaxis.set_minor_locator(NullLocator())
            bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:.2g}"))


def _collect(
    table: dict[str, list[Any]], content: Arrays, index: tuple[int, int, int], quantity: Quantity
) -> None:
    m, c, j = index
    centres = (content["edges"][1:] + content["edges"][:-1]) / 2
    values = shown(content, index, quantity)
    for x, y in np.argwhere(np.isfinite(values)):
        row = {
            "map": str(content["maps"][m]),
            "class": str(content["classes"][c]),
            "jet": str(content["streams"][j]),
            "quantity": quantity,
            "delta_eta": float(centres[x]),
            "delta_phi": float(centres[y]),
            "value": float(values[x, y]),
            "error": float(content[f"{quantity}_error"][index][x, y]),
            "spread_over_seeds": float(content[f"{quantity}_spread"][index][x, y]),
            "constituents": int(content["entries"][c, j, x, y]),
        }
        for key, value in row.items():
            table.setdefault(key, []).append(value)
