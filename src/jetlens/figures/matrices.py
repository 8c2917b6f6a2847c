"""Attention matrices: which query looks at the how-many-th constituent in pT, layer by layer and head by head."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from jetlens.config.evaluation import FiguresConfig
from jetlens.explanation.mapfile import Arrays, read_maps
from jetlens.figures.maps import jet_name
from jetlens.figures.style import EMPTY_COLOUR, SEQUENTIAL, figure_header, indexed, look, save, write_table


def draw_attention_matrices(
    maps: Path, outputs: Sequence[Path], csv: Path, *, figures: FiguresConfig
) -> None:
    """Draw the class-averaged attention of each head of the layers behind the attention map.

    Rows of panels are layers and heads, columns are signal and background; in a panel, rows are query tokens and
    columns the constituents of each jet in falling pT. Heads of different trainings have nothing in common: the
    figure shows the first seed alone.

    Args:
        maps: ``attention.npz``.
        outputs: figure files, .pdf or .png.
        csv: the numbers drawn, with statistical errors.
        figures: the look.

    Raises:
        FileError: if the file cannot be read.
    """
    content = read_maps(maps)
    layers = [str(name) for name in content["view_layers"]]
    strips = [(layer, head) for layer in layers for head in range(content[f"matrix_{layer}"].shape[1])]
    values = np.concatenate([content[f"matrix_{layer}"].ravel() for layer in layers])
    values = values[np.isfinite(values) & (values > 0)]
    norm = LogNorm(float(np.percentile(values, 2)), float(np.percentile(values, 99.8)))
    height = max(0.62, 0.13 * content[f"matrix_{layers[0]}"].shape[2])
    table: dict[str, list[Any]] = {}
    with look(figures):
        figure = Figure(figsize=(9.6, min(height, 3.0) * len(strips) + 1.5))
        panels = figure.subplots(len(strips), 2, squeeze=False, sharex=True, sharey="row")
        for row, (layer, head) in enumerate(strips):
            for c, kind in enumerate(content["classes"].tolist()):
                axes = panels[row, c]
                _strip(axes, content, layer, c, head, norm)
                _collect(table, content, layer, kind, c, head)
                if row == 0:
                    axes.set_title(kind, size=12)
            panels[row, 0].invert_yaxis()  # shared by the row: the first query on top
            panels[row, 0].set_ylabel(f"{_short(layer, layers)}\nhead {head + 1}", size=9.5, loc="center")
        for axes in panels[-1]:
            axes.set_xlabel("constituents in falling $p_T$")
        figure.colorbar(
            ScalarMappable(norm, SEQUENTIAL), ax=list(panels.ravel()), label="mean attention", extend="both"
        )
        figure_header(figure, figures)
        save(figure, outputs)
    write_table(csv, table)


def _strip(axes: Axes, content: Arrays, layer: str, c: int, head: int, norm: LogNorm) -> None:
    matrix = content[f"matrix_{layer}"][c, head]
    axes.set_facecolor(EMPTY_COLOUR)
    axes.pcolormesh(np.ma.masked_invalid(matrix), norm=norm, cmap=SEQUENTIAL, rasterized=True)
    axes.minorticks_off()
    slots = content["slot_stream"]
    offset = matrix.shape[1] - len(slots) if matrix.shape[1] > len(slots) else 0
    starts = [int(np.argmax(slots == j)) + offset for j in range(len(content["streams"]))]
    if matrix.shape[1] >= len(slots):
        for start in starts[1:]:
            axes.axvline(start, color="white", linewidth=1.5)
        names = [jet_name(str(name), j) for j, name in enumerate(content["streams"])]
        axes.set_xticks([start + 0.5 for start in starts], [f"{name}: 1st" for name in names])
    queries = [str(name) for name in content["maps"] if str(name) not in ("mean", "rollout")]
    if len(queries) == matrix.shape[0]:
        names = [indexed(name) for name in queries]
        axes.set_yticks(np.arange(matrix.shape[0]) + 0.5, names, size=8)
    axes.tick_params(which="both", length=0)


def _short(layer: str, layers: Sequence[str]) -> str:
    """Return ``layer 1`` and so on: what the layers are called in the network says little to a reader."""
    return f"layer {layers.index(layer) + 1}"


def _collect(table: dict[str, list[Any]], content: Arrays, layer: str, kind: str, c: int, head: int) -> None:
    matrix, error = content[f"matrix_{layer}"][c, head], content[f"matrix_error_{layer}"][c, head]
    for query, key in np.argwhere(np.isfinite(matrix)):
        row = {
            "layer": layer,
            "head": head + 1,
            "class": kind,
            "query": int(query),
            "key": int(key),
            "attention": float(matrix[query, key]),
            "error": float(error[query, key]),
        }
        for column, value in row.items():
            table.setdefault(column, []).append(value)
