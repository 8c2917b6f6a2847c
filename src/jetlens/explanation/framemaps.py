"""Maps in the jets' own frame, with the null test that says whether they show anything.

The worth of a constituent is its relevance over the mean |relevance| of its event's constituents. A cell shows the mean
worth of the constituents found there. Background jets are weighed to have the signal's pT and mass, so that the
difference of the maps is not that of the jets' kinematics. Errors are by bootstrap over events. With constituents
turned by random angles against fixed subjets there is no structure but the radial one: a turned map's χ² about the mean
of turned maps is 1 per cell if errors are right, and the real map's p-value is its rank among them.

Turning moves constituents, too, and where they are fewer a map of mere noise scatters more: it may stand out among
turned ones. So there is a second null test, which leaves them where they are: their worth is shuffled among
neighbours in distance from the jet's axis. Structure is what stands out in both.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from jetlens.errors import FileError
from jetlens.explanation.curves import shuffled_at_equal
from jetlens.explanation.frame import Subjets, soft_drop_subjets, to_frame, turned

Floats = NDArray[np.float64]
EDGES_X = np.linspace(-1.0, 2.0, 16)
EDGES_Y = np.linspace(-1.25, 1.25, 13)
RADII = np.array([0, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0])
REPLICAS = 200
TURNS = 60
FEWEST = 10.0
"""Cells with fewer effective events of a class are empty."""
BINS = 4
"""Quantiles of the signal's pT and of its mass in which background is reweighted."""


@dataclass(frozen=True)
class Jets:
    """The jets of one class, N events of J jets each, one behind the other: (N·J, …).

    ``worth`` (N·J, T) is the mean over trainings, ``event`` (N·J,) says which event a jet is of.
    """

    worth: Floats
    eta: Floats
    phi: Floats
    mask: NDArray[np.bool_]
    subjets: Subjets
    event: NDArray[np.int64]
    pt: Floats
    mass: Floats

    def select(self, chosen: Any) -> Jets:
        """Return some of the jets."""
        subjets = Subjets(*(x[chosen] for x in (self.subjets.eta, self.subjets.phi, self.subjets.pt)))
        rest = (self.event, self.pt, self.mass)
        return Jets(
            self.worth[chosen], self.eta[chosen], self.phi[chosen], self.mask[chosen], subjets,
            *(x[chosen] for x in rest),
        )  # fmt: skip


@dataclass(frozen=True)
class FrameMap:
    """A map and its null test.

    Attributes:
        signal: (X, Y) mean worth per cell, NaN where empty; ``background`` and ``difference`` alike.
        error: (X, Y) of the difference, by bootstrap over events.
        chi2: χ² per cell of the difference about the mean of turned maps.
        turned_chi2: the same of each turned map, (TURNS,).
        cells: cells that χ² is the mean of.
        shuffled_p: rank of the map among those with the worth shuffled, as a p-value.
        radial: (R, 2, 2) mean worth in rings about the harder subjet, by class, with errors.
    """

    signal: Floats
    background: Floats
    difference: Floats
    error: Floats
    chi2: float
    turned_chi2: Floats
    radial: Floats
    cells: int = 0
    shuffled_p: float = float("nan")

    @property
    def p_value(self) -> float:
        """The rank of the real map's χ² among those of turned ones; NaN where events are too few for a cell in each."""
        if not np.isfinite([self.chi2, *self.turned_chi2]).all():
            return float("nan")
        return float((1 + (self.turned_chi2 >= self.chi2).sum()) / (1 + len(self.turned_chi2)))


def jets_of(arrays: dict[str, NDArray[Any]], truth: int) -> Jets:
    """Return the jets of one class from a method's file.

    Raises:
        FileError: if it holds no constituents with a place and a pT.
    """
    chosen = np.flatnonzero(arrays["class"] == truth)
    value = arrays["value"][:, 0].astype(np.float64).mean(axis=0)[chosen]
    kinds = arrays["kinds"] == "constituents"
    inside = kinds[arrays["slot_stream"]] & np.isfinite(arrays["eta"]).any(axis=0)
    mask = arrays["mask"][chosen] & inside
    scale = np.abs(np.where(mask, value, 0)).sum(axis=1) / np.maximum(mask.sum(axis=1), 1)
    worth = value / np.where(scale > 0, scale, np.inf)[:, None]
    parts = []
    for j in np.flatnonzero(kinds):
        slots = arrays["slot_stream"] == j
        own = mask[:, slots]
        place = [
            np.where(own, arrays[name][chosen][:, slots], 0).astype(np.float64) for name in ("eta", "phi")
        ]
        pt = np.where(own, np.exp(arrays["log_pt"][chosen][:, slots].astype(np.float64)), 0)
        parts.append((worth[:, slots], *place, own, pt))
    if not parts or not any(part[3].any() for part in parts):
        raise FileError("no constituents with delta_eta, delta_phi and log_pt, so there is no map of them")
    width = max(part[0].shape[1] for part in parts)
    columns = [
        np.concatenate([np.pad(part[k], [(0, 0), (0, width - part[k].shape[1])]) for part in parts])
        for k in range(5)
    ]
    w, eta, phi, own, pt = columns
    jets = Jets(
        w, eta, phi, own, soft_drop_subjets(eta, phi, pt, own),
        np.tile(np.arange(len(chosen)), len(parts)), pt.sum(axis=1), _mass(eta, phi, pt),
    )  # fmt: skip
    return jets.select(np.isfinite(jets.subjets.distance) & (jets.subjets.distance > 0.02))


def frame_map(arrays: dict[str, NDArray[Any]], seed: int = 1) -> FrameMap:
    """Return a method's map in the jets' frame, with errors and null test."""
    rng = np.random.default_rng(seed)
    classes = [jets_of(arrays, 1), jets_of(arrays, 0)]
    weights = [np.ones(len(classes[0].pt)), to_signal(*classes)]
    found = _untested(classes, weights, rng)
    spins = [
        [_cells(j, *turned(j.eta, j.phi, rng.uniform(-np.pi, np.pi, len(j.pt)))) for j in classes]
        for _ in range(TURNS)
    ]
    null = _Null(classes, weights, spins)
    return replace(
        found,
        cells=int(np.isfinite(null.mean).sum()),
        shuffled_p=_shuffled_p(classes, weights, found.difference.ravel(), rng),
        chi2=null.chi2(found.difference.ravel()),
        turned_chi2=np.array([null.chi2(difference, one_of_them=True) for difference in null.differences]),
    )


def untested_map(arrays: dict[str, NDArray[Any]], seed: int = 1) -> FrameMap:
    """Return a method's map in the jets' frame with errors, but without the null test: nine tenths of the time."""
    classes = [jets_of(arrays, 1), jets_of(arrays, 0)]
    weights = [np.ones(len(classes[0].pt)), to_signal(*classes)]
    return _untested(classes, weights, np.random.default_rng(seed))


def _untested(classes: list[Jets], weights: list[Floats], rng: np.random.Generator) -> FrameMap:
    replicas = [_replicas(jets, rng) for jets in classes]
    grids = [_cells(jets, jets.eta, jets.phi) for jets in classes]
    real, error, parts = _difference(grids, weights, replicas)
    rings = [_rings(jets) for jets in classes]
    radial = np.stack([_radial(*x) for x in zip(rings, weights, replicas, strict=True)], axis=1)
    shape = (len(EDGES_X) - 1, len(EDGES_Y) - 1)
    return FrameMap(
        signal=parts[0].reshape(shape),
        background=parts[1].reshape(shape),
        difference=real.reshape(shape),
        error=error.reshape(shape),
        chi2=float("nan"),
        turned_chi2=np.zeros(0),
        radial=radial,
    )


def to_signal(signal: Jets, background: Jets) -> Floats:
    """Return weights of background jets, from unit weights, that give them the signal's pT and mass: in quantiles."""
    cells = []
    cuts = [np.quantile(x, np.linspace(0, 1, BINS + 1)[1:-1]) for x in (signal.pt, signal.mass)]
    for jets in (signal, background):
        pt, mass = (np.searchsorted(cut, x) for cut, x in zip(cuts, (jets.pt, jets.mass), strict=True))
        cells.append(pt * BINS + mass)
    number = [np.bincount(cell, minlength=BINS**2) for cell in cells]
    ratio = number[0] / np.maximum(number[1], 1)
    return np.asarray(ratio[cells[1]], dtype=np.float64)


def _mass(eta: Floats, phi: Floats, pt: Floats) -> Floats:
    """Return the mass [GeV] of massless constituents, exact under boosts along the beam."""
    px, py, pz, e = pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta), pt * np.cosh(eta)
    square = e.sum(1) ** 2 - px.sum(1) ** 2 - py.sum(1) ** 2 - pz.sum(1) ** 2
    return np.asarray(np.sqrt(np.maximum(square, 0)))


def _cells(jets: Jets, eta: Floats, phi: Floats) -> tuple[Floats, Floats]:
    """Return per jet and cell the summed worth and the number of constituents, (J, X·Y) each."""
    x, y = to_frame(eta, phi, jets.subjets)
    nx, ny = len(EDGES_X) - 1, len(EDGES_Y) - 1
    i, j = np.searchsorted(EDGES_X, x, side="right") - 1, np.searchsorted(EDGES_Y, y, side="right") - 1
    inside = jets.mask & (i >= 0) & (i < nx) & (j >= 0) & (j < ny)
    return _sums(jets, i * ny + j, inside, nx * ny)


def _rings(jets: Jets) -> tuple[Floats, Floats]:
    x, y = to_frame(jets.eta, jets.phi, jets.subjets)
    ring = np.searchsorted(RADII, np.hypot(x, y), side="right") - 1
    return _sums(jets, ring, jets.mask & (ring < len(RADII) - 1), len(RADII) - 1)


def _sums(jets: Jets, cell: Any, inside: Any, number: int) -> tuple[Floats, Floats]:
    row = np.broadcast_to(np.arange(len(cell))[:, None], cell.shape)[inside]
    flat, size = row * number + cell[inside], len(cell) * number
    sums = np.bincount(flat, jets.worth[inside], size).reshape(-1, number).astype(np.float64)
    return sums, np.bincount(flat, minlength=size).reshape(-1, number).astype(np.float64)


def _replicas(jets: Jets, rng: np.random.Generator) -> Floats:
    """Return (REPLICAS, J) bootstrap weights: jets of one event go together."""
    events = int(jets.event.max()) + 1
    draws = rng.multinomial(events, np.full(events, 1 / events), REPLICAS)
    return np.asarray(draws[:, jets.event], dtype=np.float64)


def _difference(
    grids: list[tuple[Floats, Floats]], weights: list[Floats], replicas: list[Floats]
) -> tuple[Floats, Floats, list[Floats]]:
    """Return signal − background, its bootstrap error, and both; NaN in cells of too few effective events."""
    means, spreads = [], []
    for (sums, number), weight, draws in zip(grids, weights, replicas, strict=True):
        with np.errstate(invalid="ignore", divide="ignore"):
            again = (draws * weight) @ sums / ((draws * weight) @ number)
        means.append(_mean(sums, number, weight))
        spreads.append(_spread(again))
    return means[0] - means[1], np.hypot(*spreads), means


def _radial(grid: tuple[Floats, Floats], weight: Floats, draws: Floats) -> Floats:
    """Return mean worth per ring and its bootstrap error, (R, 2)."""
    sums, number = grid
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = weight @ sums / (weight @ number)
        again = (draws * weight) @ sums / ((draws * weight) @ number)
    return np.stack([mean, _spread(again)], axis=1)


def _spread(again: Floats) -> Floats:
    """Return the standard deviation over replicas, NaN where a replica has none: the cell is too empty."""
    there = np.isfinite(again).all(axis=0)
    return np.asarray(np.where(there, np.where(there, again, 0).std(axis=0, ddof=1), np.nan))


class _Null:
    """What maps look like without any structure but the radial one: those of turned jets of the same events.

    Their mean is common to all, and so is what these events have in common with it. What is left is chance of the
    angles: its error is that of the jets' departures from their own mean over turns, summed over events.
    """

    def __init__(
        self, classes: list[Jets], weights: list[Floats], spins: list[list[tuple[Floats, Floats]]]
    ) -> None:
        variances, means = [], []
        for c, (jets, weight) in enumerate(zip(classes, weights, strict=True)):
            own = [spin[c] for spin in spins]
            usual = [np.mean([x[k] for x in own], axis=0) for k in (0, 1)]
            with np.errstate(invalid="ignore", divide="ignore"):
                level = (weight @ usual[0]) / (weight @ usual[1])
                variance = [self._variance(jets, weight, x, usual, np.nan_to_num(level)) for x in own]
                means.append([_mean(*x, weight) for x in own])
            variances.append(np.mean(variance, axis=0) * TURNS / (TURNS - 1))
        self.differences = [a - b for a, b in zip(*means, strict=True)]
        self.error = np.sqrt(variances[0] + variances[1])
        stacked = np.stack(self.differences)
        with np.errstate(invalid="ignore"):
            # a cell counts where it is hardly ever empty
            self.mean = np.where(np.isfinite(stacked).mean(axis=0) > 0.9, _nanmean(stacked), np.nan)

    @staticmethod
    def _variance(
        jets: Jets, weight: Floats, grid: tuple[Floats, Floats], usual: list[Floats], level: Floats
    ) -> Floats:
        departure = weight[:, None] * (grid[0] - usual[0] - level * (grid[1] - usual[1]))
        events = csr_array((np.ones(len(jets.event)), (jets.event, np.arange(len(jets.event))))) @ departure
        # no n / (n - 1): the level is that of all turns, not estimated from this one
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray((events**2).sum(axis=0) / (weight @ grid[1]) ** 2)

    def chi2(self, difference: Floats, one_of_them: bool = False) -> float:
        """Return χ² per cell about the mean of the turned maps, of which a turned map is a part itself."""
        scale = 1 - 1 / TURNS if one_of_them else 1 + 1 / TURNS
        with np.errstate(invalid="ignore", divide="ignore"):
            square = (difference - self.mean) ** 2 / (self.error**2 * scale)
        good = np.isfinite(square)
        return float(square[good].mean()) if good.any() else float("nan")


def _shuffled_p(
    classes: list[Jets], weights: list[Floats], difference: Floats, rng: np.random.Generator
) -> float:
    """Return the rank of a map among those with the worth of constituents shuffled where they are, as a p-value.

    A map's place is its χ² about the mean of all, the real one among them, so that none is treated differently.
    """
    maps = [difference]
    for _ in range(TURNS):
        means = []
        for jets, weight in zip(classes, weights, strict=True):
            near = -np.hypot(jets.eta, jets.phi)
            worth = shuffled_at_equal(jets.worth, near, jets.mask, int(rng.integers(2**32)))
            means.append(_mean(*_cells(replace(jets, worth=worth), jets.eta, jets.phi), weight))
        maps.append(means[0] - means[1])
    stacked = np.stack(maps)
    stacked = stacked[:, np.isfinite(stacked).all(axis=0)]
    if not stacked.size:
        return float("nan")
    spread = stacked.std(axis=0)
    chi2 = (((stacked - stacked.mean(axis=0)) / np.where(spread > 0, spread, np.inf)) ** 2).sum(axis=1)
    return float((chi2 >= chi2[0]).mean())


def _mean(sums: Floats, number: Floats, weight: Floats) -> Floats:
    """Return the mean worth per cell, NaN in cells of too few effective events."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(_effective(weight, number) >= FEWEST, (weight @ sums) / (weight @ number), np.nan)


def _effective(weight: Floats, number: Floats) -> Floats:
    """Return how many jets of equal weight a cell's mean rests on."""
    per_jet = weight[:, None] * number
    return np.asarray(per_jet.sum(axis=0) ** 2 / np.maximum((per_jet**2).sum(axis=0), 1e-300))


def _nanmean(values: Floats) -> Floats:
    number = np.isfinite(values).sum(axis=0)
    return np.asarray(np.nansum(values, axis=0) / np.maximum(number, 1))
