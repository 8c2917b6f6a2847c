"""The statistical model as a HistFactory workspace, which pyhf, cabinetry and HEPData read.

K. Cranmer et al., CERN-OPEN-2012-016; errors of the simulation as one parameter per bin for the sum of the backgrounds
(R. Barlow, C. Beeston, Comput. Phys. Commun. 77 (1993) 219, in the light form of J. Conway, arXiv:1103.0354).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import jsonpatch
import numpy as np
import pyhf
from numpy.typing import NDArray

from jetlens.config.inference import PruningConfig
from jetlens.errors import JetlensError
from jetlens.inference.systematics import PRUNING, Effect, Systematic, effect
from jetlens.inference.templates import Region

Floats = NDArray[np.float64]
POI = "mu"
_EMPTY = "no_events"


class NotComputableError(JetlensError):
    """The simulation at hand does not allow a number."""


@dataclass(frozen=True)
class Workspace:
    """A HistFactory workspace and what was done to make it.

    Attributes:
        spec: JSON content.
        notes: remarks for the user, one line each.
        regions: channels that count data; further ones only constrain processes without simulated events.
    """

    spec: dict[str, Any]
    notes: list[str] = field(default_factory=list)
    regions: list[str] = field(default_factory=list)

    def model(self) -> pyhf.pdf.Model:
        """Return the model; between ±1σ effects follow polynomials (codes 4 and 4p), as in cabinetry."""
        return self._model

    @cached_property
    def _model(self) -> pyhf.pdf.Model:
        return pyhf.Workspace(self.spec).model(
            modifier_settings={"normsys": {"interpcode": "code4"}, "histosys": {"interpcode": "code4p"}}
        )

    def data(self) -> list[float]:
        """Observations of the workspace and auxiliary data."""
        model = self.model()
        counts = {each["name"]: each["data"] for each in self.spec["observations"]}
        return [
            float(x)
            for x in (*(x for name in model.config.channels for x in counts[name]), *model.config.auxdata)
        ]

    def blinded(self) -> bool:
        """Tell whether the data are what the backgrounds are expected to give."""
        parameters = np.asarray(self.model().config.suggested_init(), dtype=np.float64)
        parameters[self.model().config.poi_index] = 0.0
        return bool(np.allclose(self.model().expected_data(parameters), self.data(), rtol=1e-9, atol=1e-12))


def build_workspace(
    regions: Sequence[Region],
    signal: str,
    backgrounds: Sequence[str],
    systematics: Sequence[Systematic] = (),
    *,
    observed: Mapping[str, Sequence[float]] | None = None,
    empty_terms: bool = True,
    statistical_errors: bool = True,
    pruning: PruningConfig = PRUNING,
    poi_bounds: tuple[float, float] = (0.0, 10.0),
) -> Workspace:
    """Build the workspace of a signal in some regions.

    Args:
        regions: their templates, binned so that the simulation fills them (:mod:`jetlens.inference.binning`).
        signal: the process whose strength ``mu`` is the parameter of interest.
        backgrounds: the other processes.
        systematics: uncertainties.
        observed: data per region; None: the sum of the backgrounds (blinded).
        empty_terms: give a process without simulated events in a bin a term w̄·γ there, γ ≥ 0 constrained by the
            Poisson probability of having simulated none; without, it is taken as zero there. It takes away from
            an excess; an exclusion, where data are few, finds it at γ = 0.
        statistical_errors: whether the simulation's errors enter the fit.
        pruning: what of systematics is left out as noise.
        poi_bounds: range of ``mu``.

    Raises:
        NotComputableError: if a template is negative, or a bin has no background at all, naming the bin.
    """
    notes: list[str] = []
    channels, observations = [], []
    for region in regions:
        _check(region, backgrounds)
        channel, auxiliary = _channel(
            region, signal, backgrounds, systematics, pruning, notes, statistical_errors, empty_terms
        )
        channels += [channel, *auxiliary]
        total, _ = region.total(backgrounds)
        data = total if observed is None else np.asarray(observed[region.name], dtype=np.float64)
        observations.append({"name": region.name, "data": data.tolist()})
        observations += [{"name": each["name"], "data": [0.0]} for each in auxiliary]
    parameters: list[dict[str, Any]] = [{"name": POI, "bounds": [list(poi_bounds)], "inits": [1.0]}]
    parameters += [
        {"name": each["name"], "bounds": [[0.0, 20.0]], "inits": [0.0]}
        for each in channels
        if each["name"].startswith(_EMPTY)
    ]
    spec = {
        "channels": channels,
        "observations": observations,
        "measurements": [{"name": "signal_strength", "config": {"poi": POI, "parameters": parameters}}],
        "version": "1.0.0",
    }
    return Workspace(spec, notes, [region.name for region in regions])


def _check(region: Region, backgrounds: Sequence[str]) -> None:
    for name in region.processes:
        values = region.values(name)
        if (values < 0).any():
            k = int(np.argmin(values))
            raise NotComputableError(
                f"region '{region.name}': {name} has {values[k]:.4g} expected events in {_bin(region, k)}; negative "
                "weights outweigh the others there, merge bins or simulate more"
            )
    total, _ = region.total(backgrounds)
    if (total <= 0).any():
        k = int(np.argmin(total))
        raise NotComputableError(
            f"region '{region.name}': no background is expected in {_bin(region, k)}, so nothing limits the signal "
            "there; merge bins or simulate more"
        )


def _bin(region: Region, k: int) -> str:
    return f"{region.edges[k]:g}–{region.edges[k + 1]:g} {region.unit}".rstrip()


def _channel(
    region: Region,
    signal: str,
    backgrounds: Sequence[str],
    systematics: Sequence[Systematic],
    pruning: PruningConfig,
    notes: list[str],
    statistical_errors: bool,
    empty_terms: bool,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A channel, and the auxiliary ones that count the simulated events of processes in bins without any."""
    samples, auxiliary = [], []
    for process in (signal, *backgrounds):
        modifiers: list[dict[str, Any]] = []
        if process == signal:
            modifiers.append({"name": POI, "type": "normfactor", "data": None})
        elif statistical_errors:
            errors = np.sqrt(region.covered_variances(process))
            modifiers.append(
                {"name": f"statistics_{region.name}", "type": "staterror", "data": errors.tolist()}
            )
        for systematic in systematics:
            if systematic.acts_on(process, region.name):
                of = effect(systematic, region, process, pruning=pruning)
                notes += of.notes
                modifiers += _modifiers(systematic.name, of, region.values(process))
        samples.append({"name": process, "data": region.values(process).tolist(), "modifiers": modifiers})
        if process != signal and empty_terms:
            more, counted = _empty_bins(region, process)
            samples += more
            auxiliary += counted
    return {"name": region.name, "samples": samples}, auxiliary


def _modifiers(name: str, of: Effect, nominal: Floats) -> list[dict[str, Any]]:
    modifiers: list[dict[str, Any]] = []
    if of.rate_kept:
        data = {"hi": float(of.norm_up), "lo": float(of.norm_down)}
        modifiers.append({"name": name, "type": "normsys", "data": data})
    if of.shape_up is not None and of.shape_down is not None:
        bins = {"hi_data": (nominal * of.shape_up).tolist(), "lo_data": (nominal * of.shape_down).tolist()}
        modifiers.append({"name": name, "type": "histosys", "data": bins})
    return modifiers


def _empty_bins(region: Region, process: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """For each bin without simulated events: a sample of w̄·γ there, and a channel that counted none where γ was due."""
    weight = region.mean_weight(process)
    samples, channels = [], []
    for k in np.flatnonzero(region.variances(process) == 0) if weight > 0 else ():
        name = f"{_EMPTY}:{process}:{region.name}:{k}"
        factor = {"name": name, "type": "normfactor", "data": None}
        data = np.zeros(len(region.edges) - 1)
        data[k] = weight
        samples.append({"name": name, "data": data.tolist(), "modifiers": [factor]})
        channels.append({"name": name, "samples": [{"name": name, "data": [1.0], "modifiers": [factor]}]})
    return samples, channels


def process_of(sample: str) -> str:
    """Return the process of a sample of the workspace: the terms of bins without simulated events belong to theirs."""
    return sample.split(":")[1] if sample.startswith(f"{_EMPTY}:") else sample


def reduced(
    workspace: Workspace,
    *,
    systematics: Collection[str] | None = None,
    statistical_errors: bool = True,
    empty_terms: bool = True,
) -> Workspace:
    """Return the workspace without some of its uncertainties, to see what they cost.

    Args:
        workspace: any.
        systematics: names of those that stay; None: all.
        statistical_errors: whether the simulation's errors per bin stay.
        empty_terms: whether the terms of processes without simulated events in a bin stay.
    """

    def stays(modifier: Mapping[str, Any]) -> bool:
        if modifier["type"] == "staterror":
            return statistical_errors
        return modifier["type"] == "normfactor" or systematics is None or modifier["name"] in systematics

    spec = workspace.spec
    channels = []
    for channel in spec["channels"]:
        if not empty_terms and channel["name"].startswith(_EMPTY):
            continue
        samples = [
            {**sample, "modifiers": [each for each in sample["modifiers"] if stays(each)]}
            for sample in channel["samples"]
            if empty_terms or not sample["name"].startswith(_EMPTY)
        ]
        channels.append({**channel, "samples": samples})
    names = {channel["name"] for channel in channels}
    (measurement,) = spec["measurements"]
    config = measurement["config"]
    parameters = [each for each in config["parameters"] if each["name"] == POI or each["name"] in names]
    return Workspace(
        {
            **spec,
            "channels": channels,
            "observations": [each for each in spec["observations"] if each["name"] in names],
            "measurements": [{**measurement, "config": {**config, "parameters": parameters}}],
        },
        workspace.notes,
        workspace.regions,
    )


def has_empty_terms(workspace: Workspace) -> bool:
    """Tell whether a process lacks simulated events in a bin."""
    return any(channel["name"].startswith(_EMPTY) for channel in workspace.spec["channels"])


def at_luminosity(spec: Mapping[str, Any], factor: float) -> dict[str, Any]:
    """Return the workspace at ``factor`` times the luminosity: rates scale, relative errors stay.

    Channels that count simulated events stay as they are: a higher luminosity simulates nothing.
    """

    def scaled(values: Sequence[float]) -> list[float]:
        return [factor * value for value in values]

    channels = []
    for channel in spec["channels"]:
        if channel["name"].startswith(_EMPTY):
            channels.append(channel)
            continue
        samples = []
        for sample in channel["samples"]:
            modifiers = []
            for modifier in sample["modifiers"]:
                data = modifier["data"]
                if modifier["type"] == "staterror":
                    data = scaled(data)
                elif modifier["type"] == "histosys":
                    data = {key: scaled(values) for key, values in data.items()}
                modifiers.append({**modifier, "data": data})
            samples.append({**sample, "data": scaled(sample["data"]), "modifiers": modifiers})
        channels.append({**channel, "samples": samples})
    observations = [
        each if each["name"].startswith(_EMPTY) else {**each, "data": scaled(each["data"])}
        for each in spec["observations"]
    ]
    return {**spec, "channels": channels, "observations": observations}


def patchset(
    workspaces: Mapping[float, Workspace],
    signal_of: Mapping[float, str],
    *,
    analysis: str,
    label: str = "mass",
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the workspace of the backgrounds alone and a pyhf patch set that adds the signal of each hypothesis.

    Args:
        workspaces: by hypothesis (a mass, GeV). A patch adds the signal; where backgrounds differ from those of the
            first hypothesis, since events are scored by hypothesis, it changes these as well.
        signal_of: name of the signal process, by hypothesis.
        analysis: name of the analysis, for the description.
        label: what the hypothesis is.
    """
    first = next(iter(workspaces))
    base = _without(workspaces[first].spec, signal_of[first])
    patches = []
    for value, workspace in workspaces.items():
        patch = jsonpatch.make_patch(base, workspace.spec).patch
        patches.append({"metadata": {"name": f"{label}_{value:g}", "values": [value]}, "patch": patch})
    content = {
        "metadata": {
            "name": analysis,
            "description": f"signal of {analysis} by {label}",
            "digests": {"sha256": pyhf.utils.digest(base, algorithm="sha256")},
            "labels": [label],
            "references": {"hepdata": "ins0000000"},
        },
        "patches": patches,
        "version": "1.0.0",
    }
    return base, content


def _without(spec: Mapping[str, Any], signal: str) -> dict[str, Any]:
    channels = [
        {**channel, "samples": [sample for sample in channel["samples"] if sample["name"] != signal]}
        for channel in spec["channels"]
    ]
    return {**spec, "channels": channels}
