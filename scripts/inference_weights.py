"""Rule ``weigh``: factors on the weights of the fitted events under one variation."""

from pathlib import Path

from _stage import stage

with stage(snakemake):
    from jetlens.inference.scored import PartFiles
    from jetlens.inference.weights import write_weights

    settings = snakemake.params.settings
    parts = {}
    for events, skim in zip(snakemake.input.events, snakemake.input.skims, strict=True):
        parts.setdefault(Path(skim).parent.name.removesuffix("@tags"), []).append(
            PartFiles(Path(events).parent, Path(skim))
        )
    write_weights(
        parts, Path(snakemake.output[0]), factors=settings["factors"], definitions=settings["define"]
    )
