"""Rule ``evaluate``: one variant, all its seeds and rotations, on the test folds."""

from pathlib import Path

from _stage import stage

with stage(snakemake):
    from jetlens.config.evaluation import EvaluationConfig
    from jetlens.evaluation import evaluate

    evaluate(
        [Path(model).parent for model in snakemake.input.models],
        snakemake.input.features,
        Path(snakemake.output.metrics).parent,
        variant=snakemake.wildcards.variant,
        evaluation=EvaluationConfig.model_validate(snakemake.params.evaluation),
    )
