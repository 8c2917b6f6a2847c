"""Rule ``figure_gradcam``: which constituents speak for signal."""

from pathlib import Path

from _figure import drawing
from _stage import stage

with stage(snakemake):
    from jetlens.figures.gradcam import draw_gradcam

    draw_gradcam(Path(snakemake.input[0]), **drawing(snakemake))
