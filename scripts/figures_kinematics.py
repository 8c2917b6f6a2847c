"""Rule ``figure_kinematics``: one distribution after selection."""

from pathlib import Path

from _figure import drawing
from _stage import stage

with stage(snakemake):
    from jetlens.config.evaluation import Histogram
    from jetlens.figures.kinematics import draw_kinematics

    draw_kinematics(
        [Path(file) for file in snakemake.input.skims],
        [Path(file) for file in snakemake.input.features],
        histograms={snakemake.wildcards.quantity: Histogram.model_validate(snakemake.params.histogram)},
        luminosity_fb=snakemake.params.luminosity_fb,
        **drawing(snakemake),
    )
