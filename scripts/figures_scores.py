"""Rule ``figure_scores``: a variant's output on the test events, per process."""

from pathlib import Path

from _stage import stage

with stage(snakemake):
    from jetlens.config.evaluation import FiguresConfig
    from jetlens.figures.scores import draw_scores

    draw_scores(
        Path(snakemake.input[0]).parent,
        [Path(file) for file in snakemake.output.figure],
        Path(snakemake.output.csv),
        variant=snakemake.wildcards.variant,
        figures=FiguresConfig.model_validate(snakemake.params.figures),
    )
