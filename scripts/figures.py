"""All rules ``figure_…``: one figure of the table, and the numbers drawn in it."""

from pathlib import Path

from _stage import stage

with stage(snakemake):
    from jetlens.figures.table import draw

    draw(
        snakemake.params.figure,
        [Path(file) for file in snakemake.output.figure],
        Path(snakemake.output.csv),
        look=snakemake.params.look,
        inputs={
            name: Path(files) if isinstance(files, str) else [Path(file) for file in files]
            for name, files in snakemake.input.items()
        },
        settings=snakemake.params.settings,
    )
