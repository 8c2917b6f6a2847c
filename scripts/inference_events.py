"""Rules ``score_events``, ``score_varied_…``: one variant's scores of events, and the observables beside them."""

from pathlib import Path

from _stage import stage

with stage(snakemake):
    from jetlens.inference.scored import PartFiles, Scorer, write_events

    settings = snakemake.params.settings
    scorer = Scorer(
        [Path(model).parent for model in snakemake.input.models],
        Path(snakemake.input.scores),
        unlock=settings["unlock"],
        masses=settings.get("masses", ()),
    )
    parts = [
        PartFiles(Path(events).parent, Path(skim))
        for events, skim in zip(snakemake.input.events, snakemake.input.skims, strict=True)
    ]
    for output in map(Path, snakemake.output):
        write_events(
            [part for part in parts if part.skim.parent.name.removesuffix("@tags") == output.stem],
            output,
            scorer=scorer,
            observables=settings["observables"],
            definitions=settings["define"],
        )
