"""Training curves of one variant, all seeds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from jetlens.config.evaluation import FiguresConfig
from jetlens.figures.palette import COLOURS, DASHES
from jetlens.figures.style import header, look, pretty, read_table, save, write_table

TRAINING, VALIDATION = COLOURS["background"][0], COLOURS["signal"][0]
COLUMNS = ("epoch", "training_loss", "validation_loss", "validation_auc")


def draw_training(
    histories: Sequence[Path],
    outputs: Sequence[Path],
    csv: Path,
    *,
    label: str,
    figures: FiguresConfig,
) -> None:
    """Draw losses and the validation AUC against epochs (trees: iterations); a dot marks what was kept.

    Args:
        histories: ``training/<variant>/seed<k>/history.csv``, one per seed.
        outputs: figure files, .pdf or .png.
        csv: the numbers drawn.
        label: name of the variant.
        figures: the look.

    Raises:
        FileError: if a history cannot be read or lacks a column.
    """
    tables = []
    with look(figures):
        figure = Figure(figsize=(4.6, 4.8))
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        for number, path in enumerate(histories):
            seed = Path(path).parent.name.removeprefix("seed")
            history = read_table(path, COLUMNS, "training")
            epoch, dashes = history["epoch"], DASHES[number % len(DASHES)]
            best = int(history["validation_loss"].argmin())
            for key, colour in (("training_loss", TRAINING), ("validation_loss", VALIDATION)):
                name = f"{key.split('_')[0]}, seed {seed}"
                upper.plot(epoch, history[key], color=colour, linestyle=dashes, label=name)
            for axes, key in ((upper, "validation_loss"), (lower, "validation_auc")):
                axes.plot(epoch[best], history[key][best], "o", color=VALIDATION, markersize=5)
            lower.plot(epoch, history["validation_auc"], color=VALIDATION, linestyle=dashes)
            tables.append(history[list(COLUMNS)].assign(seed=seed))
        upper.set_ylabel("Loss")
        upper.legend(loc="upper right", ncols=min(3, len(histories)), title=pretty(label))
        upper.margins(x=0.02)
        low, high = upper.get_ylim()
        upper.set_ylim(low, high + (0.3 if len(histories) < 4 else 0.6) * (high - low))
        lower.set(xlabel="Epoch", ylabel="Validation AUC")
        lower.xaxis.set_major_locator(MaxNLocator(integer=True))
        header(upper, figures)
        save(figure, outputs)
    write_table(csv, pd.concat(tables))
