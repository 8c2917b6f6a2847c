"""Training curves of one variant, all seeds."""

from __future__ import annotations

import csv as csv_module
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from jetlens.config.evaluation import FiguresConfig
from jetlens.errors import FileError
from jetlens.figures.style import (
    BACKGROUND_COLOUR,
    LINE_STYLES,
    SIGNAL_COLOUR,
    header,
    look,
    save,
    write_table,
)

COLUMNS = ("epoch", "training_loss", "validation_loss", "validation_auc")


def draw_training(
    histories: Sequence[Path],
    outputs: Sequence[Path],
    csv: Path,
    *,
    variant: str,
    figures: FiguresConfig,
) -> None:
    """Draw losses and the validation AUC against epochs (trees: iterations); a dot marks what was kept.

    Args:
        histories: ``training/<variant>/seed<k>/history.csv``, one per seed.
        outputs: figure files, .pdf or .png.
        csv: the numbers drawn.
        variant: name of the variant.
        figures: the look.

    Raises:
        FileError: if a history cannot be read or lacks a column.
    """
    table: dict[str, list[Any]] = {name: [] for name in ("seed", *COLUMNS)}
    with look(figures):
        figure = Figure(figsize=(5.6, 5.6))
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        for number, path in enumerate(histories):
            seed = Path(path).parent.name.removeprefix("seed")
            history = _read(path)
            epoch, dashes = history["epoch"], LINE_STYLES[number % len(LINE_STYLES)]
            best = min(range(len(epoch)), key=history["validation_loss"].__getitem__)
            for key, colour in (("training_loss", BACKGROUND_COLOUR), ("validation_loss", SIGNAL_COLOUR)):
                label = f"{key.split('_')[0]}, seed {seed}"
                upper.plot(epoch, history[key], color=colour, linestyle=dashes, label=label)
            for axes, key in ((upper, "validation_loss"), (lower, "validation_auc")):
                axes.plot(epoch[best], history[key][best], "o", color=SIGNAL_COLOUR, markersize=5)
            lower.plot(epoch, history["validation_auc"], color=SIGNAL_COLOUR, linestyle=dashes)
            table["seed"] += [seed] * len(epoch)
            for name in COLUMNS:
                table[name] += history[name]
        upper.set_ylabel("Loss")
        upper.legend(loc="upper right", ncols=2 if len(histories) < 4 else 3, title=variant.replace("_", " "))
        upper.margins(x=0.02)
        low, high = upper.get_ylim()
        upper.set_ylim(low, high + 0.25 * (high - low))
        lower.set(xlabel="Epoch", ylabel="Validation AUC")
        lower.xaxis.set_major_locator(MaxNLocator(integer=True))
        header(upper, figures)
        save(figure, outputs)
    write_table(csv, table)


def _read(path: Path) -> dict[str, list[float]]:
    try:
        with Path(path).open(encoding="utf-8", newline="") as stream:
            rows = list(csv_module.DictReader(stream))
    except OSError as error:
        raise FileError(f"{path}: cannot be read; run the training stage first") from error
    for name in COLUMNS:
        if not rows or name not in rows[0]:
            raise FileError(f"{path}: has no column '{name}'; train the variant again")
    return {name: [float(row[name]) for row in rows] for name in COLUMNS}
