"""Rule ``templates``: templates and statistical model of one variant."""

from pathlib import Path

from _stage import stage

with stage(snakemake):
    from jetlens.config.inference import InferenceConfig
    from jetlens.features.normalisation import Normalisation
    from jetlens.inference.stage import make_model, simulation_of
    from jetlens.inference.systematics import Systematic

    settings = snakemake.params.settings
    config = InferenceConfig.model_validate(settings["inference"])
    make_model(
        simulation_of(
            [Path(file) for file in (*snakemake.input.selected, *snakemake.input.varied)],
            [Path(file).parent for file in snakemake.input.events],
            Normalisation.read(snakemake.input.normalisation),
            settings["samples"],
            config,
            settings["validation"],
            weights={
                file.stem: (file, settings["weights"][file.stem])
                for file in map(Path, snakemake.input.weights)
            },
            others=settings["others"],
        ),
        Path(snakemake.output.templates).parent,
        config=config,
        systematics=[
            Systematic(**{**each, "processes": tuple(each["processes"])}) for each in settings["systematics"]
        ],
        background_uncertainty=settings["background_uncertainty"],
        data=[Path(file) for file in snakemake.input.data],
    )
