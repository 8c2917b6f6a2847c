"""What the scripts of all figures share."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def drawing(snakemake: Any) -> dict[str, Any]:
    """Return the arguments that every ``draw_…`` function takes: files to write, look."""
    from jetlens.config.evaluation import FiguresConfig

    return {
        "outputs": [Path(file) for file in snakemake.output.figure],
        "csv": Path(snakemake.output.csv),
        "figures": FiguresConfig.model_validate(snakemake.params.figures),
    }
