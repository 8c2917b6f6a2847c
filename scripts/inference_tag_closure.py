"""Rule ``tag_closure``: tags as simulated against drawn ones, by process and number of tags."""

from pathlib import Path

from _stage import stage

with stage(snakemake):
    from jetlens.config.inference import TagWeightsConfig
    from jetlens.features.normalisation import Normalisation
    from jetlens.inference.filltables import write_csv
    from jetlens.inference.tagclosure import tag_closure

    direct, drawn = {}, {}
    for one, many in zip(snakemake.input.direct, snakemake.input.drawn, strict=True):
        sample = Path(one).parent.name
        direct.setdefault(sample, []).append(Path(one))
        drawn.setdefault(sample, []).append(Path(many))
    known = Normalisation.read(snakemake.input.normalisation)
    scales = {name: (known.of_sample(name).process, known.of_sample(name).scale) for name in direct}
    config = TagWeightsConfig.model_validate(snakemake.params.settings["tags"])
    efficiencies = None if config.corrections else Path(snakemake.input.efficiency[0])
    write_csv(Path(snakemake.output[0]), tag_closure(direct, drawn, scales, config, efficiencies))
