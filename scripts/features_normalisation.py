"""Rule ``normalisation``: expected events per generator weight, sample by sample."""

from pathlib import Path

from _stage import stage

with stage(snakemake):
    from jetlens.config.samples import Sample
    from jetlens.features.normalisation import Normalisation

    Normalisation.of(
        [Path(file) for file in snakemake.input],
        [Sample(**row) for row in snakemake.params.samples],
        snakemake.params.luminosity_fb,
    ).write(snakemake.output[0])
