"""Attention of a network: maps in the jets' planes, matrices ordered in pT, single events."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jetlens.config.evaluation import FiguresConfig
from jetlens.explanation.mapfile import read_maps
from jetlens.figures.maps import Quantity, draw_maps
from jetlens.figures.style import indexed

LABELS: dict[Quantity, str] = {
    "relative": "attention per constituent\n(1: event average)",
    "density": "share of the event's attention per cell",
}


def draw_attention(
    maps: Path,
    outputs: Sequence[Path],
    csv: Path,
    *,
    figures: FiguresConfig,
    bins: int,
    half_width: float,
    quantity: Quantity = "relative",
) -> None:
    """Draw the class-averaged attention to constituents, one row per query token.

    ``relative`` answers where the network looks: the mean attention that a constituent found in a cell gets,
    compared with the average constituent of its event. ``density`` is the share of an event's attention per cell,
    large also where constituents are many.

    Args:
        maps: ``attention.npz``.
        outputs: figure files, .pdf or .png.
        csv: the numbers drawn.
        figures: the look.
        bins: cells of a map along Δη and along Δφ.
        half_width: maps reach from −half_width to half_width.
        quantity: which average.

    Raises:
        FileError: if the file cannot be read.
    """
    content = read_maps(maps, bins=bins, half_width=half_width)
    names = [str(name) for name in content["maps"]]
    draw_maps(
        content,
        outputs,
        csv,
        rows=[(name, quantity) for name in names],
        labels=[LABELS[quantity]] * len(names),
        row_titles=[title(name) for name in names],
        figures=figures,
    )


def title(name: str) -> str:
    """Return what a row shows: a query token's attention, their mean, or the rollout."""
    return name if name in ("mean", "rollout") else f"query: {indexed(name)}"
