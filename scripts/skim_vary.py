"""Rules ``vary``, ``vary_once``: select the events of one input file as a variation of objects would have them."""

from pathlib import Path

from _stage import memory_gb, stage

with stage(snakemake):
    from jetlens.config.reading import ReadingConfig
    from jetlens.config.skim import SkimConfig
    from jetlens.config.variations import Move
    from jetlens.skim import Target, vary_file

    settings = snakemake.params.settings
    files = zip(snakemake.output.parquet, snakemake.output.cutflow, settings["moves"].values(), strict=True)
    vary_file(
        settings["source"],
        [
            Target(Path(parquet), Path(cutflow), [Move(*move) for move in moves])
            for parquet, cutflow, moves in files
        ],
        variation=settings["variation"],
        balance=settings["balance"],
        sample=snakemake.wildcards.sample,
        part=snakemake.wildcards.part,
        reading=ReadingConfig(**settings["reading"], memory_gb=memory_gb(snakemake)),
        skim=SkimConfig.model_validate(settings["skim"]),
        definitions=settings["define"],
        where=settings["where"],
    )
