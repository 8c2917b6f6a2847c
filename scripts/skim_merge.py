"""Rule ``sample_cutflow``: the cutflow of a sample from those of its parts."""

from pathlib import Path

from _stage import stage

with stage(snakemake):
    from jetlens.skim.merge import merge_cutflows

    merge_cutflows(snakemake.input, Path(snakemake.output[0]))
