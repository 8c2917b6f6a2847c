"""Grad-CAM maps in the jets' planes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jetlens.config.evaluation import FiguresConfig
from jetlens.figures.maps import draw_maps

TOWARDS_SIGNAL = "towards signal"


def draw_gradcam(
    maps: Path,
    outputs: Sequence[Path],
    csv: Path,
    *,
    figures: FiguresConfig,
    towards: str = TOWARDS_SIGNAL,
) -> None:
    """Draw the class-averaged Grad-CAM: what speaks for signal, in true signal and in true background events.

    The upper row shows where the evidence lies, as the share of an event's Grad-CAM per cell; the lower one what a
    constituent found there is worth compared with the average one of its event.

    Args:
        maps: ``gradcam.npz``.
        outputs: figure files, .pdf or .png.
        csv: the numbers drawn.
        figures: the look.
        towards: ``towards signal`` or ``towards background``.

    Raises:
        FileError: if the file cannot be read.
    """
    draw_maps(
        maps,
        outputs,
        csv,
        rows=[(towards, "density"), (towards, "relative")],
        labels=["share of the event's\nGrad-CAM per cell", "Grad-CAM per constituent\n(1: event average)"],
        row_titles=[f"{towards}:\nsum per cell", f"{towards}:\nper constituent"],
        figures=figures,
    )
