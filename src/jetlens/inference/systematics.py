"""From varied templates to the modifiers of a fit: norm and shape apart, noise pruned and smoothed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from cabinetry.smooth import smooth_353qh_twice
from numpy.typing import NDArray
from scipy import stats

from jetlens.inference.templates import Region

Floats = NDArray[np.float64]
SHAPE_LEVEL = 0.05
"""A shape is kept where bins that only fluctuate would differ as much with a smaller probability."""
NORM_LEVEL = 0.001
"""A change of the norm that is smaller is left out."""
FLOOR = 0.01
"""A variation leaves at least this share of a bin: an empty bin has no likelihood."""


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
        notes: what was changed, for the user.
    """

    norm_up: float
    norm_down: float
    shape_up: Floats | None = None
    shape_down: Floats | None = None
    shape_p: float = 1.0
    notes: tuple[str, ...] = ()

    @property
    def kept(self) -> bool:
        """Whether anything is left of it."""
        return self.shape_up is not None or max(abs(self.norm_up - 1), abs(self.norm_down - 1)) >= NORM_LEVEL


def effect(systematic: Systematic, region: Region, process: str, *, smooth: bool = True) -> Effect:
    """Work out the effect of a systematic on a process.

    The norm of a varied template is kept as it is. Its shape is compared with the nominal one by χ², with the error
    of their difference, which shared events make small; where it is compatible with noise it is left out, otherwise
    its ratio to the nominal one is smoothed (353QH, twice).

    Args:
        systematic: the uncertainty.
        region: the templates.
        process: one of ``systematic.processes``.
        smooth: whether to smooth shapes.
    """
    if systematic.kind == "normalisation":
        up = 1 + systematic.size
        return Effect(up, 1 - systematic.size_down if systematic.size_down is not None else 1 / up)
    sides = [f"{systematic.name}_{side}" for side in ("up", "down")]
    there = [side for side in sides if side in region.variations(process)]
    if not there:
        return Effect(
            1.0, 1.0, notes=(f"'{systematic.name}' has no templates of {process} in {region.name}",)
        )
    parts = {side: _split(region, process, side) for side in there}
    significant = min(part[2] for part in parts.values()) < SHAPE_LEVEL
    norms = [parts[side][0] if side in parts else None for side in sides]
    shapes = [parts[side][1] if side in parts else None for side in sides]
    up, down = (
        own if own is not None else 1 / max(other or 1.0, FLOOR)
        for own, other in zip(norms, reversed(norms), strict=True)
    )
    notes: list[str] = []
    if not significant:
        return Effect(up, down, shape_p=min(part[2] for part in parts.values()))
    factors = []
    for side, own, other in zip(sides, shapes, reversed(shapes), strict=True):
        ratio = own if own is not None else 2 - np.asarray(other)
        if smooth and len(ratio) >= 3:
            ratio = np.asarray(smooth_353qh_twice(ratio))
            rate = region.values(process)
            ratio = ratio * rate.sum() / (ratio * rate).sum()
        if (ratio < FLOOR).any():
            notes.append(
                f"'{side}' takes all of {process} out of {int((ratio < FLOOR).sum())} bins of {region.name}; "
                f"{FLOOR:.0%} is left there"
            )
        factors.append(np.clip(ratio, FLOOR, None))
    probability = min(part[2] for part in parts.values())
    return Effect(up, down, factors[0], factors[1], probability, tuple(notes))


def _split(region: Region, process: str, variation: str) -> tuple[float, Floats, float]:
    """Factor of the rate, factors of the shape, and the probability that the shape is noise."""
    nominal, varied = region.values(process), region.values(process, variation)
    if nominal.sum() <= 0 or varied.sum() <= 0:
        return 1.0, np.ones_like(nominal), 1.0
    norm = float(varied.sum() / nominal.sum())
    filled = nominal > 0
    ratio = np.divide(varied / norm, nominal, out=np.ones_like(nominal), where=filled)
    variance = region.shift_variance[process, variation]
    used = filled & (variance > 0)
    # nothing fluctuates where the same events move with the same weight: any difference is real then
    certain = filled & (variance == 0) & (np.abs(ratio - 1) > 1e-9)
    chi2 = float((((varied / norm - nominal) ** 2)[used] / variance[used]).sum())
    freedom = max(int(used.sum()) - 1, 1)
    return norm, ratio, 0.0 if certain.any() else float(stats.chi2.sf(chi2, freedom))


def effects_table(systematics: Sequence[Systematic], regions: Sequence[Region]) -> list[dict[str, object]]:
    """Rows of ``systematics.csv``: what each systematic does where, and whether it was kept."""
    rows: list[dict[str, object]] = []
    for region in regions:
        for systematic in systematics:
            for process in (name for name in region.processes if systematic.acts_on(name, region.name)):
                of = effect(systematic, region, process)
                rows.append(
                    {
                        "region": region.name,
                        "systematic": systematic.name,
                        "process": process,
                        "norm_up": of.norm_up - 1,
                        "norm_down": of.norm_down - 1,
                        "shape_p": of.shape_p,
                        "shape": "kept" if of.shape_up is not None else "pruned",
                        "norm": "kept" if of.kept else "pruned",
                        "notes": "; ".join(of.notes),
                    }
                )
    return rows
