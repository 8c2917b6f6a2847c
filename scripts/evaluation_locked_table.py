"""Rule ``locked_table``: the locked folds' lines of all variants."""

from pathlib import Path

from _stage import stage

with stage(snakemake):
    from jetlens.evaluation.locked import join_lines

    join_lines([Path(file) for file in snakemake.input], Path(snakemake.output[0]))
