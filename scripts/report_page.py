"""Rule ``page``: all results on one page."""

from pathlib import Path

from _stage import stage

with stage(snakemake):
    from jetlens.report import write_page

    output = Path(snakemake.output[0])
    write_page(output, output.parent, shown=snakemake.params.shown, captions=Path(snakemake.params.captions))
