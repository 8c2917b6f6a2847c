"""Rules ``train_network``, ``train_boosting`` and ``train_companion``: one variant, one seed, one rotation."""

from pathlib import Path

from _stage import memory_gb, stage

with stage(snakemake):
    from pydantic import TypeAdapter

    from jetlens.config.models import ModelOptions
    from jetlens.config.training import TrainingConfig
    from jetlens.features.classes import Classes
    from jetlens.features.normalisation import Normalisation
    from jetlens.trained.recipe import Recipe
    from jetlens.training import train

    seed, _, rotation = snakemake.wildcards.run.removeprefix("seed").partition("_rotation")
    variant = snakemake.wildcards.variant
    settings = snakemake.params.settings
    train(
        [Path(file).parent for file in snakemake.input.events],
        Path(snakemake.output.manifest).parent,
        variant=variant,
        options=TypeAdapter(ModelOptions).validate_python(settings["options"]),
        training=TrainingConfig(
            variants=[variant], seeds=[int(seed)], memory_gb=memory_gb(snakemake), **settings["training"]
        ),
        seed=int(seed),
        rotation=int(rotation or 0),
        threads=snakemake.threads,
        recipe=Recipe.model_validate(settings["recipe"]),
        classes=Classes.read(snakemake.input.classes),
        normalisation=Normalisation.read(scales)
        if (scales := snakemake.input.get("normalisation"))
        else None,
        start=Path(begin).parent if (begin := snakemake.input.get("start")) else None,
        permuted=snakemake.wildcards.get("companion") == "permuted",
    )
