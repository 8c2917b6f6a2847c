"""Rule ``figure_attention``: where the query tokens look."""

from pathlib import Path

from _figure import drawing
from _stage import stage

with stage(snakemake):
    from jetlens.figures.attention import draw_attention

    draw_attention(Path(snakemake.input[0]), **drawing(snakemake))
