"""Rule ``figure_cutflow``: efficiency after each cut."""

from pathlib import Path

from _stage import stage

with stage(snakemake):
    from jetlens.config.evaluation import FiguresConfig
    from jetlens.figures.cutflow import draw_cutflow

    draw_cutflow(
        Path(snakemake.input[0]),
        [Path(file) for file in snakemake.output.figure],
        Path(snakemake.output.csv),
        signals=snakemake.params.signals,
        luminosity_fb=snakemake.params.luminosity_fb,
        figures=FiguresConfig.model_validate(snakemake.params.figures),
    )
