"""Rule ``explain``: all methods' explanations of one variant, with their tests."""

from pathlib import Path

from _stage import stage

with stage(snakemake):
    from jetlens.config.explanation import ExplanationConfig
    from jetlens.explanation import explain
    from jetlens.features.normalisation import Normalisation

    variant = snakemake.wildcards.variant
    explain(
        [Path(model).parent for model in snakemake.input.models],
        [Path(file).parent for file in snakemake.input.events],
        Path(snakemake.output.faithfulness).parent,
        variant=variant,
        companions=[Path(file).parent for file in snakemake.input.companions if file.endswith(".keras")],
        normalisation=Normalisation.read(snakemake.input.normalisation),
        explanation=ExplanationConfig(variants=[variant], **snakemake.params.settings["explanation"]),
    )
