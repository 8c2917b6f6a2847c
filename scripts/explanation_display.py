"""Rule ``event_display``: single events with all methods' answers, one page."""

from pathlib import Path

from _stage import stage

with stage(snakemake):
    from jetlens.explanation.display import write_display

    write_display(
        [Path(file) for file in snakemake.input],
        Path(snakemake.output[0]),
        variant=snakemake.wildcards.variant,
        events=snakemake.params.settings["events"],
    )
