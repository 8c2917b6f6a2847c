"""Rule ``features``: from selected events to arrays."""

from _stage import stage

with stage(snakemake):
    from jetlens.config.features import FeaturesConfig
    from jetlens.config.samples import Sample
    from jetlens.features import build_features

    build_features(
        snakemake.input.parquet,
        [snakemake.input.cutflow],
        snakemake.output[0],
        features=FeaturesConfig.model_validate(snakemake.params.features),
        sample=Sample(files={}, **snakemake.params.sample),
        part=snakemake.wildcards.part,
        luminosity_fb=snakemake.params.luminosity_fb,
    )
