"""Rule ``limits``: all limits and yields in tables, and as a HEPData record."""

from pathlib import Path

from _stage import stage

with stage(snakemake):
    from jetlens.inference.summary import summarise, summarised

    settings = {name: value for name, value in snakemake.params.settings.items() if name != "stage"}
    files = [Path(file) for file in snakemake.input.limit]
    summarise(summarised(files), Path(snakemake.output.limits).parent, **settings)
