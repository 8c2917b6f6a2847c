"""Rule ``figure_jet_images``: average images of the jets."""

from pathlib import Path

from _figure import drawing
from _stage import stage

with stage(snakemake):
    from jetlens.figures.images import draw_jet_images

    draw_jet_images([Path(file) for file in snakemake.input], **drawing(snakemake))
