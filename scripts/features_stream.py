"""Rule ``stream_features``: one stream of tokens of one part."""

from pathlib import Path

from _stage import stage

with stage(snakemake):
    from jetlens.config.features import StreamRecipe
    from jetlens.features import build_stream

    build_stream(
        Path(snakemake.input[0]),
        Path(snakemake.output[0]),
        recipe=StreamRecipe.model_validate(snakemake.params.settings["recipe"]),
        sample=snakemake.wildcards.sample,
        part=snakemake.wildcards.part,
    )
