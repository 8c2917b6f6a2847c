"""Rule ``figure_scores``: a variant's output on the test events and the application samples, per process."""

from pathlib import Path

from _figure import drawing
from _stage import stage

with stage(snakemake):
    from jetlens.figures.scores import draw_scores

    applications: dict[str, list[Path]] = {}
    for sample, files in snakemake.params.applied.items():
        process = snakemake.params.processes[sample]
        applications.setdefault(process, []).extend(Path(file) for file in files)
    draw_scores(
        Path(snakemake.input.scores).parent,
        variant=snakemake.wildcards.variant,
        applications=applications,
        **drawing(snakemake),
    )
