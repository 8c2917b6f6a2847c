"""How processes and variants look: the same colour, hatch and dashes in every figure. Loads no drawing library.

Colours are those of Petroff (arXiv:2107.02270), told apart with every common form of colour blindness; hatches and
dashes tell them apart without colour.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from jetlens.config.evaluation import FiguresConfig, LookConfig
from jetlens.config.samples import Sample

Look = Mapping[str, Any]
"""``name``, ``label``, ``color``, ``number`` among those of its kind (sets hatch and dashes), ``role``."""

COLOURS = {
    "signal": ("#bd1f01", "#e76300", "#000000", "#5b1a18"),
    "background": (
        "#3f90da", "#ffa90e", "#94a4a2", "#832db6", "#a96b59", "#92dadd", "#b9ac70", "#717581",
    ),
    "application": ("#000000",),
    "variant": (
        "#bd1f01", "#3f90da", "#e39600", "#832db6", "#5b6b69", "#a96b59", "#1b9e77", "#717581",
    ),
}  # fmt: skip
HATCHES = ("", "....", "\\\\\\\\", "xxxx", "----", "oo", "++++", "**")
DASHES: tuple[Any, ...] = (
    "-", "--", "-.", ":", (0, (6, 1.5, 1.5, 1.5, 1.5, 1.5)), (0, (3, 1)), (0, (8, 2)), (0, (1, 1)),
)  # fmt: skip


def process_looks(figures: FiguresConfig, samples: Mapping[str, Sample]) -> dict[str, dict[str, Any]]:
    """Return the look of every process of the sample table; ``figures.processes`` comes first, in its order."""
    roles: dict[str, str] = {}
    for sample in samples.values():
        if roles.get(sample.process) != "signal":
            roles[sample.process] = sample.role
    looks: dict[str, dict[str, Any]] = {}
    for name in dict.fromkeys([*(name for name in figures.processes if name in roles), *roles]):
        number = sum(entry["role"] == roles[name] for entry in looks.values())
        looks[name] = {
            "name": name,
            "role": roles[name],
            **_look(figures.processes, name, number, roles[name]),
        }
    return looks


def curve_looks(
    figures: FiguresConfig, samples: Mapping[str, Sample]
) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Return :func:`process_looks` with a signal of several masses as one curve each: their sum is no hypothesis.

    Returns:
        Looks by name of the curve, and the name of the curve of each sample that is not drawn by its process's name.
    """
    masses: dict[str, set[float]] = {}
    for sample in samples.values():
        if sample.role == "signal" and sample.mass_gev:
            masses.setdefault(sample.process, set()).add(sample.mass_gev)
    apart = {
        name: at_mass(sample.process, sample.mass_gev)
        for name, sample in samples.items()
        if sample.role == "signal" and sample.mass_gev and len(masses[sample.process]) > 1
    }
    curves: dict[str, dict[str, LookConfig]] = {name: {} for name in process_looks(figures, samples)}
    for name, sample in samples.items():
        own = figures.processes.get(sample.process, LookConfig())
        if name in apart and own.label:
            own = own.model_copy(update={"label": at_mass(own.label, sample.mass_gev)})
        curves[sample.process][apart.get(name, sample.process)] = own
    named = {name: own for of in curves.values() for name, own in of.items()}
    # further masses come last, so that all others look as in other figures
    firsts = {next(iter(of)) for of in curves.values()}
    chosen = dict(sorted(named.items(), key=lambda pair: pair[0] not in firsts))
    renamed = {
        name: replace(sample, process=apart.get(name, sample.process)) for name, sample in samples.items()
    }
    looks = process_looks(figures.model_copy(update={"processes": chosen}), renamed)
    return {name: looks[name] for name in named}, apart


def at_mass(process: str, mass: float | None) -> str:
    """Return what a signal of a mass [GeV] is called."""
    return f"{process}, {mass:g} GeV"


def variant_looks(figures: FiguresConfig, variants: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the look of every variant; those in ``figures.variants`` come first, in its order."""
    names = [name for name in dict.fromkeys([*figures.variants, *variants]) if name in variants]
    return {
        name: {"name": name, **_look(figures.variants, name, number, "variant")}
        for number, name in enumerate(names)
    }


def _look(chosen: Mapping[str, LookConfig], name: str, number: int, kind: str) -> dict[str, Any]:
    own = chosen.get(name, LookConfig())
    label = own.label or (name.replace("_", " ") if kind == "variant" else name)
    return {
        "label": label,
        "color": own.color or COLOURS[kind][number % len(COLOURS[kind])],
        "number": number,
    }


def hatch(look: Look) -> str:
    """Return the hatch of a filled histogram."""
    return HATCHES[int(look["number"]) % len(HATCHES)]


def dashes(look: Look) -> Any:
    """Return the line style; a colour that comes again comes with other dashes."""
    number = int(look["number"])
    return DASHES[(number + number // len(DASHES)) % len(DASHES)]


def line(look: Look) -> dict[str, Any]:
    """Return colour and dashes of a line, as matplotlib takes them."""
    return {"color": look["color"], "linestyle": dashes(look)}
