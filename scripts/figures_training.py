"""Rule ``figure_training``: losses and validation AUC of a variant."""

from pathlib import Path

from _figure import drawing
from _stage import stage

with stage(snakemake):
    from jetlens.figures.training import draw_training

    draw_training(
        [Path(file) for file in snakemake.input], variant=snakemake.wildcards.variant, **drawing(snakemake)
    )
