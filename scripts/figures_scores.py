"""Rule ``figure_scores``: a variant's output on the test events per process, and on each application sample."""

from pathlib import Path

from _figure import drawing
from _stage import stage

with stage(snakemake):
    from jetlens.figures.scores import draw_scores

    draw_scores(
        Path(snakemake.input.scores).parent,
        variant=snakemake.wildcards.variant,
        applications=[
            (sample, snakemake.params.processes[sample], [Path(file) for file in files])
            for sample, files in snakemake.params.applied.items()
        ],
        **drawing(snakemake),
    )
