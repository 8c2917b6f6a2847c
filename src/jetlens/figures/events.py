"""Single events: every constituent at its place, as large as its pT, coloured by what it is worth to the network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from jetlens.config.evaluation import FiguresConfig
from jetlens.errors import NoEventsError
from jetlens.explanation.mapfile import Arrays, read_maps
from jetlens.figures.maps import jet_name, position_labels
from jetlens.figures.style import DIVERGING, figure_header, indexed, look, save, write_table

REACH = 5.0
"""The colour scale goes from 1/REACH to REACH."""


def draw_single_events(
    maps: Path,
    outputs: Sequence[Path],
    csv: Path,
    *,
    figures: FiguresConfig,
    half_width: float,
    events: int,
    which: str | None = None,
) -> None:
    """Draw the first test events of each class, one row per event, signal left, background right.

    Areas are proportional to pT. The colour is the constituent's share of the map times the number of constituents
    of the event: 1 for the average constituent.

    Args:
        maps: ``<method>.npz``.
        outputs: figure files, .pdf or .png.
        csv: the numbers drawn.
        figures: the look.
        half_width: the frames reach from −half_width to half_width.
        events: events per class.
        which: name of the map; None: the first.

    Raises:
        FileError: if the maps cannot be read.
        NoEventsError: if the file holds no single events.
    """
    content = read_maps(maps, half_width=half_width, single=events)
    names = [str(name) for name in content["maps"]]
    which = which or names[0]
    label, streams = content["single_label"], content["streams"].tolist()
    rows = max(int((label == truth).sum()) for truth in (0, 1))
    if not rows:
        raise NoEventsError(f"{maps}: holds no single events; set explanation.display_events above 0")
    table: dict[str, list[Any]] = {}
    eta_label, phi_label = position_labels([str(word) for word in content["alignment"]])
    norm = LogNorm(1 / REACH, REACH)
    with look(figures):
        columns = 2 * len(streams)
        figure = Figure(figsize=(2.25 * columns + 1.6, 2.35 * rows + 0.9), layout="compressed")
        panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
        for c, (kind, truth) in enumerate((("signal", 1), ("background", 0))):
            chosen = np.flatnonzero(label == truth)
            for j, stream in enumerate(streams):
                column = panels[:, c * len(streams) + j]
                column[0].set_title(f"{kind}, {jet_name(stream, j)}", size=12)
                column[-1].set_xlabel(eta_label)
                for row, axes in enumerate(column):
                    if row < len(chosen):
                        _event(axes, content, names.index(which), int(chosen[row]), j, norm, table)
                    else:
                        axes.set_axis_off()
        for axes in panels[:, 0]:
            axes.set_ylabel(phi_label)
        bar = figure.colorbar(
            ScalarMappable(norm, DIVERGING),
            ax=list(panels.ravel()),
            label=f"{indexed(which)}: worth of a constituent\n(1: event average)",
            extend="both",
            pad=0.015,
        )
        bar.ax.yaxis.set_major_locator(FixedLocator([0.2, 0.5, 1, 2, 5]))
        bar.ax.yaxis.set_minor_locator(NullLocator())
        bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:.2g}"))
        figure_header(figure, figures)
        save(figure, outputs)
    write_table(csv, table)


def _event(
    axes: Axes, content: Arrays, m: int, event: int, jet: int, norm: LogNorm, table: dict[str, list[Any]]
) -> None:
    real = content["single_mask"][event]
    chosen = real & (content["slot_stream"] == jet)
    worth = content["single_value"][m, event] * real.sum()
    eta, phi = content["single_eta"][event][chosen], content["single_phi"][event][chosen]
    pt = np.exp(content["single_log_pt"][event][chosen])
    order = np.argsort(-pt)  # the softest on top, so that none is hidden
    axes.scatter(
        eta[order],
        phi[order],
        s=3.0 * pt[order],
        c=np.clip(worth[chosen][order], 1e-3, None),
        norm=norm,
        cmap=DIVERGING,
        edgecolor="0.35",
        linewidth=0.4,
    )
    half_width = float(content["edges"][-1])
    axes.set(xlim=(-half_width, half_width), ylim=(-half_width, half_width), aspect="equal")
    axes.minorticks_off()
    for axis in (
        axes.xaxis,
        axes.yaxis,
    ):  # ticks that do not depend on the panel's size, which depends on their width
        axis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    axes.tick_params(labelsize=9.5)
    logit = float(content["single_logit"][event])
    axes.text(
        0.04, 0.95, f"output {1 / (1 + np.exp(-logit)):.2f}", transform=axes.transAxes, va="top", size=9,
        bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1.5},
    )  # fmt: skip
    for k in range(len(eta)):
        row = {
            "event_number": int(content["single_event_number"][event]),
            "class": "signal" if content["single_label"][event] else "background",
            "jet": str(content["streams"][jet]),
            "delta_eta": float(eta[k]),
            "delta_phi": float(phi[k]),
            "pt_gev": float(pt[k]),
            "worth": float(worth[chosen][k]),
        }
        for key, value in row.items():
            table.setdefault(key, []).append(value)
