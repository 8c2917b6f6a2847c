"""Distributions after selection: backgrounds stacked, signal overlaid, at the analysis' luminosity; shapes below."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hist
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from jetlens.config.evaluation import FiguresConfig, Histogram
from jetlens.errors import FileError, NoEventsError
from jetlens.features.featurefile import FeatureSet
from jetlens.features.normalisation import Normalisation
from jetlens.figures.histograms import Folded, fill, fold
from jetlens.figures.palette import Look, line
from jetlens.figures.style import (
    header,
    headroom,
    legend_below,
    look,
    mark_flow,
    pretty,
    save,
    scientific,
    stack,
    uncertainty_band,
    write_table,
)
from jetlens.figures.values import read_values

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Process:
    """One process in one histogram, ends folded in.

    Attributes:
        look: how it is drawn.
        bins: expected events.
        events: simulated events.
    """

    look: Look
    bins: Folded
    events: int

    @property
    def signal(self) -> bool:
        """Whether it is drawn as a line."""
        return bool(self.look["role"] == "signal")

    @property
    def yield_(self) -> float:
        """Expected events."""
        return float(self.bins.value.sum())


def draw_kinematics(
    skims: Sequence[Path],
    events: Sequence[Path],
    normalisation: Path,
    outputs: Sequence[Path],
    csv: Path,
    *,
    histogram: Histogram | Mapping[str, Any],
    processes: Mapping[str, Look],
    luminosity_fb: float,
    figures: FiguresConfig,
    definitions: Mapping[str, str] | None = None,
    apart: Mapping[str, str] | None = None,
) -> None:
    """Draw one distribution: expected events above, shapes of all processes, normalised to one, below.

    What lies beyond the axis is counted in its first and last bin, which the figure says; events that lack the object
    are left out. The signal is scaled by the power of ten given in the legend. The hatched band is the statistical
    uncertainty of the simulated background, √Σw²; the legend gives each process' simulated events and their mean
    weight, so that bins that hold single events can be told.

    Args:
        skims: skim files.
        events: ``event.npz`` of the same parts in the same order.
        normalisation: ``normalisation.json``: process of each sample, expected events per generator weight.
        outputs: figure files, .pdf or .png.
        csv: the numbers drawn: one line per process and bin.
        histogram: what to draw; a model or plain data.
        processes: look of every process, in the order of drawing.
        luminosity_fb: integrated luminosity [1/fb].
        figures: the look.
        definitions: names that quantities may use, each an expression.
        apart: sample to name among ``processes``, of signals that are drawn mass by mass.

    Raises:
        ConfigError: if the quantity cannot be read.
        FileError: if files are missing or do not belong together.
        NoEventsError: if nothing was selected.
    """
    histogram = Histogram.model_validate(histogram)
    scale = Normalisation.read(normalisation)
    drawn = _fill(skims, events, scale, histogram, processes, definitions or {}, apart or {})
    with look(figures):
        signals = sum(p.signal for p in drawn)
        figure = Figure(figsize=(5.0, 6.0 + 0.2 * max(signals, 1)))  # each has a line of the legend
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        _expected(upper, drawn, histogram)
        _shapes(lower, drawn, histogram)
        mark_flow(upper, any(p.bins.below for p in drawn), any(p.bins.above for p in drawn))
        upper.set_xlim(histogram.min, histogram.max)
        lower.set_xlabel(f"{histogram.label} [{histogram.unit}]" if histogram.unit else histogram.label)
        handles, labels = upper.get_legend_handles_labels()
        legend_below(figure, handles[::-1], labels[::-1], "simulated events × mean weight")
        header(upper, figures, luminosity_fb)
        save(figure, outputs)
    write_table(csv, pd.concat([_table(process, histogram) for process in drawn]))


def edges_of(histogram: Histogram) -> Floats:
    """Return the bin edges, (bins + 1,)."""
    return np.linspace(histogram.min, histogram.max, histogram.bins + 1)


def _fill(
    skims: Sequence[Path],
    events: Sequence[Path],
    normalisation: Normalisation,
    histogram: Histogram,
    processes: Mapping[str, Look],
    definitions: Mapping[str, str],
    apart: Mapping[str, str],
) -> list[Process]:
    axis = hist.axis.Regular(histogram.bins, histogram.min, histogram.max)
    sums: dict[str, hist.Hist] = {}
    simulated: dict[str, int] = {}
    for skim, event in zip(skims, events, strict=True):
        content = normalisation.apply(FeatureSet.read(event.parent, []))
        number, values = read_values(skim, {"x": histogram.quantity}, definitions)
        if not np.array_equal(number, content.event_number):
            raise FileError(f"{event}: its events are not those of {skim}; run the features stage again")
        sample = content.metadata.sample
        name = apart.get(sample, normalisation.of_sample(sample).process)
        filled = fill(axis, values["x"], content.weight)
        sums[name] = sums[name] + filled if name in sums else filled
        simulated[name] = simulated.get(name, 0) + int(np.isfinite(values["x"]).sum())
    if not any(simulated.values()):
        raise NoEventsError(f"no event in {len(skims)} skim files; loosen skim.cuts")
    return [Process(processes[name], fold(sums[name]), simulated[name]) for name in processes if name in sums]


def _expected(axes: Axes, processes: Sequence[Process], histogram: Histogram) -> None:
    edges = edges_of(histogram)
    backgrounds = sorted((p for p in processes if not p.signal), key=lambda p: p.yield_)
    total = np.sum([p.bins.value for p in backgrounds] or [np.zeros(histogram.bins)], axis=0)
    error = np.sqrt(np.sum([p.bins.variance for p in backgrounds] or [np.zeros(histogram.bins)], axis=0))
    if histogram.log:
        axes.set_yscale("log")
    if backgrounds:
        looks = [{**p.look, "label": _label(p)} for p in backgrounds]
        stack(axes, [p.bins.value for p in backgrounds], edges, looks)
        uncertainty_band(axes, total - error, total + error, edges, "stat. uncertainty")
    tops = [float((total + error).max())]
    for signal in (p for p in processes if p.signal):
        power = _power(total, signal.bins.value)
        scale = f" $\\times\\,10^{{{power}}}$" if power else ""
        height = 10.0**power * signal.bins.value
        axes.stairs(height, edges, linewidth=1.8, label=_label(signal, scale), **line(signal.look))
        bar = 10.0**power * signal.bins.error
        axes.errorbar(_centres(edges), height, bar, linestyle="none", linewidth=1, color=signal.look["color"])
        tops.append(float((height + bar).max()))
    unit = f" {histogram.unit}" if histogram.unit else ""
    axes.set_ylabel(f"Events / {edges[1] - edges[0]:.3g}{unit}")
    top = max(tops)
    if histogram.log:
        positive = total[total > 0]
        axes.set_ylim(max(float(positive.min(initial=top)) / 20, top * 1e-6), top)
        headroom(axes, top * 1.3, 0.05)
    else:
        axes.set_ylim(0, top)
        headroom(axes, top, 0.08)


def _shapes(axes: Axes, processes: Sequence[Process], histogram: Histogram) -> None:
    edges = edges_of(histogram)
    for process in processes:
        share, error = (part / (process.yield_ or 1.0) for part in (process.bins.value, process.bins.error))
        axes.stairs(share, edges, linewidth=1.8 if process.signal else 1.1, **line(process.look))
        axes.errorbar(
            _centres(edges), share, error, linestyle="none", linewidth=0.7, color=process.look["color"]
        )
    axes.set_ylim(bottom=0)
    axes.set_ylabel("Share of events")


def _centres(edges: Floats) -> Floats:
    return np.asarray((edges[1:] + edges[:-1]) / 2)


def _label(process: Process, scale: str = "") -> str:
    """Return the label with the simulated events and what each stands for."""
    weight = process.yield_ / max(process.events, 1)
    return f"{pretty(process.look['label'])}{scale}: {process.events} × {scientific(weight)}"


def _power(background: Floats, signal: Floats) -> int:
    """Return the power of ten that brings the signal to the size of the background."""
    if not background.any() or not signal.any():
        return 0
    return math.floor(math.log10(background.max() / signal.max()))


def _table(process: Process, histogram: Histogram) -> pd.DataFrame:
    edges, total = edges_of(histogram), process.yield_ or 1.0
    return pd.DataFrame(
        {
            "process": process.look["name"],
            "role": process.look["role"],
            "low": edges[:-1],
            "high": edges[1:],
            "events": process.bins.value,
            "error": process.bins.error,
            "share": process.bins.value / total,
            "share_error": process.bins.error / total,
        }
    )
