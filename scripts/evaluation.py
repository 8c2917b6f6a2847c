"""Rule ``evaluate``: one variant, all its seeds and rotations, on the test folds."""

from pathlib import Path

from _stage import stage

with stage(snakemake):
    from jetlens.config.evaluation import EvaluationConfig
    from jetlens.evaluation import evaluate
    from jetlens.features.normalisation import Normalisation

    evaluate(
        [Path(model).parent for model in snakemake.input.models],
        [Path(file).parent for file in snakemake.input.events],
        Path(snakemake.output.metrics).parent,
        variant=snakemake.wildcards.variant,
        normalisation=Normalisation.read(snakemake.input.normalisation),
        evaluation=EvaluationConfig.model_validate(snakemake.params.settings["evaluation"]),
    )
