"""Distributions after selection: stacked backgrounds, signal overlaid, both at the analysis' luminosity."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from jetlens.config.evaluation import FiguresConfig, Histogram
from jetlens.errors import FileError, NoEventsError
from jetlens.features.featurefile import FeatureSet
from jetlens.features.normalisation import Normalisation
from jetlens.figures.style import (
    SIGNAL_COLOUR,
    background_colour,
    figure_header,
    header,
    headroom,
    look,
    pretty,
    save,
    stack,
    write_table,
)
from jetlens.figures.values import read_values

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Process:
    """One process' events in one histogram: heights and their errors, per bin."""

    name: str
    signal: bool
    height: Floats
    error: Floats


def draw_kinematics(
    skims: Sequence[Path],
    events: Sequence[Path],
    normalisation: Path,
    outputs: Sequence[Path],
    csv: Path,
    *,
    histograms: Mapping[str, Histogram | Mapping[str, Any]],
    luminosity_fb: float,
    figures: FiguresConfig,
) -> None:
    """Draw one distribution, or several as panels of one figure.

    Entries are expected events. What lies beyond the axis is counted in its first and last bin; events that lack
    the object are left out. Samples of one process are drawn together; the signal is scaled by the power of ten
    given in the legend. The hatched band is the statistical uncertainty of the simulated background, √Σw².

    Args:
        skims: skim files.
        events: ``event.npz`` of the same parts in the same order; they hold class and weight.
        normalisation: ``normalisation.json``: process of each sample, expected events per generator weight.
        outputs: figure files, .pdf or .png.
        csv: the numbers drawn: one line per histogram, process and bin.
        histograms: what to draw, by name; models or plain data.
        luminosity_fb: integrated luminosity [1/fb].
        figures: the look.

    Raises:
        ConfigError: if a quantity cannot be read.
        FileError: if files are missing or do not belong together.
        NoEventsError: if nothing was selected.
    """
    if not histograms:
        raise NoEventsError("figures.kinematics names no histogram to draw; name at least one")
    parsed = {name: Histogram.model_validate(entry) for name, entry in histograms.items()}
    filled = _fill(skims, events, Normalisation.read(normalisation), parsed)
    with look(figures):
        columns = min(3, len(histograms))
        rows = math.ceil(len(histograms) / columns)
        figure = Figure(figsize=(5.6, 4.8) if len(histograms) == 1 else (4.3 * columns, 3.7 * rows + 0.3))
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes, (name, histogram) in zip(panels, parsed.items(), strict=False):
            _panel(axes, filled[name], histogram)
        for axes in panels[len(histograms) :]:
            axes.set_axis_off()
        if len(histograms) == 1:
            header(panels[0], figures, luminosity_fb)
        else:
            figure_header(figure, figures, luminosity_fb)
        save(figure, outputs)
    _write(csv, filled, parsed)


def _fill(
    skims: Sequence[Path],
    events: Sequence[Path],
    normalisation: Normalisation,
    histograms: Mapping[str, Histogram],
) -> dict[str, list[Process]]:
    sums: dict[str, dict[tuple[str, bool], Floats]] = {name: {} for name in histograms}
    for skim, event in zip(skims, events, strict=True):
        content = normalisation.apply(FeatureSet.read(event.parent, []))
        number, values = read_values(skim, {name: entry.quantity for name, entry in histograms.items()})
        if not np.array_equal(number, content.event_number):
            raise FileError(f"{event}: its events are not those of {skim}; run the features stage again")
        if not len(content):
            continue
        # a process whose samples are of several classes is drawn once for each
        process = (normalisation.of_sample(content.metadata.sample).process, bool(content.label[0]))
        for name, histogram in histograms.items():
            edges = edges_of(histogram)
            there = np.isfinite(values[name])
            x = np.clip(values[name][there], edges[0], np.nextafter(edges[-1], edges[0]))
            w = content.weight[there]
            filled = np.stack([np.histogram(x, edges, weights=w**power)[0] for power in (1, 2)])
            sums[name][process] = sums[name].get(process, 0) + filled
    if not any(heights[0].sum() for entry in sums.values() for heights in entry.values()):
        raise NoEventsError(f"no event in {len(skims)} skim files; loosen skim.cuts")
    return {
        name: [Process(key[0], key[1], h[0], np.sqrt(h[1])) for key, h in entry.items()]
        for name, entry in sums.items()
    }


def edges_of(histogram: Histogram) -> Floats:
    """Return the bin edges, (bins + 1,)."""
    return np.linspace(histogram.min, histogram.max, histogram.bins + 1)


def _panel(axes: Axes, processes: list[Process], histogram: Histogram) -> None:
    edges = edges_of(histogram)
    named = [p for p in processes if not p.signal]
    colours = {p.name: background_colour(i) for i, p in enumerate(named)}
    backgrounds = sorted(named, key=lambda p: float(p.height.sum()))
    signals = [p for p in processes if p.signal]
    if histogram.log:
        axes.set_yscale("log")
    total = np.sum([p.height for p in backgrounds], axis=0) if backgrounds else np.zeros(histogram.bins)
    error = np.sqrt(np.sum([p.error**2 for p in backgrounds], axis=0)) if backgrounds else total
    if backgrounds:
        labels = [pretty(p.name) for p in backgrounds]
        stack(axes, [p.height for p in backgrounds], edges, labels, [colours[p.name] for p in backgrounds])
        axes.stairs(
            total + error,
            edges,
            baseline=np.maximum(total - error, 0),
            fill=True,
            facecolor="none",
            edgecolor="0.25",
            hatch="/////",
            linewidth=0,
            label="stat. uncertainty",
        )
    tops = [float((total + error).max())]
    for number, signal in enumerate(signals):
        power = _power(total, signal.height)
        factor = 10.0**power
        scale = f" $\\times\\,10^{{{power}}}$" if power else ""
        dashes = ("-", "--", ":")[number % 3]
        label = pretty(signal.name) + scale
        axes.stairs(
            factor * signal.height, edges, color=SIGNAL_COLOUR, linewidth=1.8, linestyle=dashes, label=label
        )
        tops.append(factor * float(signal.height.max()))
    _finish(axes, histogram, edges, max(tops), [total, *(p.height for p in backgrounds)])


def _finish(axes: Axes, histogram: Histogram, edges: Floats, top: float, heights: Sequence[Floats]) -> None:
    unit = f" {histogram.unit}" if histogram.unit else ""
    axes.set_xlim(edges[0], edges[-1])
    axes.set_xlabel(f"{histogram.label} [{histogram.unit}]" if histogram.unit else histogram.label)
    axes.set_ylabel(f"Events / {edges[1] - edges[0]:.3g}{unit}")
    if histogram.log:
        positive = np.concatenate([h[h > 0] for h in heights])
        low = float(positive.min()) if len(positive) else 0.1
        axes.set_ylim(max(low / 2, top * 1e-7), top)
        headroom(axes, top * 1.6, 0.25)
    else:
        axes.set_ylim(0, top)
        headroom(axes, top, 0.3)
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], labels[::-1], loc="upper right", ncols=2 if len(labels) > 3 else 1, fontsize=9)


def _power(background: Floats, signal: Floats) -> int:
    """Return the power of ten that brings the signal to the size of the background."""
    if not background.any() or not signal.any():
        return 0
    return math.floor(math.log10(background.max() / signal.max()))


def _write(path: Path, filled: dict[str, list[Process]], histograms: Mapping[str, Histogram]) -> None:
    names = ("histogram", "process", "role", "low", "high", "events", "error")
    columns: dict[str, list[Any]] = {name: [] for name in names}
    for name, processes in filled.items():
        edges = edges_of(histograms[name])
        for process in processes:
            role = "signal" if process.signal else "background"
            for row in zip(edges[:-1], edges[1:], process.height, process.error, strict=True):
                for column, value in zip(names, (name, process.name, role, *row), strict=True):
                    columns[column].append(value)
    write_table(path, columns)
