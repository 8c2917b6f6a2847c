"""Rule ``application_summary``: how many events of the application samples pass each variant's cuts."""

from pathlib import Path

from _stage import stage

with stage(snakemake):
    from jetlens.config.samples import Sample
    from jetlens.evaluation.application import summarise_applications

    summarise_applications(
        [Path(folder) for folder in snakemake.params.folders],
        {
            variant: {sample: [Path(file) for file in files] for sample, files in parts.items()}
            for variant, parts in snakemake.params.applied.items()
        },
        [Sample(**row) for row in snakemake.params.settings["samples"]],
        Path(snakemake.output[0]),
        luminosity_fb=snakemake.params.settings["luminosity_fb"],
    )
