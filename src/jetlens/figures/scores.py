"""Distribution of a classifier's output for signal and background."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from jetlens.config.evaluation import FiguresConfig
from jetlens.evaluation.application import read_application
from jetlens.evaluation.scores import Scores, read_scores
from jetlens.figures.style import (
    LINE_STYLES,
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
    scores: Path,
    applied: Sequence[Path],
    outputs: Sequence[Path],
    csv: Path,
    *,
    variant: str,
    figures: FiguresConfig,
    applications: Mapping[str, str],
    bins: int = 25,
) -> None:
    """Draw the output of the ensemble on the test events, each process normalised to one.

    The output is the mean logit over training seeds, as a probability. Error bars are statistical, from the
    number of test events; events weigh by their σ·L weight within a process.

    Args:
        scores: ``evaluation/<variant>/scores.npz``.
        applied: ``application/<variant>/<sample>/<part>.npz`` of all application samples, drawn dashed.
        outputs: figure files, .pdf or .png.
        csv: the numbers drawn.
        variant: name of the variant, for the axis.
        figures: the look.
        applications: process of each application sample.
        bins: number of bins.

    Raises:
        FileError: if the scores cannot be read or an output has another suffix.
    """
    edges = np.linspace(0, 1, bins + 1)
    drawn = _test_processes(read_scores(scores))
    taken = [each.name for each in drawn] + list(applications.values())
    for sample, name in applications.items():
        files = [file for file in applied if file.parent.name == sample]
        drawn.append(_applied(name if taken.count(name) == 1 else f"{name}, {sample}", files))
    columns: dict[str, NDArray[np.float64]] = {"low": edges[:-1], "high": edges[1:]}
    with look(figures):
        figure = Figure(figsize=(5.6, 4.6))
        axes = figure.add_subplot()
        axes.set_yscale("log")
        styles = _styles(drawn)
        top, bottom = 0.0, 1.0
        for process, style in zip(drawn, styles, strict=True):
            share, error = _normalised(process.output, process.weight, edges)
            if process.label == 1:
                axes.stairs(share, edges, color=style["color"], fill=True, alpha=0.25)
            axes.stairs(share, edges, label=f"{pretty(process.name)} ({len(process.weight)})", **style)
            shown = share > 0
            centres = ((edges[1:] + edges[:-1]) / 2)[shown]
            axes.errorbar(centres, share[shown], error[shown], color=style["color"], linestyle="none")
            columns[process.name], columns[f"{process.name} error"] = share, error
            top, bottom = max(top, float(share.max())), min(bottom, float(share[shown].min(initial=1.0)))
        axes.set(xlim=(0, 1), ylim=(bottom / 2, 1), xlabel=f"Output of {variant.replace('_', ' ')}")
        axes.set_ylabel(f"Share of events / {edges[1]:g}")
        headroom(axes, top * 1.3, 0.06 * (len(drawn) + 1))
        axes.legend(loc="upper center", ncols=1, title=f"process ({'' if applications else 'test '}events)")
        header(axes, figures)
        save(figure, outputs)
    write_table(csv, columns)


@dataclass(frozen=True)
class _Process:
    """Events to draw: output (R, N), weight (N,), label 1 or 0, None for an application sample.

    R is 1, or the number of rotations that each score all events of an application sample.
    """

    name: str
    output: NDArray[np.float64]
    weight: NDArray[np.float64]
    label: int | None


def _applied(name: str, files: Sequence[Path]) -> _Process:
    events = read_application(files)
    return _Process(name, np.exp(-np.logaddexp(0, -events.logit)), events.weight, None)


def _test_processes(scores: Scores) -> list[_Process]:
    """Return the processes of the test events, signals first."""
    output = np.exp(-np.logaddexp(0, -scores.ensemble))
    of_event = scores.process_names[scores.sample]
    processes = []
    for name in dict.fromkeys(scores.process_names.tolist()):
        own = of_event == name
        label = int(scores.label[own].max())
        processes.append(_Process(name, output[None, own], scores.weight[own], label))
    return sorted(processes, key=lambda process: -(process.label or 0))


def _styles(processes: Sequence[_Process]) -> list[dict[str, Any]]:
    styles = []
    for number, process in enumerate(processes):
        before = [other.label for other in processes[:number]].count(process.label)
        if process.label is None:
            styles.append({"color": "black", "linestyle": LINE_STYLES[1 + before % (len(LINE_STYLES) - 1)]})
        else:
            styles.append({"color": SIGNAL_COLOUR if process.label else background_colour(before)})
    return [{"linewidth": 1.5, **style} for style in styles]


def _normalised(
    output: NDArray[np.float64], weight: NDArray[np.float64], edges: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Histogram outputs (R, N), the mean over R; an event's rotations are one event to the error."""
    repeats = len(output)
    weight = np.broadcast_to(weight, output.shape)
    total = float(weight[0].sum()) or 1.0  # without any event all shares are zero
    share = np.histogram(output, edges, weights=weight)[0] / repeats / total
    error = np.sqrt(np.histogram(output, edges, weights=weight**2)[0] / repeats) / total
    return share, error
