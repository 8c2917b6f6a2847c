"""Distribution of a classifier's output for every process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hist
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from jetlens.config.evaluation import FiguresConfig
from jetlens.evaluation.application import read_application
from jetlens.evaluation.scores import Scores, read_scores
from jetlens.figures.histograms import fill, filled_edges, interval
from jetlens.figures.palette import DASHES, Look, line
from jetlens.figures.style import header, headroom, legend_below, look, pretty, save, write_table

Floats = NDArray[np.float64]
FINEST = np.linspace(0, 1, 26)
FEWEST = 5
"""Events that each bin of a process must hold; neighbouring bins are merged until it does."""
COLUMNS = ("process", "low", "high", "events", "density", "density_low", "density_high")


def draw_scores(
    scores: Path,
    applied: Sequence[Path],
    outputs: Sequence[Path],
    csv: Path,
    *,
    label: str,
    processes: Mapping[str, Look],
    applications: Mapping[str, str],
    figures: FiguresConfig,
    apart: Mapping[str, str] | None = None,
) -> None:
    """Draw the output of the ensemble on the test events as a density, each process normalised to one.

    The output is the sigmoid of the mean logit over training seeds. Each process has bins of its own, merged until
    each holds :data:`FEWEST` events; errors are Garwood's 68 % intervals. Events weigh by their σ·L weight within a
    process.

    Args:
        scores: ``evaluation/<variant>/scores.npz``.
        applied: ``application/<variant>/<sample>/<part>.npz`` of all application samples, drawn in black.
        outputs: figure files, .pdf or .png.
        csv: the numbers drawn, one line per process and bin.
        label: name of the variant, for the axis.
        processes: look of every process.
        applications: process of each application sample.
        figures: the look.
        apart: sample to name among ``processes``, of signals that are drawn mass by mass.

    Raises:
        FileError: if the scores cannot be read or an output has another suffix.
    """
    evaluated = read_scores(scores)
    drawn = _test_processes(evaluated, processes, apart or {})
    taken = [each.name for each in drawn] + list(applications.values())
    for number, (sample, name) in enumerate(applications.items()):
        files = [file for file in applied if file.parent.name == sample]
        unique = name if taken.count(name) == 1 else f"{name}, {sample}"
        drawn.append(_applied(unique, files, evaluated, DASHES[(1 + number) % len(DASHES)]))
    table: dict[str, list[Any]] = {name: [] for name in COLUMNS}
    with look(figures):
        figure = Figure(figsize=(4.6, 5.0))
        axes = figure.add_subplot()
        axes.set_yscale("log")
        heights = np.concatenate([_draw(axes, each, table) for each in drawn])
        axes.set(xlim=(0, 1), ylim=(heights[heights > 0].min() / 2, 1), xlabel=f"Output of {pretty(label)}")
        axes.set_ylabel("Density of events")
        headroom(axes, float(heights.max()) * 1.2, 0.03)
        handles, labels = axes.get_legend_handles_labels()
        legend_below(figure, handles, labels, f"process ({'' if applications else 'test '}events)")
        header(axes, figures)
        save(figure, outputs)
    write_table(csv, table)


@dataclass(frozen=True)
class _Process:
    """Events to draw: output (R, N), weight (N,).

    R is 1, or the number of rotations that each score all events of an application sample.
    """

    name: str
    label: str
    output: Floats
    weight: Floats
    style: Mapping[str, Any]
    shaded: bool = False


def _draw(axes: Axes, process: _Process, table: dict[str, list[Any]]) -> Floats:
    """Draw one process; return its densities and their upper errors."""
    events = len(process.weight)
    label = f"{pretty(process.label)} ({events})"
    edges, density, low, high = binned(process.output, process.weight)
    if process.shaded:
        axes.stairs(density, edges, color=process.style["color"], fill=True, alpha=0.2)
    axes.stairs(density, edges, label=label, linewidth=1.5, **process.style)
    centres = (edges[1:] + edges[:-1]) / 2
    error = np.stack([density - low, high - density])
    axes.errorbar(centres, density, error, color=process.style["color"], linestyle="none", linewidth=1)
    for row in zip(edges[:-1], edges[1:], density, low, high, strict=True):
        for column, value in zip(COLUMNS, (process.name, *row[:2], events, *row[2:]), strict=True):
            table[column].append(value)
    return np.concatenate([density, high, low[low > 0]])


def binned(output: Floats, weight: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Return edges, densities and their intervals of outputs (R, N), R scores of the same N events."""
    repeats = len(output)
    weight = np.broadcast_to(weight, output.shape).ravel()
    edges = filled_edges(output.ravel(), FINEST, FEWEST * repeats)
    # an output of exactly one belongs to the last bin
    filled = fill(hist.axis.Variable(edges), np.minimum(output.ravel(), np.nextafter(1, 0)), weight)
    total = float(weight.sum()) or 1.0  # without any event all densities are zero
    value = np.asarray(filled.values()) / total
    variance = np.asarray(filled.variances()) * repeats / total**2  # an event's rotations are one event
    width = np.diff(edges)
    low, high = interval(value, variance)
    return edges, value / width, low / width, high / width


def _applied(name: str, files: Sequence[Path], scores: Scores, linestyle: Any) -> _Process:
    events = read_application(files, scores)
    output = np.exp(-np.logaddexp(0, -events.logit))
    return _Process(name, name, output, events.weight, {"color": "black", "linestyle": linestyle})


def _test_processes(
    scores: Scores, processes: Mapping[str, Look], apart: Mapping[str, str]
) -> list[_Process]:
    """Return the processes of the test events in the order of their looks, signals first."""
    output = np.exp(-np.logaddexp(0, -scores.ensemble))
    pairs = zip(scores.sample_names.tolist(), scores.process_names.tolist(), strict=True)
    curves = [apart.get(sample, process) for sample, process in pairs]
    of_event = np.array(curves)[scores.sample]
    names = [name for name in processes if name in curves]
    signals = sum(processes[name]["role"] == "signal" for name in names)
    drawn = []
    for name in sorted(names, key=lambda name: processes[name]["role"] != "signal"):
        own, entry = of_event == name, processes[name]
        shaded = entry["role"] == "signal" and signals == 1
        drawn.append(
            _Process(name, entry["label"], output[None, own], scores.weight[own], line(entry), shaded)
        )
    return drawn
