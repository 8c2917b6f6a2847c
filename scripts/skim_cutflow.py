"""Rule ``cutflow``: yields of all samples after each cut."""

from _stage import stage

with stage(snakemake):
    from jetlens.config.samples import Sample
    from jetlens.skim.cutflow import write_cutflow_table

    write_cutflow_table(
        snakemake.input,
        [Sample(**row) for row in snakemake.params.samples],
        snakemake.params.luminosity_fb,
        snakemake.output.csv,
    )
