"""``inference/significance.csv``: expected yields of every process after a cut, and what they say of a discovery."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jetlens.evaluation.metrics import roc_curve
from jetlens.evaluation.scores import Scores, read_scores
from jetlens.files import write_text
from jetlens.inference.asimov import asimov_significance, significance_error
from jetlens.statistics import Yield, typical_weight, weighted_yield

Floats = NDArray[np.float64]
SIGNAL_EFFICIENCIES = np.round(np.arange(0.05, 1.0001, 0.05), 2)
ENOUGH_EVENTS = 10
"""Effective events of a process from which its yield is taken at its value."""
NEGLIGIBLE = 0.1
"""Share of the background below which the limit of a process with fewer events is good enough."""
COLUMNS = (
    *("variant", "signal_efficiency", "logit_cut", "chosen", "process", "class"),
    *("test_events", "events", "n_effective", "yield", "yield_low", "yield_high", "yield_limit_95"),
    *("significance", "significance_error", "remark"),
)


@dataclass(frozen=True)
class Process:
    """Yield of a process after a cut.

    Attributes:
        name: of the process.
        signal: whether it is signal.
        simulated: test events before the cut.
        passing: its yield.
        before: its yield before the cut.
        unseen: what one event weighs of its samples of which none passes, the heaviest; 0 if there are no such samples.
    """

    name: str
    signal: bool
    simulated: int
    passing: Yield
    before: float
    unseen: float = 0.0


@dataclass(frozen=True)
class Significance:
    """Z, or why there is none.

    Attributes:
        value: expected discovery significance; None if it cannot be computed.
        error: its statistical error, of the simulation.
        remark: ``not computable: …`` or empty.
    """

    value: float | None
    error: float | None
    remark: str


def write_significance(
    scores: Mapping[str, Path],
    output_csv: Path,
    *,
    background_uncertainty: float,
    masses: Sequence[float] = (),
) -> None:
    """Write yields per process and the expected significance for cuts of all variants.

    Cuts are chosen on the validation events of all rotations, by their signal efficiency there; yields are those of
    the test events, which stand for the whole sample at the analysis' luminosity. Per cut there is a line for each
    process and one for all background (``class`` total), which has the significance. ``chosen`` marks the cut with
    the largest expected significance on the validation events, backgrounds taken at the upper ends of their intervals.
    Signals of several masses are added up as processes are, but what they are together is no hypothesis: there is no
    significance then.

    Args:
        scores: ``evaluation/<variant>/scores.npz`` by variant.
        output_csv: table to write.
        background_uncertainty: relative uncertainty of the background.
        masses: hypotheses of the signals [GeV].

    Raises:
        FileError: if scores cannot be read.
    """
    rows: list[dict[str, Any]] = []
    for variant, path in scores.items():
        events = read_scores(path)
        cuts = choose_cuts(events)
        best = _best(events, cuts, background_uncertainty)
        for efficiency, cut in cuts.items():
            about = {
                "variant": variant,
                "signal_efficiency": f"{efficiency:.2f}",
                "logit_cut": f"{cut:.6g}",
                "chosen": int(efficiency == best),
            }
            rows += [about | line for line in _lines(yields(events, cut), background_uncertainty, masses)]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    write_text(output_csv, table.to_csv(index=False, lineterminator="\n"))


def choose_cuts(scores: Scores) -> dict[float, float]:
    """Return the tightest cut on the ensemble that keeps each share of the validation signal, by σ·L weight."""
    curve = roc_curve(scores.validation_ensemble, scores.validation_label, scores.validation_weight)
    return {float(e): float(curve.threshold[curve.tightest(e)]) for e in SIGNAL_EFFICIENCIES}


def yields(scores: Scores, cut: float, *, validation: bool = False) -> list[Process]:
    """Return the yield of every process above a cut, signals first; those of which nothing passes, too.

    Args:
        scores: of a variant.
        cut: on the ensemble.
        validation: of the validation events in place of the test events.
    """
    if validation:
        logit, weight, sample = (
            scores.validation_ensemble,
            scores.validation_weight,
            scores.validation_sample,
        )
    else:
        logit, weight, sample = scores.ensemble, scores.weight, scores.sample
    of_event = scores.process_names[sample]
    signals = set(scores.process_names[scores.sample[scores.label == 1]].tolist())
    found = []
    for name in dict.fromkeys(scores.process_names.tolist()):
        own = of_event == name
        passes = own & (logit >= cut)
        before = float(scores.sample_expected[scores.process_names == name].sum())
        unseen = _unseen(scores, name, sample, weight, passes)
        passing = weighted_yield(weight[passes], max(typical_weight(weight[own]), unseen))
        found.append(Process(name, name in signals, int(own.sum()), passing, before, unseen))
    return sorted(found, key=lambda process: not process.signal)


def _unseen(
    scores: Scores, process: str, sample: NDArray[np.integer], weight: Floats, passes: NDArray[np.bool_]
) -> float:
    """Return the weight of one event of the heaviest sample of a process of which none passes.

    Of a sample that has no event at all one would stand for the whole sample.
    """
    absent = np.setdiff1d(np.flatnonzero(scores.process_names == process), sample[passes])
    own = {each: weight[sample == each] for each in absent}
    return max(
        (typical_weight(w) if len(w) else float(scores.sample_expected[k]) for k, w in own.items()),
        default=0.0,
    )


def significance(processes: Sequence[Process], background_uncertainty: float) -> Significance:
    """Return the expected significance, or why it cannot be computed.

    It can where every process has at least ten effective events above the cut, and one event of a sample that has none
    there is within the error of as many; or, a background, a limit below a tenth of all background: what the simulation
    does not show is then small. Of several processes with too few events the one that lacks most is named.

    Args:
        processes: from :func:`yields`.
        background_uncertainty: relative uncertainty of the background.
    """
    background = [process for process in processes if not process.signal]
    b = sum(process.passing.value for process in background)
    poor = [process for process in processes if not _known(process, b)]
    if poor:
        worst = max(poor, key=lambda process: _factor(process, b))
        return Significance(None, None, f"not computable: {worst.name} needs {_needed(worst, b)}")
    s = sum(process.passing.value for process in processes if process.signal)
    ds = math.hypot(*(_error(p.passing) for p in processes if p.signal))
    db = math.hypot(*(_error(p.passing) for p in background))
    if not b > 0:
        return Significance(None, None, "not computable: no background event passes")
    z = float(asimov_significance(s, b, background_uncertainty * b))
    return Significance(z, significance_error(s, ds, b, db, background_uncertainty), "")


def _error(found: Yield) -> float:
    """√Σw², and where few events pass, the upper half of the interval."""
    if found.n_effective >= ENOUGH_EVENTS:
        return abs(found.value) / math.sqrt(found.n_effective)
    return found.high - found.value


def _known(process: Process, background: float) -> bool:
    """Whether the simulation can tell a process's yield, or that it is small."""
    found = process.passing
    enough = _factor(process, background) <= 1 and found.value > 0
    return enough or (not process.signal and found.limit < NEGLIGIBLE * background)


def _factor(process: Process, background: float) -> float:
    """How many times its test events a process needs, if as many of them pass as now; infinite if nobody can tell."""
    found = process.passing
    if found.n_effective > 0:
        one = process.unseen / abs(found.value) * math.sqrt(ENOUGH_EVENTS) if found.value else math.inf
        # of equal weights, n events and one, a rounding error more
        return max(ENOUGH_EVENTS / found.n_effective, one) * (1 - 1e-9)
    if process.simulated and not process.signal and background > 0:
        return found.limit / (NEGLIGIBLE * background)  # the limit shrinks with the number of events
    return math.inf


def _needed(process: Process, background: float) -> str:
    if not process.simulated:
        return "test events, there is none"
    factor = _factor(process, background)
    if math.isfinite(factor):
        return f"about {_rounded(process.simulated * factor)} events (has {process.simulated})"
    return f"more than {_rounded(process.simulated * ENOUGH_EVENTS)} events (has {process.simulated})"


def _rounded(number: float) -> str:
    """Two digits: no more is known."""
    return f"{float(f'{number:.1e}'):,.0f}"


def _best(scores: Scores, cuts: Mapping[float, float], background_uncertainty: float) -> float | None:
    """Return the signal efficiency of the cut with the largest significance on the validation events."""
    found: dict[float, float] = {}
    for efficiency, cut in cuts.items():
        processes = yields(scores, cut, validation=True)
        s = sum(process.passing.value for process in processes if process.signal)
        b = sum(process.passing.high for process in processes if not process.signal)
        if s > 0 and 0 < b < math.inf:
            found[efficiency] = float(asimov_significance(s, b, background_uncertainty * b))
    return max(found, key=lambda e: found[e]) if found else None


def _lines(
    processes: Sequence[Process], background_uncertainty: float, masses: Sequence[float]
) -> list[dict[str, Any]]:
    lines = [_line(process) for process in processes]
    background = [process.passing for process in processes if not process.signal]
    if len(set(masses)) > 1:
        named = ", ".join(f"{mass:g}" for mass in sorted(set(masses)))
        z = Significance(
            None,
            None,
            f"not computable: signals of {named} GeV are hypotheses apart; limits and their luminosity.csv have each",
        )
    else:
        z = significance(processes, background_uncertainty)
    value = sum(each.value for each in background)
    low = math.hypot(*(each.value - each.low for each in background))
    high = math.hypot(*(each.high - each.value for each in background))
    total = {
        "process": "all background",
        "class": "total",
        "test_events": sum(process.simulated for process in processes if not process.signal),
        "events": sum(each.events for each in background),
        "yield": f"{value:.6g}",
        "yield_low": f"{max(0.0, value - low):.4g}",
        "yield_high": f"{value + high:.4g}",
        "significance": "" if z.value is None else f"{z.value:.4g}",
        "significance_error": "" if z.error is None else f"{z.error:.2g}",
        "remark": z.remark,
    }
    return [*lines, total]


def _line(process: Process) -> dict[str, Any]:
    found = process.passing
    few = found.n_effective < ENOUGH_EVENTS
    return {
        "process": process.name,
        "class": "signal" if process.signal else "background",
        "test_events": process.simulated,
        "events": found.events,
        "n_effective": f"{found.n_effective:.4g}",
        "yield": f"{found.value:.6g}",
        "yield_low": f"{found.low:.4g}",
        "yield_high": f"{found.high:.4g}",
        "yield_limit_95": f"{found.limit:.4g}" if few else "",
    }
