"""Maximum-likelihood fits: pulls, correlations, impacts, and with cabinetry yields before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cabinetry
import numpy as np
import pandas as pd
import pyhf
from cabinetry.fit import FitResults

from jetlens.inference.minimiser import minimise
from jetlens.inference.workspace import NotComputableError, Workspace, process_of


@dataclass(frozen=True)
class Fit:
    """A fit of a workspace.

    Attributes:
        workspace: what was fitted.
        result: best fit, uncertainties and correlations, as cabinetry gives them.
        data: fitted data with auxiliary data; those expected of the backgrounds while blinded.
    """

    workspace: Workspace
    result: FitResults
    data: list[float]

    def pulls(self) -> pd.DataFrame:
        """Best-fit value and error of each parameter; for constrained ones the pull, (θ̂ − θ₀)/σ₀, and its error."""
        model = self.workspace.model()
        prefit = cabinetry.model_utils.asimov_parameters(model)
        errors = cabinetry.model_utils.prefit_uncertainties(model)
        rows = []
        for name, value, error, before, width in zip(
            self.result.labels, self.result.bestfit, self.result.uncertainty, prefit, errors, strict=True
        ):
            constrained = width > 0
            rows.append(
                {
                    "parameter": name,
                    "value": float(value),
                    "error": float(error),
                    "pull": float((value - before) / width) if constrained else np.nan,
                    "pull_error": float(error / width) if constrained else np.nan,
                }
            )
        return pd.DataFrame(rows)

    def correlations(self, at_least: float = 0.0) -> pd.DataFrame:
        """Correlations of parameters, those without any beyond ``at_least`` left out."""
        labels = list(self.result.labels)
        matrix = pd.DataFrame(self.result.corr_mat, index=labels, columns=labels)
        off = (matrix - np.eye(len(labels))).abs().max()
        keep = off.index[off >= at_least]
        return matrix.loc[keep, keep]

    def impacts(self) -> pd.DataFrame:
        """Change of μ̂ when a parameter is held one post-fit standard deviation up or down, largest first.

        From the fit's covariance, cov(θ, μ)/σ_θ, which is what holding θ and fitting again gives where the likelihood
        is Gaussian.
        """
        poi = self.workspace.model().config.poi_index
        shift = np.asarray(self.result.corr_mat)[poi] * self.result.uncertainty[poi]
        table = self.pulls()[["parameter", "pull", "pull_error"]]
        table = table.assign(postfit_up=shift, postfit_down=-shift).drop(index=poi)
        ordered: pd.DataFrame = table.sort_values(
            "postfit_up", key=np.abs, ascending=False, ignore_index=True
        )
        return ordered


def fit(workspace: Workspace, *, strength: float = 0.0) -> Fit:
    """Fit the workspace's data, those of the backgrounds alone while blinded.

    Args:
        workspace: what is fitted; ``mu`` may become negative.
        strength: times the signal that is added to the data, to see what the fit makes of it.

    Raises:
        NotComputableError: if the fit fails.
    """
    model = workspace.model()
    data = workspace.data()
    if strength:
        signal = injected(workspace, strength)
        data = [value + more for value, more in zip(data, signal, strict=True)]
    bounds = [list(bound) for bound in model.config.suggested_bounds()]
    bounds[model.config.poi_index][0] = -bounds[model.config.poi_index][1]
    start = np.asarray(model.config.suggested_init(), dtype=np.float64)
    start[model.config.poi_index] = strength
    fixed = np.asarray(model.config.suggested_fixed(), dtype=bool)
    try:
        found, deviance, covariance = minimise(model, data, start, bounds, fixed)
    except pyhf.exceptions.FailedMinimization as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise NotComputableError(
            f"the fit of the workspace failed: {reason}; {_told(model, data)}"
        ) from error
    errors = np.sqrt(np.diag(covariance))
    scale = np.where(errors > 0, errors, 1.0)
    correlations = covariance / np.outer(scale, scale)
    result = FitResults(found, errors, model.config.par_names, correlations, deviance)
    return Fit(workspace, result, data)


def _told(model: pyhf.Model, data: Sequence[float]) -> str:
    """Say how far data and expectation are apart, the usual reason why a fit does not end."""
    start = list(model.config.suggested_init())
    start[model.config.poi_index] = 0.0
    expected = float(np.sum(model.expected_actualdata(start)))
    observed = float(np.sum(data[: model.config.nmaindata]))
    return (
        f"the data are {observed:.4g} events, {expected:.4g} are expected without signal; if these are far apart, "
        "look at inference.data, luminosity_fb and cross sections"
    )


def injected(workspace: Workspace, strength: float) -> list[float]:
    """Expected signal per bin of the model's data, zero for auxiliary data."""
    model = workspace.model()
    parameters = np.asarray(model.config.suggested_init(), dtype=np.float64)
    poi = model.config.poi_index
    without, with_signal = parameters.copy(), parameters.copy()
    without[poi], with_signal[poi] = 0.0, strength
    return [float(x) for x in np.asarray(model.expected_data(with_signal)) - model.expected_data(without)]


def yields(workspace: Workspace, after: Fit | None = None) -> pd.DataFrame:
    """Return expected events per region and process with errors, before the fit and, where given, after it.

    Columns: ``region``, ``process`` (the last one of a region is ``total``), ``prefit``, ``prefit_error``, and with
    ``after`` also ``postfit``, ``postfit_error``. The signal counts at strength 1 before the fit, as fitted after it.
    """
    model = workspace.model()
    before = _prediction(workspace, cabinetry.model_utils.prediction(model), "prefit")
    if after is None:
        return before
    fitted_yields = cabinetry.model_utils.prediction(model, fit_results=after.result)
    return before.merge(_prediction(workspace, fitted_yields, "postfit"), on=["region", "process"])


def bins(of: Fit) -> pd.DataFrame:
    """Return fitted events per bin: ``region``, ``process``, ``bin``, ``events``, ``error``.

    The process ``total`` is their sum, its error has all correlations; ``data`` are the fitted counts.
    """
    workspace, rows = of.workspace, []
    prediction = cabinetry.model_utils.prediction(workspace.model(), fit_results=of.result)
    config = prediction.model.config
    for k, name in enumerate(config.channels):
        if name not in workspace.regions:
            continue
        counts = np.asarray(prediction.model_yields[k])
        errors = np.asarray(prediction.total_stdev_model_bins[k])
        present = {sample["name"] for sample in _channel(workspace, name)["samples"]}
        for process, events, error in zip(
            [*config.samples, "total"], [*counts, counts.sum(axis=0)], errors, strict=True
        ):
            if process == "total" or process in present:
                rows += [
                    {"region": name, "process": process_of(process), "bin": n, "events": e, "variance": v**2}
                    for n, (e, v) in enumerate(zip(events.tolist(), error.tolist(), strict=True))
                ]
        start = config.channel_slices[name].start
        rows += [
            {"region": name, "process": "data", "bin": n, "events": e, "variance": e}
            for n, e in enumerate(of.data[start : start + counts.shape[1]])
        ]
    table = pd.DataFrame(rows).groupby(["region", "process", "bin"], sort=False, as_index=False).sum()
    table["error"] = np.sqrt(table.pop("variance"))
    return table


def _prediction(workspace: Workspace, of: cabinetry.model_utils.ModelPrediction, when: str) -> pd.DataFrame:
    rows = []
    samples = of.model.config.samples
    for region, name in enumerate(of.model.config.channels):
        if name not in workspace.regions:
            continue
        counts = np.asarray(of.model_yields[region]).sum(axis=1)
        errors = np.asarray(of.total_stdev_model_channels[region])
        present = {sample["name"] for sample in _channel(workspace, name)["samples"]}
        for k, process in enumerate([*samples, "total"]):
            if process != "total" and process not in present:
                continue
            count = counts.sum() if process == "total" else counts[k]
            error = float(errors[k])
            rows.append(
                {"region": name, "process": process_of(process), when: float(count), "variance": error**2}
            )
    # what stands for events that were not simulated belongs to its process
    table = pd.DataFrame(rows).groupby(["region", "process"], sort=False, as_index=False).sum()
    table[f"{when}_error"] = np.sqrt(table.pop("variance"))
    return table


def _channel(workspace: Workspace, name: str) -> dict[str, list[dict[str, str]]]:
    return next(channel for channel in workspace.spec["channels"] if channel["name"] == name)
