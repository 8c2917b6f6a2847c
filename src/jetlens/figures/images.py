"""Average jet images: where the transverse momentum of a jet lies, for signal and background."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from jetlens.config.evaluation import FiguresConfig
from jetlens.errors import FileError, NoEventsError
from jetlens.explanation.maps import column, has_positions
from jetlens.features.alignment import align
from jetlens.features.featurefile import FeatureSet
from jetlens.features.normalisation import Normalisation
from jetlens.figures.maps import jet_name
from jetlens.figures.style import EMPTY_COLOUR, SEQUENTIAL, figure_header, look, save, write_table

Floats = NDArray[np.float64]
CLASSES = (("signal", 1), ("background", 0))


FINEST = np.linspace(0, 5, 51)
"""Half widths an image may have."""


def draw_jet_images(
    events: Sequence[Path],
    streams: Sequence[Path],
    normalisation: Path,
    outputs: Sequence[Path],
    csv: Path,
    *,
    figures: FiguresConfig,
    pixel: float = 0.05,
    contained: float = 0.99,
) -> None:
    """Draw the mean share of a jet's scalar pT sum per pixel, all selected events, weighted by σ·L.

    Each jet is first brought into one frame, as by the alignment ``flip`` of :mod:`jetlens.features.alignment`: its
    pT-weighted centroid at the origin, its principal axis upright, the harder half on top and to the right. Images
    reach as far as the data.

    Args:
        events: ``event.npz`` of all parts of all samples.
        streams: ``<stream>.npz`` of them, for all streams of constituents; those with places are drawn.
        normalisation: ``normalisation.json``: expected events per generator weight.
        outputs: figure files, .pdf or .png.
        csv: the numbers drawn, with statistical errors.
        figures: the look.
        pixel: width of a pixel.
        contained: share of all constituents that the image must hold.

    Raises:
        FileError: if no stream holds ``delta_eta``, ``delta_phi`` and ``log_pt``, or a file cannot be read.
        NoEventsError: if a class has no event.
    """
    names, scales = list(dict.fromkeys(path.stem for path in streams)), Normalisation.read(normalisation)
    reach = np.sum([_reach(jet) for path in events for *_, jet in _jets(path, names, scales)], axis=0)
    if not reach.any():
        raise FileError(
            f"{events[0].parent}: no stream has delta_eta and delta_phi; add both to features.streams to draw images"
        )
    half_width = float(FINEST[1 + int(np.argmax(np.cumsum(reach) >= contained * reach.sum()))])
    edges = np.linspace(-half_width, half_width, 2 * round(half_width / pixel) + 1)
    sums: dict[tuple[str, int], Floats] = {}
    for path in events:
        for stream, label, weight, jet in _jets(path, names, scales):
            sums[stream, label] = sums.get((stream, label), 0) + _sums(jet, weight, edges)
    drawn = list(dict.fromkeys(stream for stream, _ in sums))
    images = {key: _mean(value, key[1]) for key, value in sums.items()}
    _draw(images, drawn, edges, outputs, figures)
    _write(csv, images, edges)


@dataclass(frozen=True)
class _Jets:
    """Constituents of one jet per event in the frame of the image, (N, P) each; pT [GeV] is zero in padded slots."""

    x: Floats
    y: Floats
    pt: Floats


def _jets(
    path: Path, names: list[str], normalisation: Normalisation
) -> Iterator[tuple[str, int, Floats, _Jets]]:
    """Yield stream, class, weights (N,) and aligned jets of one part."""
    content = normalisation.apply(FeatureSet.read(path.parent, names))
    for stream in (name for name in names if has_positions(content, name)):
        for _, label in CLASSES:
            chosen = content.label == label
            mask = content.masks[stream][chosen]
            eta, phi = (column(content, stream, name)[chosen] for name in ("delta_eta", "delta_phi"))
            pt = np.where(mask, np.exp(column(content, stream, "log_pt")[chosen]), 0.0)
            yield stream, label, content.weight[chosen], _Jets(*align(eta, phi, pt, mask, "flip"), pt)


def _reach(jets: _Jets) -> NDArray[np.int64]:
    """Count constituents by the half width of the image that would just hold them."""
    farther = np.maximum(np.abs(jets.x), np.abs(jets.y))[jets.pt > 0]
    return np.histogram(np.minimum(farther, np.nextafter(FINEST[-1], 0)), FINEST)[0]


def _sums(jets: _Jets, weight: Floats, edges: Floats) -> Floats:
    """Return Σw, Σw·x, Σw², Σw²·x, Σw²·x² per pixel, x being a jet's share of pT in the pixel: (5, B, B)."""
    bins, pt = len(edges) - 1, jets.pt
    total = pt.sum(axis=1, keepdims=True)
    there = total[:, 0] > 0
    share = np.divide(pt, total, out=np.zeros_like(pt), where=total > 0)
    x = np.searchsorted(edges, jets.x, side="right") - 1
    y = np.searchsorted(edges, jets.y, side="right") - 1
    inside = (pt > 0) & (x >= 0) & (x < bins) & (y >= 0) & (y < bins)
    event = np.broadcast_to(np.arange(len(pt))[:, None], pt.shape)
    # pixels that a jet leaves empty count as zero: only filled ones need a place in memory
    pixel, where = np.unique(((event * bins + x) * bins + y)[inside], return_inverse=True)
    value = np.bincount(where, share[inside], len(pixel))
    w, cell = weight[pixel // bins**2], pixel % bins**2
    ones = np.ones(bins**2)
    rows = [
        weight[there].sum() * ones,
        np.bincount(cell, w * value, bins**2),
        (weight[there] ** 2).sum() * ones,
        np.bincount(cell, w**2 * value, bins**2),
        np.bincount(cell, w**2 * value**2, bins**2),
    ]
    return np.stack(rows).reshape(5, bins, bins)


def _mean(sums: Floats, label: int) -> tuple[Floats, Floats]:
    w, wx, w2, w2x, w2x2 = sums
    if not w.max() > 0:
        raise NoEventsError(f"no {'signal' if label else 'background'} event to average a jet image over")
    mean = wx / w
    return mean, np.sqrt(np.maximum(w2x2 - 2 * mean * w2x + mean**2 * w2, 0)) / w


def _draw(
    images: dict[tuple[str, int], tuple[Floats, Floats]],
    streams: list[str],
    edges: Floats,
    outputs: Sequence[Path],
    figures: FiguresConfig,
) -> None:
    top = max(float(mean.max()) for mean, _ in images.values())
    norm = LogNorm(top / 1e4, top)
    with look(figures):
        figure = Figure(figsize=(2.6 * len(streams) + 1.2, 5.6), layout="compressed")
        panels = figure.subplots(2, len(streams), sharex=True, sharey=True, squeeze=False)
        for r, (name, label) in enumerate(CLASSES):
            for c, stream in enumerate(streams):
                axes = panels[r, c]
                axes.set_facecolor(EMPTY_COLOUR)
                mean = images[stream, label][0]
                values = np.where(mean > 0, mean, np.nan)
                mesh = axes.pcolormesh(edges, edges, values.T, norm=norm, cmap=SEQUENTIAL, rasterized=True)
                axes.set_aspect("equal")
                axes.set_title(f"{name}, {jet_name(stream, c)}", size=12)
                if r == 1:
                    axes.set_xlabel("across the axis")
                if c == 0:
                    axes.set_ylabel("along the principal axis")
        figure.colorbar(
            mesh,
            ax=list(panels.ravel()),
            label="mean share of the jet's $p_T$ per pixel",
            extend="min",
            pad=0.02,
        )
        figure_header(figure, figures)
        save(figure, outputs)


def _write(path: Path, images: dict[tuple[str, int], tuple[Floats, Floats]], edges: Floats) -> None:
    table: dict[str, list[Any]] = {}
    centres = (edges[1:] + edges[:-1]) / 2
    for (stream, label), (mean, error) in images.items():
        for x, y in np.argwhere(mean > 0):
            row = {
                "jet": stream,
                "class": "signal" if label else "background",
                "across": float(centres[x]),
                "along": float(centres[y]),
                "pt_share": float(mean[x, y]),
                "error": float(error[x, y]),
            }
            for key, value in row.items():
                table.setdefault(key, []).append(value)
    write_table(path, table)
