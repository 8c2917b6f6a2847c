"""Rule ``figure_roc``: all variants in one figure."""

from pathlib import Path

from _stage import stage

with stage(snakemake):
    from jetlens.config.evaluation import FiguresConfig
    from jetlens.figures.roc import draw_roc

    draw_roc(
        [Path(folder) for folder in snakemake.params.folders],
        [Path(file) for file in snakemake.output.figure],
        Path(snakemake.output.csv),
        figures=FiguresConfig.model_validate(snakemake.params.figures),
    )
