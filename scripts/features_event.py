"""Rule ``event_features``: event vector, weights, folds and class of one part."""

from pathlib import Path

from _stage import stage

with stage(snakemake):
    from jetlens.config.features import SplitConfig
    from jetlens.features import build_event

    settings = snakemake.params.settings
    build_event(
        Path(snakemake.input.parquet),
        Path(snakemake.output[0]),
        event=settings["event"],
        split=SplitConfig.model_validate(settings["split"]),
        sample=snakemake.wildcards.sample,
        part=snakemake.wildcards.part,
        label=settings["label"],
    )
