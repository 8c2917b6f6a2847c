"""Rule ``figure_cutflow``: efficiency after each cut."""

from pathlib import Path

from _figure import drawing
from _stage import stage

with stage(snakemake):
    from jetlens.figures.cutflow import draw_cutflow

    draw_cutflow(
        Path(snakemake.input[0]),
        signals=snakemake.params.signals,
        luminosity_fb=snakemake.params.luminosity_fb,
        **drawing(snakemake),
    )
