"""Rule ``explain``: all methods' explanations of one variant, with their tests."""

from pathlib import Path

from _stage import stage

with stage(snakemake):
    from jetlens.config.explanation import ExplanationConfig
    from jetlens.explanation import explain
    from jetlens.features.normalisation import Normalisation

    def folders(files):
        return [Path(file).parent for file in files if file.endswith(".keras")]

    variant = snakemake.wildcards.variant
    explain(
        [Path(model).parent for model in snakemake.input.models],
        [Path(file).parent for file in snakemake.input.events],
        Path(snakemake.output.faithfulness).parent,
        variant=variant,
        companions=folders(snakemake.input.companions),
        permuted=folders(snakemake.input.permuted),
        normalisation=Normalisation.read(snakemake.input.normalisation),
        explanation=ExplanationConfig(variants=[variant], **snakemake.params.settings["explanation"]),
    )
