"""Rule ``event_features``: event vector, weights, folds and class of one part."""

from pathlib import Path

from _stage import stage

with stage(snakemake):
    from jetlens.config.features import EventRecipe
    from jetlens.features import build_event

    settings = snakemake.params.settings
    build_event(
        Path(snakemake.input.parquet),
        Path(snakemake.output[0]),
        recipe=EventRecipe.model_validate(settings["recipe"]),
        sample=snakemake.wildcards.sample,
        part=snakemake.wildcards.part,
        label=settings["label"],
        mass=settings.get("mass"),
    )
