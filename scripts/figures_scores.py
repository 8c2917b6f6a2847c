"""Rule ``figure_scores``: a variant's output on the test events, per process."""

from pathlib import Path

from _figure import drawing
from _stage import stage

with stage(snakemake):
    from jetlens.figures.scores import draw_scores

    draw_scores(Path(snakemake.input[0]).parent, variant=snakemake.wildcards.variant, **drawing(snakemake))
