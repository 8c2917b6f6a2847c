"""Rule ``normalisation``: expected events per generator weight, sample by sample."""

from pathlib import Path

from _stage import stage

with stage(snakemake):
    from jetlens.config.samples import Sample
    from jetlens.features.normalisation import Normalisation

    settings = snakemake.params.settings
    Normalisation.of(
        [Path(file) for file in snakemake.input],
        [Sample(**row) for row in settings["samples"]],
        settings["luminosity_fb"],
    ).write(snakemake.output[0])
