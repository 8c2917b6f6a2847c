"""Rule ``explain``: attention and Grad-CAM of one variant, with their tests."""

from pathlib import Path

from _stage import stage

with stage(snakemake):
    from jetlens.config.evaluation import ExplanationConfig
    from jetlens.explanation import explain

    variant = snakemake.wildcards.variant
    explain(
        [Path(model).parent for model in snakemake.input.models],
        snakemake.input.features,
        Path(snakemake.output.attention).parent,
        variant=variant,
        explanation=ExplanationConfig(variants=[variant], **snakemake.params.explanation),
    )
