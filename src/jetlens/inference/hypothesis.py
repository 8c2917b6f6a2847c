"""Limit, significance and fit of one variant for one mass: ``inference/<variant>/<mass>/``."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyhf

from jetlens.files import read_json, write_json, write_text
from jetlens.inference.breakdown import breakdown
from jetlens.inference.filltables import write_csv
from jetlens.inference.fits import bins, fit, injected, yields
from jetlens.inference.limits import Limit, discovery_by_luminosity, needs_toys, upper_limit
from jetlens.inference.templates import read_templates
from jetlens.inference.workspace import NotComputableError, Workspace, has_empty_terms, reduced

LOG = logging.getLogger(__name__)


def infer(
    folder: Path,
    output: Path,
    *,
    mass: str,
    cross_section_fb: float,
    theory_fb: float | None,
    luminosity_fb: float,
    luminosities_fb: Sequence[float],
    level: float,
    toys: int,
    seed: int,
    unblind: bool,
    groups: Mapping[str, str],
) -> None:
    """Set the limit of one mass hypothesis and fit the background.

    Writes ``limit.json`` (limits on the strength with systematic errors, without any, and without the terms of
    processes that have no simulated events in a bin; every point of each scan; breakdown by groups of uncertainties;
    significance by luminosity; remarks),
    ``pulls.csv`` (with impacts), ``correlations.csv``, ``yields.csv`` and ``postfit.csv``. Where the simulation is not
    enough, ``limit.json`` says what is missing in place of limits; the fit is made all the same, to be looked at.

    Args:
        folder: ``inference/<variant>``.
        output: folder to write to.
        mass: of the hypothesis [GeV], as named in the patch set.
        cross_section_fb: σ·B that the signal samples stand for [fb].
        theory_fb: predicted σ·B [fb], at which significances are given; None: ``cross_section_fb``.
        luminosity_fb: of the templates [1/fb].
        luminosities_fb: at which significances are given [1/fb].
        level: confidence level of limits.
        toys: pseudo-experiments where a region expects few events; 0: none.
        seed: of the toys.
        unblind: whether observed limits are found.
        groups: group of uncertainties by systematic, of which the breakdown of the limit is made.

    Raises:
        NotComputableError: if the fit of the background fails.
    """
    about = read_json(folder / "hypotheses.json")[mass]
    base = pyhf.Workspace(read_json(folder / "background.json"))
    spec = dict(pyhf.PatchSet(read_json(folder / "patchset.json")).apply(base, f"mass_{mass}"))
    workspace = Workspace(spec, about["notes"], about["regions"])
    unit_fb = about["unit"] * cross_section_fb
    np.random.seed(seed)  # noqa: NPY002  pyhf draws its toys from it
    content: dict[str, Any] = {
        "mass_GeV": float(mass),
        "cross_section_fb": unit_fb,
        "luminosity_fb": luminosity_fb,
        "remark": about["remark"],
        "lacking": about["lacking"],
        "notes": list(workspace.notes),
        "limits": {},
        "breakdown": [],
        "significance": [],
    }
    if not about["remark"]:
        _limits(workspace, content, level=level, toys=toys, unblind=unblind)
        if found := content["limits"].get("systematics"):
            content["breakdown"] = breakdown(workspace, groups, level=level, guess=found["expected"][2])
        strength = (theory_fb or cross_section_fb) / unit_fb
        try:
            content["significance"] = discovery_by_luminosity(
                workspace, luminosity_fb, luminosities_fb, strength
            )
        except NotComputableError as error:
            content["notes"].append(f"significance: {error}")
    write_json(output / "limit.json", content)
    expected = content["limits"].get("systematics", {}).get("expected")
    _fit(workspace, output, folder, about["signal"], expected[2] if expected else 1.0)


def _limits(workspace: Workspace, content: dict[str, Any], *, level: float, toys: int, unblind: bool) -> None:
    few = needs_toys(workspace)
    if few and not toys:
        content["notes"].append(
            "a region expects fewer than ten events: asymptotic limits are then too low; ask for toys"
        )
    kinds = {"systematics": workspace, "statistics": _statistics_only(workspace)}
    if has_empty_terms(workspace):
        kinds["without_empty_terms"] = reduced(workspace, empty_terms=False)
    for kind, of in kinds.items():
        try:
            found: Limit = upper_limit(
                of, level=level, unblind=unblind, toys=toys if few and toys else None, rtol=5e-3
            )
        except NotComputableError as error:
            LOG.warning("%s: %s", kind, error)
            content["notes"].append(f"limit with {kind}: {error}")
            if kind == "systematics":
                content["remark"] = f"not computable: {error}"
            continue
        content["limits"][kind] = {
            "expected": found.expected,
            "observed": found.observed,
            "level": found.level,
            "method": found.method,
            "scan": found.scan,
        }
        LOG.info("%s: expected limit %.4g, %d points", kind, found.expected[2], len(found.scan))


def _statistics_only(workspace: Workspace) -> Workspace:
    return reduced(workspace, systematics=(), statistical_errors=False, empty_terms=False)


def _fit(workspace: Workspace, output: Path, folder: Path, signal: str, strength: float) -> None:
    """Write the tables of the background's fit; in the one of bins the signal has the strength that is given."""
    of = fit(workspace)
    impacts = of.impacts()[["parameter", "postfit_up", "postfit_down"]]
    names = {"pull_error": "constraint", "postfit_up": "impact_up", "postfit_down": "impact_down"}
    table = of.pulls().merge(impacts, on="parameter", how="left").rename(columns=names)
    write_csv(output / "pulls.csv", table)
    write_text(
        output / "correlations.csv", of.correlations().to_csv(float_format="%.6g", lineterminator="\n")
    )
    write_csv(output / "yields.csv", yields(workspace, of))
    fitted, edges = (
        bins(of),
        {region.name: region.edges for region in read_templates(folder / "templates.json")},
    )
    for side, shift in (("low", 0), ("high", 1)):
        fitted[side] = [
            float(edges[r][b + shift]) for r, b in zip(fitted["region"], fitted["bin"], strict=True)
        ]
    added = injected(workspace, strength)
    slices = workspace.model().config.channel_slices
    for row in fitted.index[fitted["process"] == signal]:
        at = slices[fitted.at[row, "region"]].start + fitted.at[row, "bin"]
        fitted.loc[row, ["events", "error"]] = added[at], 0.0
    if not workspace.blinded():
        write_csv(output / "postfit.csv", fitted.drop(columns="bin"))
        return
    # what is fitted while blinded are no data
    write_csv(output / "postfit.csv", fitted[fitted["process"] != "data"].drop(columns="bin"))
