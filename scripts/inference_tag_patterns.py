"""Rule ``tag_patterns``: one part's events, each as often as patterns of tags are drawn for it."""

from pathlib import Path

from _stage import stage

with stage(snakemake):
    from jetlens.config.inference import TagWeightsConfig
    from jetlens.inference.tagging import efficiency_of, write_patterns

    config = TagWeightsConfig.model_validate(snakemake.params.settings["tags"])
    sample = snakemake.wildcards.sample
    measured = None if config.corrections else Path(snakemake.input.efficiency[0])
    write_patterns(
        Path(snakemake.input.skim),
        Path(snakemake.output[0]),
        efficiency_of(measured, sample, config),
        config,
        sample=sample,
        part=snakemake.wildcards.part,
    )
