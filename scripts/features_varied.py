"""Rule ``varied_features``: event file and streams of one part under one side of a variation of objects."""

from pathlib import Path

from _stage import stage

with stage(snakemake):
    from jetlens.config.features import EventRecipe, StreamRecipe
    from jetlens.features import build_event, build_stream

    settings = snakemake.params.settings
    skim = Path(snakemake.input[0])
    event, *streams = map(Path, snakemake.output)
    # the physical sample's name decides the fold: no variation of an event is scored by what its twin trained
    of = {"sample": snakemake.wildcards.sample, "part": snakemake.wildcards.part}
    recipe = EventRecipe.model_validate(settings["recipe"])
    build_event(skim, event, recipe=recipe, label=settings["label"], mass=settings.get("mass"), **of)
    for stream in streams:
        build_stream(skim, stream, recipe=StreamRecipe.model_validate(settings["streams"][stream.stem]), **of)
