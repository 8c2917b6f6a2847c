"""Rule ``locked``: one variant on the locked folds, once all is settled."""

from pathlib import Path

from _stage import stage

with stage(snakemake):
    from jetlens.config.evaluation import EvaluationConfig
    from jetlens.evaluation.locked import confirm
    from jetlens.features.normalisation import Normalisation

    confirm(
        [Path(model).parent for model in snakemake.input.models],
        [Path(file).parent for file in snakemake.input.events],
        Path(snakemake.input.scores),
        Path(snakemake.output[0]),
        variant=snakemake.wildcards.variant,
        normalisation=Normalisation.read(snakemake.input.normalisation),
        evaluation=EvaluationConfig.model_validate(snakemake.params.settings["evaluation"]),
    )
