"""What each group of uncertainties costs: expected limits with statistics only, with one more, and without one."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from jetlens.inference.limits import upper_limit
from jetlens.inference.workspace import NotComputableError, Workspace, reduced

LOG = logging.getLogger(__name__)
STATISTICS = "statistics only"
SIMULATION = "MC statistics"
"""Errors of the simulation per bin, and terms of processes without simulated events in one."""
MODEL = "background model"
"""Systematic errors that a background model brings with it: its non-closure."""


def grouped(workspace: Workspace, groups: Mapping[str, str]) -> dict[str, set[str]]:
    """Return the nuisance parameters of each group, the errors of the simulation apart, in the order of ``groups``.

    Args:
        workspace: of one signal.
        groups: group by systematic; those of a background model are in none.
    """
    found: dict[str, set[str]] = {group: set() for group in groups.values()}
    for channel in workspace.spec["channels"]:
        for sample in channel["samples"]:
            for modifier in sample["modifiers"]:
                if modifier["type"] in ("normsys", "histosys"):
                    found.setdefault(groups.get(modifier["name"], MODEL), set()).add(modifier["name"])
    return found


def breakdown(
    workspace: Workspace,
    groups: Mapping[str, str],
    *,
    level: float = 0.95,
    guess: float = 1.0,
    rtol: float = 5e-3,
) -> list[dict[str, Any]]:
    """Return the median expected limit on the strength by group of uncertainties, by asymptotic formulae.

    The first row is :data:`STATISTICS`, the last :data:`SIMULATION`. ``alone`` has the statistical error of the data
    and this group; ``cumulative`` this group and all above, so that the last is the limit with everything; ``without``
    everything but this group. None where a fit fails.

    Args:
        workspace: of one signal.
        groups: group by systematic.
        level: confidence level.
        guess: limit on the strength with everything, where to look first.
        rtol: relative precision.
    """
    members = grouped(workspace, groups)
    names = [*members, SIMULATION]
    known: dict[frozenset[str], float | None] = {}

    def limit(kept: Sequence[str]) -> float | None:
        key = frozenset(kept)
        if key not in known:
            own = {name for group in key - {SIMULATION} for name in members[group]}
            simulated = SIMULATION in key
            part = reduced(workspace, systematics=own, statistical_errors=simulated, empty_terms=simulated)
            try:
                found = upper_limit(part, level=level, guess=guess, rtol=rtol, quantiles=(0,))
                known[key] = found.expected[0]
            except NotComputableError as error:
                LOG.warning("limit with %s: %s", ", ".join(sorted(key)) or STATISTICS, error)
                known[key] = None
        return known[key]

    first = {"uncertainty": STATISTICS, "alone": limit([]), "cumulative": limit([]), "without": None}
    rows = [
        {
            "uncertainty": name,
            "alone": limit([name]),
            "cumulative": limit(names[: n + 1]),
            "without": limit([other for other in names if other != name]),
        }
        for n, name in enumerate(names)
    ]
    return [first, *rows]
