"""Distribution of a classifier's output for signal and background."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from jetlens.config.evaluation import FiguresConfig
from jetlens.evaluation.scores import read_scores
from jetlens.figures.style import (
    SIGNAL_COLOUR,
    background_colour,
    header,
    headroom,
    look,
    pretty,
    save,
    write_table,
)


def draw_scores(
    evaluation: Path,
    outputs: Sequence[Path],
    csv: Path,
    *,
    variant: str,
    figures: FiguresConfig,
    bins: int = 25,
) -> None:
    """Draw the output of the ensemble on the test events, each process normalised to one.

    The output is the mean logit over training seeds, as a probability. Error bars are statistical, from the
    number of test events; events weigh by their σ·L weight within a process.

    Args:
        evaluation: folder ``evaluation/<variant>``.
        outputs: figure files, .pdf or .png.
        csv: the numbers drawn.
        variant: name of the variant, for the axis.
        figures: the look.
        bins: number of bins.

    Raises:
        FileError: if the scores cannot be read or an output has another suffix.
    """
    scores = read_scores(evaluation / "scores.npz")
    output = 1 / (1 + np.exp(-np.clip(scores.ensemble, -700, 700)))
    edges = np.linspace(0, 1, bins + 1)
    process = scores.process_names[scores.sample]
    signal_first = sorted(
        dict.fromkeys(scores.process_names.tolist()), key=lambda name: -scores.label[process == name].max()
    )
    columns: dict[str, NDArray[np.float64]] = {"low": edges[:-1], "high": edges[1:]}
    with look(figures):
        figure = Figure(figsize=(5.6, 4.6))
        axes = figure.add_subplot()
        axes.set_yscale("log")
        backgrounds = 0
        top, bottom = 0.0, 1.0
        for name in signal_first:
            chosen = process == name
            signal = bool(scores.label[chosen].max())
            colour = SIGNAL_COLOUR if signal else background_colour(backgrounds)
            backgrounds += not signal
            share, error = _normalised(output[chosen], scores.weight[chosen], edges)
            axes.stairs(share, edges, color=colour, fill=signal, alpha=0.25 if signal else 1.0, linewidth=1.5)
            axes.stairs(share, edges, color=colour, linewidth=1.5, label=f"{pretty(name)} ({chosen.sum()})")
            shown = share > 0
            axes.errorbar(
                ((edges[1:] + edges[:-1]) / 2)[shown],
                share[shown],
                error[shown],
                color=colour,
                linestyle="none",
            )
            columns[f"{name}"], columns[f"{name} error"] = share, error
            top, bottom = max(top, float(share.max())), min(bottom, float(share[shown].min()))
        axes.set(xlim=(0, 1), ylim=(bottom / 2, 1), xlabel=f"Output of {variant.replace('_', ' ')}")
        axes.set_ylabel(f"Share of events / {edges[1]:g}")
        headroom(axes, top * 1.3, 0.06 * (len(signal_first) + 1))
        axes.legend(loc="upper center", ncols=1, title="process (test events)")
        header(axes, figures)
        save(figure, outputs)
    write_table(csv, columns)


def _normalised(
    output: NDArray[np.float64], weight: NDArray[np.float64], edges: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    share = np.histogram(output, edges, weights=weight)[0] / weight.sum()
    error = np.sqrt(np.histogram(output, edges, weights=weight**2)[0]) / weight.sum()
    return share, error
