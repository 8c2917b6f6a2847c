"""Rule ``score_data``: one variant's scores of a sample of data, and the observables beside them."""

from pathlib import Path

from _stage import stage

with stage(snakemake):
    from jetlens.inference.data import write_data

    settings = snakemake.params.settings
    write_data(
        [Path(model).parent for model in snakemake.input.models],
        Path(snakemake.input.scores),
        settings["sources"],
        Path(snakemake.output[0]),
        observables=settings["observables"],
        definitions=settings["define"],
        masses=settings.get("masses", ()),
    )
