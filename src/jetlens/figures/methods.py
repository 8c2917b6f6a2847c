"""All explainers of one variant side by side: where they look, and what goes with what they mark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure

from jetlens.config.evaluation import FiguresConfig
from jetlens.errors import FileError
from jetlens.explanation.framemaps import FrameMap, untested_map
from jetlens.explanation.relevance import read_relevance
from jetlens.figures.faithfulness import label_of
from jetlens.figures.palette import COLOURS
from jetlens.figures.style import figure_header, look, save, write_table
from jetlens.figures.subjets import TITLES, map_panel, profile_panel, weak_cells
from jetlens.files import read_json

SHARE = "0.2"
BARS = "first 20 % masked\n(pale: replaced; tick:\nshuffled at equal $p_T$)"
COLUMNS = ("method", "class", "way", "quantity", "value", "error")
KINDS = ("signal", "background")
WAYS = (("masked", 1.0), ("replaced", 0.45))


def draw_methods(
    maps: Sequence[Path], faithfulness: Path, outputs: Sequence[Path], csv: Path, *, figures: FiguresConfig
) -> None:
    """Draw one row per method: its map in the jets' own frame, radial profiles, and the logit lost with its first 20 %.

    Args:
        maps: files ``<method>.npz``.
        faithfulness: ``faithfulness.json`` of the same variant.
        outputs: figure files, .pdf or .png.
        csv: the numbers of the bars, and how methods agree.
        figures: the look.

    Raises:
        FileError: if a file cannot be read, or holds no constituents with a place.
    """
    try:
        content = read_json(faithfulness)
        tests, verdicts = content["tests"], content["verdicts"]
    except (OSError, ValueError, KeyError) as error:
        raise FileError(f"{faithfulness}: cannot be read; run the explanation stage first") from error
    found = {path.stem: untested_map(read_relevance(path)) for path in maps}
    with look(figures):
        figure = Figure(figsize=(14.5, 2.55 * len(found) + 1.3), layout="constrained")
        panels = figure.subplots(len(found), 5, squeeze=False, width_ratios=(1, 1, 1, 0.9, 0.9))
        reach = _reach(tests)
        for row, (method, own) in zip(panels, found.items(), strict=True):
            _maps(row[:3], own)
            profile_panel(row[3], own)
            _bars(row[4], tests, method, reach)
            words = verdicts.get(method, {}).get("verdict", "").partition(":")[0]
            row[0].set_ylabel(f"{label_of(method)}\n({words})", size=9)
        for axes, title in zip(panels[0], (*TITLES, "worth by distance", BARS), strict=True):
            axes.set_title(title, size=11)
        for axes in panels[:-1].ravel():
            axes.set_xlabel("")
        for axes in panels[1:, 3]:
            axes.get_legend().remove()
        figure_header(figure, figures)
        save(figure, outputs)
    write_table(csv, _table(content, list(found)))


def _maps(row: Sequence[Axes], found: FrameMap) -> None:
    both = np.concatenate([found.signal.ravel(), found.background.ravel()])
    for axes, values, centre in zip(
        row,
        (found.signal, found.background, found.difference),
        (_or(np.nanmean, both, 1.0), _or(np.nanmean, both, 1.0), 0.0),
        strict=True,
    ):
        span = found.difference if values is found.difference else both
        reach = max(_or(lambda x, c=centre: np.nanmax(np.abs(x - c)), span, 1.0), 1e-3)
        map_panel(axes, values, TwoSlopeNorm(centre, centre - reach, centre + reach))
        colours = f"{centre - reach:.2g} to {centre + reach:.2g}".replace("-", "−")
        axes.text(0.03, 0.95, colours, transform=axes.transAxes, size=8, va="top")
    weak_cells(row[2], found)


def _or(of: Any, values: np.ndarray[Any, Any], otherwise: float) -> float:
    return float(of(values)) if np.isfinite(values).any() else otherwise


def _reach(tests: Mapping[str, Any]) -> tuple[float, float]:
    """Return the least and the most logit lost, errors included: all bars have one axis."""
    pairs = [
        own["comprehensiveness"][SHARE]
        for ways in tests.values()
        for entry in ways.values()
        for name, own in entry["orders"].items()
        if name not in ("best", "worst", "pt", "d0")
    ]
    known = [(mean, error or 0.0) for mean, error in pairs if mean is not None]
    low, high = min((m - e for m, e in known), default=0.0), max((m + e for m, e in known), default=1.0)
    return min(1.1 * low, 0.0), max(1.1 * high, 1e-3)


def _bars(axes: Axes, tests: Mapping[str, Any], method: str, reach: tuple[float, float]) -> None:
    """Draw the logit lost by class and way, with what the same values lose when shuffled at equal pT as a tick."""
    for number, kind in enumerate(kind for kind in KINDS if kind in tests):
        for shift, (way, alpha) in zip((-0.2, 0.2), WAYS, strict=True):
            orders = tests[kind][way]["orders"]
            mean, error = (np.nan if x is None else x for x in orders[method]["comprehensiveness"][SHARE])
            colour = COLOURS[kind][0]
            axes.barh(number + shift, mean, 0.36, xerr=error, color=colour, alpha=alpha, ecolor="0.25")
            chance = orders[f"{method}, matched in pt"]["comprehensiveness"][SHARE][0]
            if chance is not None:
                place = np.array([-0.18, 0.18]) + number + shift
                axes.plot([chance] * 2, place, color="black", linewidth=1.6)
    axes.set_yticks(range(len(tests)), [kind for kind in KINDS if kind in tests], size=9)
    axes.invert_yaxis()
    axes.minorticks_off()
    axes.set_xlim(*reach)
    axes.axvline(0, color="0.6", linewidth=0.7)
    axes.set_xlabel("logit lost")


def _table(content: Mapping[str, Any], methods: Sequence[str]) -> dict[str, list[Any]]:
    rows: list[tuple[Any, ...]] = []
    for method in methods:
        for kind, ways in content["tests"].items():
            for way, entry in ways.items():
                for name, what in (
                    (method, "logit lost"),
                    (f"{method}, matched in pt", "logit lost by chance"),
                ):
                    rows.append((method, kind, way, what, *entry["orders"][name]["comprehensiveness"][SHARE]))
        for other, pair in content["agreement"]["between_methods"].get(method, {}).items():
            if pair:
                rows.append((method, "", "", f"rank correlation with {other}", *pair))
    return {column: [row[i] for row in rows] for i, column in enumerate(COLUMNS)}
