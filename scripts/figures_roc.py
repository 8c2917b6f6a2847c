"""Rule ``figure_roc``: all variants in one figure."""

from pathlib import Path

from _figure import drawing
from _stage import stage

with stage(snakemake):
    from jetlens.figures.roc import draw_roc

    draw_roc([Path(folder) for folder in snakemake.params.folders], **drawing(snakemake))
