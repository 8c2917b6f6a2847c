"""Rule ``figure_attention_matrices``: attention of each layer and head."""

from pathlib import Path

from _figure import drawing
from _stage import stage

with stage(snakemake):
    from jetlens.figures.matrices import draw_attention_matrices

    draw_attention_matrices(Path(snakemake.input[0]), **drawing(snakemake))
