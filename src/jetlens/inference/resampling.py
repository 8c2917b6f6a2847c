"""How far expected limits hang on the events that happened to be simulated: cuts and templates again with drawn ones.

Events are drawn with replacement (the bootstrap: Efron, Ann. Statist. 7 (1979) 1), an event with all of its rows, as
often for every variant, so that what two limits share drops out of their ratio. What an event is drawn twice for are
two events: effective numbers of events stay what they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import stats

from jetlens.config.inference import InferenceConfig
from jetlens.hashing import uniform
from jetlens.inference.filling import fill_all
from jetlens.inference.selected import Selected
from jetlens.inference.simulation import Simulation
from jetlens.inference.workspace import NotComputableError

MOST_COPIES = 32
_POISSON = stats.poisson(1).cdf(np.arange(MOST_COPIES))


@dataclass(frozen=True)
class _Drawn(Simulation):
    """The nominal simulation, its events drawn."""

    nominals: Mapping[bool, Mapping[str, Selected]] = field(default_factory=dict)
    replica: int = 0

    def nominal(self, *, validation: bool = False) -> dict[str, Selected]:
        """Return expected events by sample."""
        return {name: drawn(own, name, self.replica) for name, own in self.nominals[validation].items()}

    def views(self, nominal: Mapping[str, Selected]) -> Iterator[tuple[str, dict[str, Selected], set[str]]]:
        """Yield nothing: variations are left out of the estimate."""
        return iter(())


def drawn(events: Selected, sample: str, replica: int) -> Selected:
    """Return events drawn with replacement, Poisson(1) copies of each, by a hash of sample, number and replica."""
    copies = np.searchsorted(_POISSON, uniform(events.number, np.array([replica]), f"resampling:{sample}"))
    row = np.repeat(np.arange(len(events)), copies)
    copy = np.arange(len(row)) - np.repeat(np.cumsum(copies) - copies, copies)
    columns = {name: values[row] for name, values in events.columns.items()}
    return Selected(events.number[row] * MOST_COPIES + copy, events.fold[row], events.weight[row], columns)


def resampled_limits(
    simulation: Simulation,
    config: InferenceConfig,
    masses: Sequence[float],
    systematic: float,
) -> pd.DataFrame:
    """Return estimates of the expected limit, of drawn events each.

    The estimate is that which cuts are chosen by, with all of the choice made again: Gaussian, with the error of the
    simulation and one relative error of the background.

    Args:
        simulation: of the variant.
        config: the section.
        masses: of the signals [GeV].
        systematic: relative error of the background.

    Returns:
        a row per mass and replica: ``mass_GeV``, ``replica``, ``limit`` in units of the simulated signal; empty where
        it cannot be computed.
    """
    nominals = {which: simulation.nominal(validation=which) for which in (False, True)}
    rows = []
    for replica in range(config.replicas):
        own = _Drawn(simulation.samples, simulation.observables, simulation.validation, {}, nominals, replica)
        try:
            filled = fill_all(own, config, masses, systematic)
        except NotComputableError:  # a background model without events in a control region
            filled = []
        found = {mass: of.estimated_limit(mass, systematic) for of in filled for mass in of.masses}
        rows += [(mass, replica, found.get(mass, np.nan)) for mass in masses]
    table = pd.DataFrame(rows, columns=["mass_GeV", "replica", "limit"])
    return table.replace(np.inf, np.nan)


def relative_error(limit: pd.Series, reference: pd.Series | None = None) -> float:
    """Return half of the central 68 % of ln(limit), or ln(limit/reference), over ten replicas or more, else NaN.

    A limit that cannot be computed is beyond all others. Where one end of the 68 % is, the distance of the other one
    from the median counts; where both are, or the median is, nothing is known: NaN.
    """
    logs = np.log(limit.fillna(np.inf))
    if reference is not None:
        other = np.log(reference.reindex(limit.index).fillna(np.inf))
        logs = (logs - other)[~(np.isinf(logs) & np.isinf(other))]
    if len(logs) < 10:
        return float("nan")
    finite = bool(np.isfinite(logs).all())
    at = stats.norm.cdf([-1, 0, 1])
    low, middle, high = np.quantile(logs, at, method="linear" if finite else "inverted_cdf")
    ends = [abs(end - middle) for end in (low, high) if np.isfinite(end) and np.isfinite(middle)]
    return float(np.mean(ends)) if ends else float("nan")
