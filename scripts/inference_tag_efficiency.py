"""Rule ``tag_efficiency``: efficiencies of tags of every scored sample, by flavour and transverse momentum."""

from pathlib import Path

from _stage import stage

with stage(snakemake):
    from jetlens.config.inference import TagWeightsConfig
    from jetlens.inference.tagging import write_efficiencies

    skims = {}
    for file in map(Path, snakemake.input):
        skims.setdefault(file.parent.name, []).append(file)
    config = TagWeightsConfig.model_validate(snakemake.params.settings["tags"])
    write_efficiencies(skims, Path(snakemake.output[0]), config)
