"""What decides, in the jets' planes, by any of the explainers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jetlens.config.evaluation import FiguresConfig
from jetlens.explanation.mapfile import read_maps
from jetlens.figures.maps import draw_maps


def draw_relevance(
    maps: Path,
    outputs: Sequence[Path],
    csv: Path,
    *,
    figures: FiguresConfig,
    bins: int,
    half_width: float,
) -> None:
    """Draw what a constituent is worth to a method, for signal and for background, one row each.

    Args:
        maps: ``<method>.npz``.
        outputs: figure files, .pdf or .png.
        csv: the numbers drawn.
        figures: the look.
        bins: cells of a map along Δη and along Δφ.
        half_width: maps reach from −half_width to half_width.

    Raises:
        FileError: if the file cannot be read.
    """
    content = read_maps(maps, bins=bins, half_width=half_width)
    names = [str(name) for name in content["maps"]][:2]
    draw_maps(
        content,
        outputs,
        csv,
        rows=[(name, "relative") for name in names],
        labels=["worth of a constituent\n(1: event average)"] * len(names),
        row_titles=names,
        figures=figures,
    )
