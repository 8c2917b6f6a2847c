"""Rule ``limit``: limit, significance and fit of one variant for one mass."""

from pathlib import Path

from _stage import stage

with stage(snakemake):
    import logging

    from jetlens.inference.hypothesis import infer

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("pyhf").setLevel(logging.WARNING)
    settings = {name: value for name, value in snakemake.params.settings.items() if name != "stage"}
    output = Path(snakemake.output.limit).parent
    infer(output.parent, output, mass=snakemake.wildcards.mass, **settings)
