"""Rule ``significance``: expected yields and discovery significance after cuts on every variant's output."""

from pathlib import Path

from _stage import stage

with stage(snakemake):
    from jetlens.inference.yields import write_significance

    write_significance(
        {Path(file).parent.name: Path(file) for file in snakemake.input},
        Path(snakemake.output[0]),
        background_uncertainty=snakemake.params.settings["background_uncertainty"],
        masses=snakemake.params.settings["masses"],
    )
