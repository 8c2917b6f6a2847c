"""Background models: as simulated, ABCD, or the product of its jets' pass rates; each with its closure.

All take and give events, so that shapes, variations and the simulation's errors follow without further code. What an
experiment would take from data is taken from the simulation here, errors included.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jetlens.config.inference import AbcdModel, FactorisedModel, SimulationModel
from jetlens.inference.selected import Selected, passing, values
from jetlens.inference.systematics import Systematic
from jetlens.inference.workspace import NotComputableError

Floats = NDArray[np.float64]
Model = SimulationModel | AbcdModel | FactorisedModel
Samples = Mapping[str, Selected]


@dataclass(frozen=True)
class Estimate:
    """Events of the fitted region under a background model.

    Attributes:
        events: by sample; those of estimated processes come from elsewhere, with other weights.
        systematics: the model's own uncertainties.
        closure: what was tested: ``test``, ``estimate``, ``estimate_error``, ``found``, ``found_error``, ``ratio``,
            ``ratio_error``.
    """

    events: dict[str, Selected]
    systematics: tuple[Systematic, ...] = ()
    closure: tuple[dict[str, float | str], ...] = field(default=())


def process_names(model: Model, process_of: Mapping[str, str]) -> dict[str, str]:
    """Return the process of each sample in the templates: estimated ones are one process, named by the model."""
    estimated = set() if isinstance(model, SimulationModel) else set(model.processes)
    return {
        sample: model.name if process in estimated and not isinstance(model, SimulationModel) else process
        for sample, process in process_of.items()
    }


def estimate(model: Model, samples: Samples, process_of: Mapping[str, str]) -> Estimate:
    """Return the events of the fitted region.

    Args:
        model: the configuration's background model.
        samples: expected events by sample, in the category.
        process_of: process of each sample, as the sample table has it.

    Raises:
        NotComputableError: if a region of the model has no events.
    """
    if isinstance(model, SimulationModel):
        return Estimate(dict(samples))
    own = {name: events for name, events in samples.items() if process_of[name] in model.processes}
    others = {name: events for name, events in samples.items() if name not in own}
    made = _abcd(model, own) if isinstance(model, AbcdModel) else _factorised(model, own)
    inside = {name: events.take(in_region(model, events)) for name, events in others.items()}
    return Estimate({**inside, **made.events}, made.systematics, made.closure)


def in_region(model: Model, events: Selected) -> NDArray[np.bool_]:
    """Tell which events are in the fitted region."""
    if isinstance(model, SimulationModel):
        return np.ones(len(events), dtype=bool)
    conditions = [model.tagged, model.window] if isinstance(model, AbcdModel) else list(model.passes)
    return np.asarray(np.all([passing(events, text) for text in conditions], axis=0))


@dataclass(frozen=True)
class _Sum:
    """Expected events, and their variance."""

    value: float
    variance: float

    @property
    def relative(self) -> float:
        return self.variance / self.value**2 if self.value > 0 else np.inf


def _sum(samples: Samples, where: Callable[[Selected], NDArray[np.bool_]]) -> _Sum:
    """Sum over samples; rows of one event add up before they are squared."""
    value = variance = 0.0
    for events in samples.values():
        chosen = where(events)
        by_event = pd.Series(events.weight[chosen]).groupby(events.number[chosen]).sum()
        value += float(by_event.sum())
        variance += float((by_event**2).sum())
    return _Sum(value, variance)


def _always(chosen: NDArray[np.bool_]) -> Callable[[Selected], NDArray[np.bool_]]:
    """Events that are chosen already."""
    return lambda _: chosen


def _abcd(model: AbcdModel, samples: Samples) -> Estimate:
    """A = B·C/D: events of the window that fail the tag, weighted by the tag's rate outside of it."""
    masks = {
        name: {key: passing(events, getattr(model, key)) for key in ("tagged", "window", "sideband")}
        for name, events in samples.items()
    }
    for mask in masks.values():  # a sideband that is written as a wider window must not look into it
        mask["sideband"] &= ~mask["window"]

    def region(tagged: bool, where: Callable[[dict[str, NDArray[np.bool_]]], NDArray[np.bool_]]) -> _Sum:
        total = _Sum(0.0, 0.0)
        for name, events in samples.items():
            chosen = where(masks[name]) & (masks[name]["tagged"] == tagged)
            part = _sum({name: events}, _always(chosen))
            total = _Sum(total.value + part.value, total.variance + part.variance)
        return total

    def transfer(outside: Callable[[dict[str, NDArray[np.bool_]]], NDArray[np.bool_]]) -> _Sum:
        b, d = region(True, outside), region(False, outside)
        if not (b.value > 0 and d.value > 0):
            raise NotComputableError(
                f"background.model abcd: no event of {', '.join(model.processes)} "
                f"{'is tagged' if d.value > 0 else 'fails the tag'} outside of the window; widen the conditions"
            )
        ratio = b.value / d.value
        return _Sum(ratio, ratio**2 * (b.relative + d.relative))

    inside = transfer(lambda mask: ~mask["window"])
    made = {
        name: events.take(masks[name]["window"] & ~masks[name]["tagged"]).times(inside.value)
        for name, events in samples.items()
    }
    closure, size = [], 0.0
    for test, window, outside in (
        ("sideband", lambda m: m["sideband"], lambda m: ~m["window"] & ~m["sideband"]),
        ("fitted region, simulated", lambda m: m["window"], lambda m: ~m["window"]),
    ):
        rate, untagged = transfer(outside), region(False, window)
        value = rate.value * untagged.value
        predicted = _Sum(value, value**2 * (rate.relative + untagged.relative) if value else 0.0)
        row = _closure(test, predicted, region(True, window))
        closure.append(row)
        if test == "sideband":
            size = _size(row)
    return Estimate(
        made,
        (
            Systematic(f"{model.name}_closure", (model.name,), "normalisation", size),
            Systematic(
                f"{model.name}_transfer", (model.name,), "normalisation", float(np.sqrt(inside.relative))
            ),
        ),
        tuple(closure),
    )


def _factorised(model: FactorisedModel, samples: Samples) -> Estimate:
    """Each event counts with the product of its jets' pass rates, by bins of an observable of the jet."""
    weights = np.concatenate([events.weight for events in samples.values()])
    rate = np.ones(len(weights))
    both = np.ones(len(weights), dtype=bool)
    for condition, of in zip(model.passes, model.of, strict=True):
        x = np.concatenate([values(events, of) for events in samples.values()])
        passed = np.concatenate([passing(events, condition) for events in samples.values()])
        rate *= _rates(x, passed, weights, model.bins)
        both &= passed
    if not (rate * weights).sum() > 0:
        raise NotComputableError(
            f"background.model factorised: no event of {', '.join(model.processes)} passes one of the conditions"
        )
    sizes = np.cumsum([len(events) for events in samples.values()])[:-1]
    made = {
        name: events.times(own)
        for (name, events), own in zip(samples.items(), np.split(rate, sizes), strict=True)
    }
    passes = dict(zip(samples, np.split(both, sizes), strict=True))
    found = [_sum({name: events}, _always(passes[name])) for name, events in samples.items()]
    row = _closure(
        "jets that all pass, simulated",
        _sum(made, lambda events: np.ones(len(events), dtype=bool)),
        _Sum(sum(each.value for each in found), sum(each.variance for each in found)),
    )
    size = _size(row)
    return Estimate(
        made, (Systematic(f"{model.name}_closure", (model.name,), "normalisation", size),), (row,)
    )


def _rates(x: Floats, passed: NDArray[np.bool_], weight: Floats, bins: int) -> Floats:
    """Weighted share that passes in each event's bin of x; bins hold equal numbers of events, missing x has its own."""
    there = np.isfinite(x)
    edges = (
        np.unique(np.quantile(x[there], np.linspace(0, 1, bins + 1)[1:-1])) if there.any() else np.empty(0)
    )
    at = np.where(there, np.searchsorted(edges, np.where(there, x, 0.0), side="right"), len(edges) + 1)
    total = np.bincount(at, weight, len(edges) + 2)
    share = np.divide(
        np.bincount(at, weight * passed, len(edges) + 2), total, out=np.zeros_like(total), where=total > 0
    )
    return np.asarray(share[at])


def _closure(test: str, predicted: _Sum, found: _Sum) -> dict[str, float | str]:
    ratio = found.value / predicted.value if predicted.value > 0 else np.nan
    error = abs(ratio) * np.sqrt(predicted.relative + found.relative) if found.value > 0 else np.nan
    return {
        "test": test,
        "estimate": predicted.value,
        "estimate_error": float(np.sqrt(predicted.variance)),
        "found": found.value,
        "found_error": float(np.sqrt(found.variance)),
        "ratio": float(ratio),
        "ratio_error": float(error),
    }


def _size(row: Mapping[str, float | str]) -> float:
    """Relative uncertainty of an estimate: its non-closure or what that is known to, whichever is larger.

    Up is 1 + size, down 1/(1 + size): one of them is the ratio that was found, whether it is above 1 or below.
    """
    ratio, error = float(row["ratio"]), float(row["ratio_error"])
    if not (np.isfinite(ratio) and np.isfinite(error)):
        raise NotComputableError(f"closure in '{row['test']}': the simulation has no event there; widen it")
    return max(ratio - 1, 1 / ratio - 1, error)


def closure_table(rows: Sequence[Mapping[str, object]]) -> pd.DataFrame:
    """Return the table of closure tests, with its columns also where there are none."""
    columns = ("region", "test", "estimate", "estimate_error", "found", "found_error", "ratio", "ratio_error")
    return pd.DataFrame(rows, columns=list(columns))
