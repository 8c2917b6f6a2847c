"""Rule ``figure_single_events``: Grad-CAM of single events."""

from pathlib import Path

from _figure import drawing
from _stage import stage

with stage(snakemake):
    from jetlens.figures.events import draw_single_events
    from jetlens.figures.gradcam import TOWARDS_SIGNAL

    draw_single_events(Path(snakemake.input[0]), which=TOWARDS_SIGNAL, **drawing(snakemake))
