"""Templates: expected events per bin, process and variation, as histograms of hist."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import hist
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from jetlens.errors import FileError
from jetlens.files import read_json, write_json

Floats = NDArray[np.float64]
NOMINAL = "nominal"
FORMAT = 2


@dataclass(frozen=True)
class Events:
    """What a template is filled from.

    Attributes:
        observable: float (N,).
        weight: expected events, float (N,).
        number: what tells events apart, int (N,): the same event in two variations, or in several rows, has the same.
    """

    observable: Floats
    weight: Floats
    number: NDArray[np.int64]


@dataclass(frozen=True)
class Region:
    """The templates of one region.

    Attributes:
        name: of the region.
        histogram: axes ``process``, ``variation`` (``nominal``, ``<systematic>_up``, ``<systematic>_down``) and
            ``observable``; weighted storage: Σw and Σw². Events beyond the range count in the edge bins.
        shift_variance: variance of (variation − nominal), float (bins,), by process and variation. The two share
            events, so it is much smaller than the sum of their variances.
        unit: of the observable.
        shared: Σ w·w_nominal of shared events by bin in the variation and nominal bin, sparse (bins, bins): with it,
            merged bins know of the events that have moved inside of them.
        own: Σ w·w of one event's rows by their two bins, sparse (bins, bins), by process and variation, the nominal
            one included: with it, rows of an event that come into one merged bin add up before they are squared.
        rate_variance: variance of (variation − nominal) in all bins together, by process and variation.
        event_weights: what an event of a process weighs, for one of which none is in the region.
        beyond: Σ w·w′ per bin, with w′ the weight that an event's rows have in other regions, (bins,) by process.
    """

    name: str
    histogram: hist.Hist
    shift_variance: Mapping[tuple[str, str], Floats] = field(default_factory=dict)
    unit: str = ""
    shared: Mapping[tuple[str, str], sparse.csr_array] = field(default_factory=dict)
    own: Mapping[tuple[str, str], sparse.csr_array] = field(default_factory=dict)
    rate_variance: Mapping[tuple[str, str], float] = field(default_factory=dict)
    event_weights: Mapping[str, float] = field(default_factory=dict)
    beyond: Mapping[str, Floats] = field(default_factory=dict)

    @property
    def edges(self) -> Floats:
        """Edges of the bins, (bins + 1,)."""
        return np.asarray(self.histogram.axes["observable"].edges, dtype=np.float64)

    @property
    def processes(self) -> list[str]:
        """Names of the processes."""
        return list(self.histogram.axes["process"])

    def variations(self, process: str) -> list[str]:
        """Names of the process' variations, without the nominal one."""
        return [variation for (name, variation) in self.shift_variance if name == process]

    def values(self, process: str, variation: str = NOMINAL) -> Floats:
        """Σw per bin."""
        return np.asarray(self.histogram[{"process": process, "variation": variation}].values())

    def variances(self, process: str, variation: str = NOMINAL) -> Floats:
        """Σw² per bin."""
        return np.asarray(self.histogram[{"process": process, "variation": variation}].variances())

    def n_eff(self, process: str) -> Floats:
        """(Σw)²/Σw² per bin: the unweighted events that would be as precise; 0 where there is none."""
        values, variances = self.values(process), self.variances(process)
        return np.divide(values**2, variances, out=np.zeros_like(values), where=variances > 0)

    def covered_variances(self, process: str) -> Floats:
        """Σw² per bin, with what rows of the same events add in other bins and regions.

        As independent errors they are never too small for any sum: of a covariance C of positive weights, the diagonal
        matrix of its row sums less C has no negative eigenvalue.
        """
        of = self.own.get((process, NOMINAL))
        own = self.variances(process) if of is None else np.asarray(of.sum(axis=1)).ravel()
        return np.asarray(own + self.beyond.get(process, 0.0))

    def mean_weight(self, process: str) -> float:
        """Weight that one more event of the process would have: Σw²/Σw; where none is here, that of others of it."""
        total = self.values(process).sum()
        if total > 0:
            return float(self.covered_variances(process).sum() / total)
        return self.event_weights.get(process, 0.0)

    def total(self, processes: Iterable[str]) -> tuple[Floats, Floats]:
        """Sum of the nominal templates of some processes: values and variances, (bins,) each."""
        names = list(processes)
        zero = np.zeros(len(self.edges) - 1)
        return (
            sum((self.values(name) for name in names), zero),
            sum((self.variances(name) for name in names), zero),
        )

    def scaled(self, process: str, factor: float) -> Region:
        """Return the region with the events of a process multiplied, in all variations."""
        histogram = self.histogram.copy()
        for variation in histogram.axes["variation"]:
            values, variances = self.values(process, variation), self.variances(process, variation)
            _store(histogram, process, variation, factor * values, factor**2 * variances)
        square = factor**2

        def times(of: Mapping[tuple[str, str], Any]) -> dict[tuple[str, str], Any]:
            return {key: value * square if key[0] == process else value for key, value in of.items()}

        return Region(
            self.name,
            histogram,
            times(self.shift_variance),
            self.unit,
            times(self.shared),
            times(self.own),
            times(self.rate_variance),
            {k: weight * factor if k == process else weight for k, weight in self.event_weights.items()},
            {name: of * square if name == process else of for name, of in self.beyond.items()},
        )

    def rebinned(self, edges: Sequence[float]) -> Region:
        """Return the region with neighbouring bins merged; ``edges`` are some of its own, the outer ones included."""
        starts = np.searchsorted(self.edges, edges)[:-1]
        of = np.searchsorted(starts, np.arange(len(self.edges) - 1), side="right") - 1
        merge = sparse.csr_array((np.ones(len(of)), (np.arange(len(of)), of)), (len(of), len(starts)))
        histogram = self.histogram[{"observable": hist.rebin(edges=[float(edge) for edge in edges])}]
        shared, own = (
            {key: merge.T @ matrix @ merge for key, matrix in of.items()} for of in (self.shared, self.own)
        )
        for (process, variation), matrix in own.items():
            values = np.add.reduceat(self.values(process, variation), starts)
            _store(histogram, process, variation, values, matrix.diagonal())
        merged = Region(
            self.name,
            histogram,
            {},
            self.unit,
            shared,
            own,
            self.rate_variance,
            self.event_weights,
            {process: np.add.reduceat(of, starts) for process, of in self.beyond.items()},
        )
        shifts = {
            key: merged.shift_of(*key) if key in shared else np.add.reduceat(values, starts)
            for key, values in self.shift_variance.items()
        }
        return replace(merged, shift_variance=shifts)

    def shift_of(self, process: str, variation: str) -> Floats:
        """Variance of (variation − nominal) per bin, from the events that both share."""
        total = self.variances(process) + self.variances(process, variation)
        return np.asarray(np.maximum(total - 2 * self.shared[process, variation].diagonal(), 0.0))


class Filling:
    """The templates of a region while they are filled, sample by sample and variation by variation.

    Samples are independent of each other. Events of one number in one sample are one event, whatever its rows: with
    tag weights an event has several, whose weights add up before they are squared.
    """

    def __init__(
        self,
        name: str,
        edges: Sequence[float],
        *,
        unit: str = "",
        event_weights: Mapping[str, float] | None = None,
    ) -> None:
        """Begin with empty templates.

        Args:
            name: of the region.
            edges: of the bins, rising.
            unit: of the observable.
            event_weights: what an event of a process weighs, for processes of which none may be in the region.
        """
        self._name, self._unit, self._weights = name, unit, dict(event_weights or {})
        self._edges = np.asarray(edges, dtype=np.float64)
        self._nominal: dict[tuple[str, str], Summed] = {}
        self._sums: dict[tuple[str, str], dict[str, _Sums]] = {}
        self._beyond: dict[str, Floats] = {}

    def add(self, process: str, sample: str, events: Events, elsewhere: Floats | None = None) -> None:
        """Add the nominal events of a sample, which is of a process.

        ``elsewhere`` is the weight that the event of each row has in other regions, (N,); None: events have none there.
        """
        if elsewhere is not None:
            at, products = _bins(events.observable, self._edges), events.weight * elsewhere
            more = np.bincount(at, products, len(self._edges) - 1).astype(np.float64)
            self._beyond[process] = more + self._beyond.get(process, np.zeros_like(more))
        own = self._nominal[process, sample] = _by_event(events, self._edges)
        self._sums[process, sample] = {NOMINAL: _sums(own, own, len(self._edges) - 1)}

    def vary(
        self, process: str, sample: str, variation: str, events: Events, *, independent: bool = False
    ) -> None:
        """Add the events of a sample under a variation, after the nominal ones.

        With ``independent`` they are of another simulation: their numbers mean nothing to the nominal's.
        """
        varied = _by_event(events, self._edges)
        nominal = None if independent else self._nominal[process, sample]
        self._sums[process, sample][variation] = _sums(varied, nominal, len(self._edges) - 1)

    def region(self) -> Region:
        """Return what was filled. A sample without a variation that others of its process have stays nominal there."""
        names = list(dict.fromkeys(name for parts in self._sums.values() for name in parts))
        processes = list(dict.fromkeys(process for process, _ in self._sums))
        histogram = _empty(processes, names, self._edges)
        shared: dict[tuple[str, str], sparse.csr_array] = {}
        own: dict[tuple[str, str], sparse.csr_array] = {}
        for process in processes:
            parts = [part for (of, _), part in self._sums.items() if of == process]
            for name in (name for name in names if any(name in part for part in parts)):
                sums = [part.get(name, part[NOMINAL]) for part in parts]
                _store(histogram, process, name, sum(s.values for s in sums), sum(s.variances for s in sums))
                own[process, name] = sum((s.own for s in sums[1:]), sums[0].own)
                if name != NOMINAL:
                    shared[process, name] = sum((s.shared for s in sums[1:]), sums[0].shared)
        # of all bins together: rows of an event add up whatever their bins
        rates = {
            key: max(float(own[key].sum() + own[key[0], NOMINAL].sum() - 2 * matrix.sum()), 0.0)
            for key, matrix in shared.items()
        }
        region = Region(
            self._name, histogram, {}, self._unit, shared, own, rates, self._weights, self._beyond
        )
        return replace(region, shift_variance={key: region.shift_of(*key) for key in shared})


class _Sums(NamedTuple):
    """Σw and Σw² per bin, (bins,); Σ w·w_nominal of shared events, and Σ w·w of own ones, by two bins, (bins, bins)."""

    values: Floats
    variances: Floats
    shared: sparse.csr_array
    own: sparse.csr_array


Summed = tuple[NDArray[np.int64], NDArray[np.int64], Floats]


def fill_region(
    name: str,
    events: Mapping[str, Mapping[str, Events]],
    edges: Sequence[float],
    *,
    unit: str = "",
    independent: Iterable[str] = (),
) -> Region:
    """Fill the templates of a region.

    Args:
        name: of the region.
        events: by process and variation; each process has ``nominal``.
        edges: of the bins, rising.
        unit: of the observable.
        independent: variations made from other simulated events, whose numbers mean nothing to the nominal's.

    Returns:
        the region's templates.
    """
    filling = Filling(name, edges, unit=unit)
    apart = set(independent)
    for process, variations in events.items():
        filling.add(process, process, variations[NOMINAL])
        for key, of in variations.items():
            if key != NOMINAL:
                filling.vary(process, process, key, of, independent=key in apart)
    return filling.region()


def _by_event(of: Events, edges: Floats) -> Summed:
    """Number, bin and summed weight of each event in each bin; what lies beyond the edges counts in the outer bins."""
    at = _bins(of.observable, edges)
    order = np.lexsort((at, of.number))
    number, at, weight = of.number[order], at[order], of.weight[order]
    first = np.flatnonzero(np.append(True, (number[1:] != number[:-1]) | (at[1:] != at[:-1]))[: len(number)])
    summed = np.add.reduceat(weight, first) if len(first) else weight
    return number[first], at[first], summed


def _bins(observable: Floats, edges: Floats) -> NDArray[np.int64]:
    """Bin of each row; what lies beyond the edges counts in the outer bins."""
    at = np.searchsorted(edges, observable, side="right") - 1
    return np.clip(at, 0, len(edges) - 2).astype(np.int64)


def _sums(of: Summed, nominal: Summed | None, bins: int) -> _Sums:
    """Sums of events, and what they share with the nominal ones; None if they are of another simulation."""
    _, at, weight = of
    values, variances = (np.bincount(at, w, bins).astype(np.float64) for w in (weight, weight**2))
    own = _common(of, of, bins)
    if nominal is None:
        return _Sums(values, variances, sparse.csr_array((bins, bins)), own)
    return _Sums(values, variances, own if of is nominal else _common(of, nominal, bins), own)


def _common(one: Summed, other: Summed, bins: int) -> sparse.csr_array:
    """Σ of products of the weights of events with one number, by their bins, (bins, bins)."""
    number, at, weight = one
    if one is other and (number[1:] != number[:-1]).all():
        return sparse.csr_array(sparse.diags_array(np.bincount(at, weight**2, bins).astype(np.float64)))
    both = pd.DataFrame({"number": number, "bin": at, "weight": weight}).merge(
        pd.DataFrame(dict(zip(("number", "of", "other"), other, strict=True))), on="number"
    )
    product = (both["weight"] * both["other"]).to_numpy()
    sums = np.bincount(bins * both["bin"].to_numpy() + both["of"].to_numpy(), product, bins * bins)
    return sparse.csr_array(sums.reshape(bins, bins))


def _empty(processes: list[str], variations: list[str], edges: Sequence[float] | Floats) -> hist.Hist:
    return hist.Hist(
        hist.axis.StrCategory(processes, name="process"),
        hist.axis.StrCategory(variations, name="variation"),
        hist.axis.Variable(edges, name="observable", flow=False),
        storage=hist.storage.Weight(),
    )


def _store(histogram: hist.Hist, process: str, variation: str, values: Any, variances: Any) -> None:
    view = histogram[{"process": process, "variation": variation}].view()
    view["value"], view["variance"] = values, variances
    histogram[{"process": process, "variation": variation}] = view


def write_templates(path: str | os.PathLike[str], regions: Iterable[Region]) -> None:
    """Write ``templates.json``: by region, process and variation, values and variances per bin."""
    content: dict[str, Any] = {"format": FORMAT, "regions": {}}
    for region in regions:
        processes: dict[str, Any] = {}
        for process in region.processes:
            processes[process] = {
                variation: {
                    "values": region.values(process, variation).tolist(),
                    "variances": region.variances(process, variation).tolist(),
                }
                for variation in (NOMINAL, *region.variations(process))
            }
            for variation in region.variations(process):
                shift = region.shift_variance[process, variation]
                processes[process][variation]["shift_variances"] = shift.tolist()
                processes[process][variation]["rate_variance"] = region.rate_variance[process, variation]
        content["regions"][region.name] = {
            "edges": region.edges.tolist(),
            "unit": region.unit,
            "processes": processes,
        }
    write_json(path, content)


def read_templates(path: str | os.PathLike[str]) -> list[Region]:
    """Read what :func:`write_templates` wrote.

    Raises:
        FileError: if the file holds something else.
    """
    try:
        content = read_json(path)
        if content["format"] != FORMAT:
            raise FileError(
                f"{path}: templates of format {content['format']}, expected {FORMAT}; make them again"
            )
        return [_region(name, of) for name, of in content["regions"].items()]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FileError(f"{path}: is no file of templates: {type(error).__name__}: {error}") from error


def _region(name: str, content: Mapping[str, Any]) -> Region:
    processes = content["processes"]
    variations = list(dict.fromkeys(v for each in processes.values() for v in each))
    histogram = _empty(list(processes), variations, content["edges"])
    shifts, rates = {}, {}
    for process, of in processes.items():
        for variation, arrays in of.items():
            _store(histogram, process, variation, arrays["values"], arrays["variances"])
            if variation != NOMINAL:
                shifts[process, variation] = np.asarray(arrays["shift_variances"], dtype=np.float64)
                rates[process, variation] = float(arrays["rate_variance"])
    return Region(name, histogram, shifts, content["unit"], rate_variance=rates)
