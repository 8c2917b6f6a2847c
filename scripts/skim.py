"""Rule ``skim``: select the events of one input file."""

from _stage import memory_gb, stage

with stage(snakemake):
    from jetlens.config.reading import ReadingConfig
    from jetlens.config.skim import SkimConfig
    from jetlens.skim import skim_file

    settings = snakemake.params.settings
    skim_file(
        settings["source"],
        snakemake.output.parquet,
        snakemake.output.cutflow,
        sample=snakemake.wildcards.sample,
        part=snakemake.wildcards.part,
        reading=ReadingConfig(**settings["reading"], memory_gb=memory_gb(snakemake)),
        skim=SkimConfig.model_validate(settings["skim"]),
        definitions=settings["define"],
        where=settings["where"],
    )
