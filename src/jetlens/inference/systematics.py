"""From varied templates to the modifiers of a fit: norm and shape apart, noise pruned and smoothed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
from cabinetry.smooth import smooth_353qh_twice
from numpy.typing import NDArray
from scipy import stats

from jetlens.config.inference import PruningConfig
from jetlens.inference.templates import Region

Floats = NDArray[np.float64]
PRUNING = PruningConfig()
FLOOR = 0.01
"""A variation leaves at least this share of a bin, and of a process: an empty one has no likelihood."""


UNRESOLVED = 0.05
"""A statistical error of a change of the rate from which the user is told that it was left out as noise."""
LARGE = 0.3
"""A relative change of the rate from which the user is told how it was mirrored."""


@dataclass(frozen=True)
class Systematic:
    """A systematic uncertainty.

    Attributes:
        name: of its nuisance parameter; systematics of one name are one parameter, in all regions and processes.
        processes: those it acts on.
        kind: ``template``: variations ``<name>_up`` and ``<name>_down`` are among the templates (one of them may be
            missing: the other is mirrored); ``normalisation``: a relative change of the rate.
        size: relative change of the rate of a normalisation, up.
        size_down: the same, down, positive; None: ``size / (1 + size)``, its log-normal mirror.
        regions: those it acts in; None: all.
    """

    name: str
    processes: tuple[str, ...]
    kind: Literal["template", "normalisation"] = "template"
    size: float = 0.0
    size_down: float | None = None
    regions: tuple[str, ...] | None = None

    def acts_on(self, process: str, region: str) -> bool:
        """Tell whether it acts on a process in a region."""
        return process in self.processes and (self.regions is None or region in self.regions)


@dataclass(frozen=True)
class Effect:
    """What a systematic does to a process in a region.

    Attributes:
        norm_up: factor of the rate, up.
        norm_down: factor of the rate, down.
        shape_up: factors per bin at the nominal rate, (bins,); None where the shape was pruned.
        shape_down: the same, down.
        shape_p: probability that bins which only fluctuate differ as much; the smaller of up and down.
        rate_kept: whether the change of the rate is taken to be one.
        norm_error: statistical error of the factors of the rate, that of the side with the more significant change.
        pruned: why rate or shape were left out, for the user; empty if neither was.
        notes: what was changed, for the user.
    """

    norm_up: float
    norm_down: float
    shape_up: Floats | None = None
    shape_down: Floats | None = None
    shape_p: float = 1.0
    rate_kept: bool = True
    norm_error: float = 0.0
    pruned: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def effect(
    systematic: Systematic,
    region: Region,
    process: str,
    *,
    smooth: bool = True,
    pruning: PruningConfig = PRUNING,
) -> Effect:
    """Work out the effect of a systematic on a process.

    Rate and shape of a varied template are compared with the nominal one each, with the statistical error of the
    difference, which shared events make small. A rate whose change is less than ``rate_sigma`` of its errors, or than
    ``rate_size``, is left out. So is a shape that by χ² is compatible with noise; otherwise its ratio to the nominal
    one is smoothed (353QH, twice), but where the same χ² says that what smoothing takes away is no noise: it flattens
    every extremum that is not wide, a rise in the middle of three bins for one. Where one of the sides is missing, see
    :func:`mirrored`; shapes are mirrored as 2 − ratio. Sizes that the user gives are no noise, and are kept.

    Args:
        systematic: the uncertainty.
        region: the templates.
        process: one of ``systematic.processes``.
        smooth: whether to smooth shapes.
        pruning: what is noise.
    """
    if systematic.kind == "normalisation":
        up = 1 + systematic.size
        return Effect(up, 1 - systematic.size_down if systematic.size_down is not None else 1 / up)
    sides = [f"{systematic.name}_{side}" for side in ("up", "down")]
    there = [side for side in sides if side in region.variations(process)]
    if not there:
        missing = f"'{systematic.name}' has no templates of {process} in {region.name}"
        return Effect(1.0, 1.0, rate_kept=False, notes=(missing,))
    parts = {side: _split(region, process, side) for side in there}
    rates = [parts[side].rate if side in parts else None for side in sides]
    up, down = (
        own if own is not None else mirrored(other or 1.0)
        for own, other in zip(rates, reversed(rates), strict=True)
    )
    kept, error, pruned = _rate(list(parts.values()), pruning)
    notes = (
        _doubts(region, process, sides, rates)
        if kept
        else _unresolved(systematic, region, process, error, pruned)
    )
    probability = min(part.probability for part in parts.values())
    of = Effect(up, down, None, None, probability, kept, error, tuple(pruned), tuple(notes))
    if probability >= pruning.shape_level:
        noise = f"shape: p = {probability:.2g} of bins that only fluctuate"
        return replace(of, pruned=(*of.pruned, noise))
    nominal = region.values(process)
    shapes = [
        (_smoothed(parts[side], nominal, pruning) if smooth else parts[side].shape) if side in parts else None
        for side in sides
    ]
    factors = []
    for side, own, other in zip(sides, shapes, reversed(shapes), strict=True):
        ratio = own if own is not None else 2 - np.asarray(other)
        if (ratio < FLOOR).any():
            notes.append(
                f"'{side}' takes all of {process} out of {int((ratio < FLOOR).sum())} bins of {region.name}; "
                f"{FLOOR:.0%} is left there"
            )
        factors.append(np.clip(ratio, FLOOR, None))
    return replace(of, shape_up=factors[0], shape_down=factors[1], notes=tuple(notes))


def mirrored(factor: float) -> float:
    """Return the factor of the rate on the side that is missing: 1/factor for more events, 2 − factor for fewer.

    Both are 1 − (factor − 1) for small changes. A large increase mirrored linearly would leave no event or fewer, a
    large decrease mirrored as 1/factor would be an increase by any factor: so the mirrored one is within 0 and 2.
    """
    return 1 / factor if factor > 1 else 2 - factor


def _unresolved(
    systematic: Systematic, region: Region, process: str, error: float, pruned: Sequence[str]
) -> list[str]:
    """What was left out, and could be large: the simulation of the variation cannot tell."""
    if error < UNRESOLVED:
        return []
    return [
        f"'{systematic.name}' is left out for {process} in {region.name}, which does not say that it is small "
        f"({'; '.join(pruned)}); simulate more, or give a size with kind: rate"
    ]


class _Split(NamedTuple):
    """Of a varied template: factor of the rate and its error; factors of the shape, the variance of bins, and their p.

    The variance is that of the varied template at the nominal rate, less the nominal one.
    """

    rate: float
    error: float
    shape: Floats
    variance: Floats
    probability: float


def _rate(parts: Sequence[_Split], pruning: PruningConfig) -> tuple[bool, float, list[str]]:
    """Whether a change of the rate is kept, its error, and why not."""
    changes = [abs(part.rate - 1) for part in parts]
    sigmas = [
        change / part.error if part.error > 0 else np.inf * (change > 1e-9)
        for change, part in zip(changes, parts, strict=True)
    ]
    best = int(np.argmax(np.nan_to_num(sigmas)))
    error = parts[best].error
    if max(changes) < pruning.rate_size or max(changes) <= 1e-9:
        return False, error, [f"rate: {max(changes):.2g} is below {pruning.rate_size:g}"]
    if np.nan_to_num(sigmas[best]) < pruning.rate_sigma:
        about = f"{parts[best].rate - 1:+.2g} ± {error:.2g}"
        return False, error, [f"rate: {about} is within {pruning.rate_sigma:g} statistical errors"]
    return True, error, []


def _doubts(region: Region, process: str, sides: Sequence[str], rates: Sequence[float | None]) -> list[str]:
    """What is odd about the changes of a rate, for the user."""
    notes = [
        f"'{side}' leaves nothing of {process} in {region.name}; {FLOOR:.0%} is left there"
        for side, rate in zip(sides, rates, strict=True)
        if rate == FLOOR
    ]
    up, down = rates
    if up is not None and down is not None:
        if (up - 1) * (down - 1) > 0:
            notes.append(
                f"'{sides[0]}' and '{sides[1]}' both change the rate of {process} in {region.name} the same way "
                f"({up - 1:+.2g}, {down - 1:+.2g})"
            )
        return notes
    side, rate = (sides[0], up) if up is not None else (sides[1], down)
    if rate is not None and abs(rate - 1) > LARGE:
        notes.append(
            f"'{side}' changes the rate of {process} in {region.name} by {rate - 1:+.0%}, the other side is taken as "
            f"{mirrored(rate) - 1:+.0%}; give it"
        )
    return notes


def _split(region: Region, process: str, variation: str) -> _Split:
    """Compare a variation with the nominal template."""
    nominal, varied = region.values(process), region.values(process, variation)
    flat = np.ones_like(nominal), np.zeros_like(nominal), 1.0
    if nominal.sum() <= 0:
        return _Split(1.0, 0.0, *flat)
    norm = float(varied.sum() / nominal.sum())
    error = float(np.sqrt(region.rate_variance[process, variation])) / float(nominal.sum())
    if norm < FLOOR:
        return _Split(FLOOR, error, *flat)
    ratio = np.divide(varied / norm, nominal, out=np.ones_like(nominal), where=nominal > 0)
    variance = _shape_variance(region, process, variation, norm)
    return _Split(norm, error, ratio, variance, _probability(ratio - 1, nominal, variance))


def _shape_variance(region: Region, process: str, variation: str, norm: float) -> Floats:
    """Variance of v/k − n per bin, at the nominal rate: V_v/k² + V_n − 2 C/k, C = (V_v + V_n − V_{v−n})/2.

    That of v − n holds the change of the rate as well: were every weight multiplied by k, v/k − n would be 0 for sure.
    """
    of_nominal, of_varied = region.variances(process), region.variances(process, variation)
    both = of_varied / norm**2 + of_nominal
    found = both - (of_varied + of_nominal - region.shift_variance[process, variation]) / norm
    return np.where(found > 1e-12 * both, found, 0.0)  # less is rounding


def _probability(change: Floats, nominal: Floats, variance: Floats) -> float:
    """Probability that bins which only fluctuate change relatively by as much or more, their sum being known."""
    used = (nominal > 0) & (variance > 0)
    # nothing fluctuates where the same events move with the same weight: any difference is real then
    if ((nominal > 0) & (variance == 0) & (np.abs(change) > 1e-9)).any():
        return 0.0
    chi2 = float((((change * nominal) ** 2)[used] / variance[used]).sum())
    return float(stats.chi2.sf(chi2, max(int(used.sum()) - 1, 1)))


def _smoothed(part: _Split, nominal: Floats, pruning: PruningConfig) -> Floats:
    """Factors of the shape without what may be noise; as they are where smoothing would take away more than that."""
    if len(part.shape) < 3:
        return part.shape
    ratio = np.asarray(smooth_353qh_twice(part.shape), dtype=np.float64)
    ratio = ratio * nominal.sum() / (ratio * nominal).sum()
    lost = _probability(part.shape - ratio, nominal, part.variance)
    return part.shape if lost < pruning.shape_level else ratio


def effects_table(
    systematics: Sequence[Systematic], regions: Sequence[Region], pruning: PruningConfig = PRUNING
) -> list[dict[str, object]]:
    """Rows of ``systematics.csv``: what each systematic does where, and whether and why it was left out."""
    rows: list[dict[str, object]] = []
    for region in regions:
        for systematic in systematics:
            for process in (name for name in region.processes if systematic.acts_on(name, region.name)):
                of = effect(systematic, region, process, pruning=pruning)
                content = (
                    *(region.name, systematic.name, process, of.norm_up - 1, of.norm_down - 1, of.norm_error),
                    *(of.shape_p, "kept" if of.shape_up is not None else "pruned"),
                    *("kept" if of.rate_kept else "pruned", "; ".join(of.pruned), "; ".join(of.notes)),
                )
                rows.append(dict(zip(COLUMNS, content, strict=True)))
    return rows


COLUMNS = (
    *("region", "systematic", "process", "norm_up", "norm_down", "norm_error", "shape_p", "shape", "norm"),
    *("pruned", "notes"),
)
