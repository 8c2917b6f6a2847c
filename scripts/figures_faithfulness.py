"""Rule ``figure_faithfulness``: does the explanation stand its test."""

from pathlib import Path

from _figure import drawing
from _stage import stage

with stage(snakemake):
    from jetlens.figures.faithfulness import draw_faithfulness

    draw_faithfulness(Path(snakemake.input[0]), **drawing(snakemake))
