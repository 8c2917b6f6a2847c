"""Rule ``event_features``: event vector, weights, folds and class of one part."""

from pathlib import Path

from _stage import stage

with stage(snakemake):
    from jetlens.config.features import SplitConfig
    from jetlens.features import build_event

    build_event(
        Path(snakemake.input.parquet),
        Path(snakemake.output[0]),
        event=snakemake.params.event,
        split=SplitConfig.model_validate(snakemake.params.split),
        sample=snakemake.wildcards.sample,
        part=snakemake.wildcards.part,
        label=snakemake.params.label,
    )
