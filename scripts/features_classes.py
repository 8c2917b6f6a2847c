"""Rule ``classes``: which class the events of each sample are of."""

from _stage import stage

with stage(snakemake):
    from jetlens.features.classes import Classes

    Classes.model_validate(snakemake.params.content).write(snakemake.output[0])
