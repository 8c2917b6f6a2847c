"""Rule ``stream_features``: one stream of tokens of one part."""

from pathlib import Path

from _stage import stage

with stage(snakemake):
    from pydantic import TypeAdapter

    from jetlens.config.features import Stream
    from jetlens.features import build_stream

    build_stream(
        Path(snakemake.input[0]),
        Path(snakemake.output[0]),
        stream=TypeAdapter(Stream).validate_python(snakemake.params.settings["stream"]),
        sample=snakemake.wildcards.sample,
        part=snakemake.wildcards.part,
    )
