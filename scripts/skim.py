"""Rule ``skim``: select the events of one input file."""

from _stage import stage

with stage(snakemake):
    from jetlens.config.reading import ReadingConfig
    from jetlens.config.skim import SkimConfig
    from jetlens.skim import skim_file

    skim_file(
        snakemake.params.source,
        snakemake.output.parquet,
        snakemake.output.cutflow,
        sample=snakemake.wildcards.sample,
        part=snakemake.wildcards.part,
        reading=ReadingConfig.model_validate(snakemake.params.reading),
        skim=SkimConfig.model_validate(snakemake.params.skim),
    )
