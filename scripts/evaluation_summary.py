"""Rule ``summary``: all variants in one table, and their paired differences."""

from pathlib import Path

from _stage import stage

with stage(snakemake):
    from jetlens.config.evaluation import EvaluationConfig
    from jetlens.evaluation import compare, summarise

    folders = [Path(folder) for folder in snakemake.params.folders]
    summarise(folders, Path(snakemake.output.summary))
    compare(
        folders,
        Path(snakemake.output.comparison),
        evaluation=EvaluationConfig.model_validate(snakemake.params.settings["evaluation"]),
    )
