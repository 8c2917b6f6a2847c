"""Rule ``figure_kinematics``: one distribution after selection."""

from pathlib import Path

from _stage import stage

with stage(snakemake):
    from jetlens.config.evaluation import FiguresConfig, Histogram
    from jetlens.figures.kinematics import draw_kinematics

    histogram = Histogram.model_validate(snakemake.params.histogram)
    draw_kinematics(
        [Path(file) for file in snakemake.input.skims],
        [Path(file) for file in snakemake.input.features],
        [Path(file) for file in snakemake.output.figure],
        Path(snakemake.output.csv),
        histograms={snakemake.wildcards.quantity: histogram},
        luminosity_fb=snakemake.params.luminosity_fb,
        figures=FiguresConfig.model_validate(snakemake.params.figures),
    )
