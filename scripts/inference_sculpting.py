"""Rule ``sculpting``: how cuts on the scores of all variants shape the fitted distribution of backgrounds."""

from itertools import groupby
from pathlib import Path

from _stage import stage

with stage(snakemake):
    import pandas as pd

    from jetlens.config.inference import InferenceConfig
    from jetlens.features.normalisation import Normalisation
    from jetlens.inference.filltables import write_csv
    from jetlens.inference.stage import sculpting_of, simulation_of

    settings = snakemake.params.settings
    config = InferenceConfig.model_validate(settings["inference"])
    features = [Path(file).parent for file in snakemake.input.events]
    normalisation = Normalisation.read(snakemake.input.normalisation)
    tables = []
    for variant, files in groupby(map(Path, snakemake.input.selected), key=lambda file: file.parent.name):
        simulation = simulation_of(
            list(files), features, normalisation, settings["samples"], config, settings["validation"]
        )
        tables.append(sculpting_of(simulation, config).assign(variant=variant))
    write_csv(Path(snakemake.output[0]), pd.concat(tables, ignore_index=True))
