"""Templates: expected events per bin, process and variation, as histograms of hist."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import hist
import numpy as np
from numpy.typing import NDArray

from jetlens.errors import FileError
from jetlens.files import read_json, write_json

Floats = NDArray[np.float64]
NOMINAL = "nominal"
FORMAT = 1


@dataclass(frozen=True)
class Events:
    """What a template is filled from.

    Attributes:
        observable: float (N,).
        weight: expected events, float (N,).
        number: event numbers, int (N,): the same event in two variations has the same number.
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
    """

    name: str
    histogram: hist.Hist
    shift_variance: Mapping[tuple[str, str], Floats] = field(default_factory=dict)
    unit: str = ""

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

    def mean_weight(self, process: str) -> float:
        """Σw²/Σw: the weight that one more event of the process would have; 0 if there is no event at all."""
        total = self.values(process).sum()
        return float(self.variances(process).sum() / total) if total > 0 else 0.0

    def total(self, processes: Iterable[str]) -> tuple[Floats, Floats]:
        """Sum of the nominal templates of some processes: values and variances, (bins,) each."""
        names = list(processes)
        zero = np.zeros(len(self.edges) - 1)
        return (
            sum((self.values(name) for name in names), zero),
            sum((self.variances(name) for name in names), zero),
        )

    def rebinned(self, edges: Sequence[float]) -> Region:
        """Return the region with neighbouring bins merged; ``edges`` are some of its own, the outer ones included."""
        starts = np.searchsorted(self.edges, edges)[:-1]
        return Region(
            self.name,
            self.histogram[{"observable": hist.rebin(edges=[float(edge) for edge in edges])}],
            {key: np.add.reduceat(values, starts) for key, values in self.shift_variance.items()},
            self.unit,
        )


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
    bins = np.asarray(edges, dtype=np.float64)
    histogram = hist.Hist(
        hist.axis.StrCategory(list(events), name="process"),
        hist.axis.StrCategory(
            list(dict.fromkeys(v for each in events.values() for v in each)), name="variation"
        ),
        hist.axis.Variable(bins, name="observable", flow=False),
        storage=hist.storage.Weight(),
    )
    apart = set(independent)
    shifts: dict[tuple[str, str], Floats] = {}
    for process, variations in events.items():
        for variation, of in variations.items():
            inside = np.clip(of.observable, bins[0], np.nextafter(bins[-1], bins[0]))
            histogram.fill(process=process, variation=variation, observable=inside, weight=of.weight)
            if variation != NOMINAL:
                shifts[process, variation] = _shift_variance(
                    variations[NOMINAL], of, bins, variation in apart
                )
    return Region(name, histogram, shifts, unit)


def _shift_variance(nominal: Events, varied: Events, edges: Floats, independent: bool) -> Floats:
    """Variance of the difference of two templates that share events: Σ(w′·[in bin′] − w·[in bin])² over events."""
    bins = len(edges) - 1

    def squares(of: Events) -> tuple[NDArray[np.int64], Floats]:
        index = np.clip(np.searchsorted(edges, of.observable, side="right") - 1, 0, bins - 1)
        return index.astype(np.int64), np.bincount(index, of.weight**2, bins).astype(np.float64)

    at, variance = squares(nominal)
    at_varied, variance_varied = squares(varied)
    total = variance + variance_varied
    if independent:
        return total
    _, here, there = np.intersect1d(nominal.number, varied.number, assume_unique=True, return_indices=True)
    same = at[here] == at_varied[there]
    common = nominal.weight[here[same]] * varied.weight[there[same]]
    return np.maximum(total - 2 * np.bincount(at[here[same]], common, bins), 0.0)


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
    histogram = hist.Hist(
        hist.axis.StrCategory(list(processes), name="process"),
        hist.axis.StrCategory(variations, name="variation"),
        hist.axis.Variable(content["edges"], name="observable", flow=False),
        storage=hist.storage.Weight(),
    )
    shifts = {}
    for process, of in processes.items():
        for variation, arrays in of.items():
            view = histogram[{"process": process, "variation": variation}].view()
            view["value"], view["variance"] = arrays["values"], arrays["variances"]
            histogram[{"process": process, "variation": variation}] = view
            if variation != NOMINAL:
                shifts[process, variation] = np.asarray(arrays["shift_variances"], dtype=np.float64)
    return Region(name, histogram, shifts, content["unit"])
