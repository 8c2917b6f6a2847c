"""Rule ``manifest``: what is needed to repeat the run."""

from _stage import stage

with stage(snakemake):
    from jetlens.provenance import write_manifest

    write_manifest(
        snakemake.output[0],
        config=snakemake.params.config,
        sources=snakemake.input.sources,
        results=snakemake.input.results,
        benchmarks=snakemake.params.benchmarks,
    )
