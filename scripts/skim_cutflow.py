"""Rule ``cutflow``: yields of all samples after each cut."""

from _stage import stage

with stage(snakemake):
    from jetlens.config.samples import Sample
    from jetlens.skim.cutflow import write_cutflow_table

    settings = snakemake.params.settings
    write_cutflow_table(
        snakemake.input,
        [Sample(**row) for row in settings["samples"]],
        settings["luminosity_fb"],
        snakemake.output.csv,
        settings["cuts"],
    )
