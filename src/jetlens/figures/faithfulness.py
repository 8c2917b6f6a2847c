"""Deletion and insertion curves: does the explanation mark what the network needs?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from jetlens.config.evaluation import FiguresConfig
from jetlens.errors import FileError
from jetlens.figures.style import figure_header, line_style, look, save, write_table
from jetlens.files import read_json

COLUMNS = ("test", "order", "share", "output", "error", "error_of_difference_to_random")
NAMES = {"gradcam": "Grad-CAM", "attention": "attention", "pt": "$p_T$", "random": "random order"}


def draw_faithfulness(
    faithfulness: Path, outputs: Sequence[Path], csv: Path, *, figures: FiguresConfig
) -> None:
    """Draw the mean output on signal events while constituents are removed, and while they are brought back.

    Bands are the statistical errors of the difference to random order, on the same events. The legend gives the
    difference of the area under the curve to that of random order: for deletion it should be negative, for
    insertion positive.

    Args:
        faithfulness: ``faithfulness.json``.
        outputs: figure files, .pdf or .png.
        csv: the numbers drawn.
        figures: the look.

    Raises:
        FileError: if the file cannot be read.
    """
    try:
        content = read_json(faithfulness)
        curves = content["curves"]
    except (OSError, ValueError, KeyError) as error:
        raise FileError(f"{faithfulness}: cannot be read; run the explanation stage first") from error
    share = np.array(curves["share"])
    table: dict[str, list[Any]] = {name: [] for name in COLUMNS}
    with look(figures):
        figure = Figure(figsize=(8.8, 4.6), layout=ConstrainedLayoutEngine(wspace=0.06))
        panels = figure.subplots(1, 2, sharey=True)
        for axes, (kind, verb) in zip(
            panels, (("deletion", "removed"), ("insertion", "brought back")), strict=True
        ):
            orders = curves[kind]
            for number, name in enumerate(key for key in NAMES if key in orders):
                entry, style = orders[name], line_style(number)
                y = np.array(entry["curve"])
                band = np.array(entry.get("curve_error_minus_random", np.zeros_like(y)))
                label = NAMES[name]
                if "minus_random" in entry:
                    label += ": {:+.3f} ± {:.3f}".format(*entry["minus_random"]).replace("-", "−")
                axes.plot(100 * share, y, marker="o", markersize=3.5, label=label, **style)
                axes.fill_between(
                    100 * share, y - band, y + band, color=style["color"], alpha=0.2, linewidth=0
                )
                for k, x in enumerate(share):
                    row = (kind, name, float(x), float(y[k]), entry["curve_error"][k], float(band[k]))
                    for column, value in zip(COLUMNS, row, strict=True):
                        table[column].append(value)
            axes.set_xlabel(f"Constituents {verb} [%]")
            axes.set_xlim(0, 100)
            axes.legend(
                title=f"{kind}: area − area of random order",
                loc="upper center",
                bbox_to_anchor=(0.5, -0.17),
            )
        panels[0].set_ylabel("Mean output on signal events")
        figure_header(figure, figures)
        save(figure, outputs)
    write_table(csv, table)
