"""Rule ``apply``: one part of an application sample, scored by all models of one variant."""

from pathlib import Path

from _stage import stage

with stage(snakemake):
    from jetlens.trained import score

    score(
        [Path(model).parent for model in snakemake.input.models],
        [snakemake.params.settings["source"]],
        snakemake.output[0],
        threads=snakemake.threads,
        mass=snakemake.params.settings.get("mass"),
    )
