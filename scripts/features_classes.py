"""Rule ``classes``: which class the events of each sample are of."""

from _stage import stage

with stage(snakemake):
    from jetlens.config.samples import Sample
    from jetlens.features.classes import Classes

    Classes.of(Sample(**row) for row in snakemake.params.settings["samples"]).write(snakemake.output[0])
