"""Rule ``significance``: expected discovery significance against the cut on a variant's output."""

from pathlib import Path

from _stage import stage

with stage(snakemake):
    from jetlens.evaluation.significance import scan_significance

    scan_significance(
        Path(snakemake.input[0]).parent,
        Path(snakemake.output[0]),
        background_uncertainty=snakemake.params.settings["background_uncertainty"],
    )
