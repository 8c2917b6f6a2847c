"""Expected and observed CLs limits and discovery significances with pyhf.

CLs: A. L. Read, J. Phys. G 28 (2002) 2693; test statistic q̃ and asymptotic formulae: arXiv:1007.1727.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any, TypeVar

import numpy as np
import pyhf
from numpy.typing import NDArray
from scipy import stats
from scipy.optimize import toms748

from jetlens.files import write_json
from jetlens.inference.minimiser import DevianceOptimizer, minimise
from jetlens.inference.workspace import NotComputableError, Workspace, at_luminosity

Floats = NDArray[np.float64]
LOG = logging.getLogger(__name__)
BANDS = ("expected_minus2", "expected_minus1", "expected", "expected_plus1", "expected_plus2")
_EXPANSIONS = 40
_TINY = 1e-300
FEW_EVENTS = 10.0
"""Below this many expected background events asymptotic formulae are not to be trusted, toys are made."""


@dataclass(frozen=True)
class Limit:
    """Upper limits on the signal strength at a confidence level.

    Attributes:
        expected: −2σ, −1σ, median, +1σ, +2σ of the background-only expectation, or those asked for.
        observed: on the data of the workspace; None while blinded.
        level: confidence level, 0.95.
        scan: every point tried: ``mu``, ``observed`` and ``expected`` CLs.
        method: ``asymptotic`` or ``toys``.
    """

    expected: list[float]
    observed: float | None
    level: float
    method: str
    scan: list[dict[str, Any]] = field(default_factory=list)

    def write(self, path: str | os.PathLike[str], **about: Any) -> None:
        """Write the limit, its scan and what it is about, as JSON."""
        write_json(path, {**about, **asdict(self)})


T = TypeVar("T")


def fitted(what: str, task: Callable[[], T]) -> T:
    """Run a task of pyhf with the stage's own minimiser, and again with Minuit if that fails.

    Raises:
        NotComputableError: if both fail, naming ``what``.
    """
    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)  # of rates of zero on the way to a minimum
        try:
            pyhf.set_backend("numpy", DevianceOptimizer())
            return task()
        except pyhf.exceptions.FailedMinimization as error:
            LOG.info("%s: least squares failed (%s); trying Minuit", what, error)
        try:
            pyhf.set_backend("numpy", pyhf.optimize.minuit_optimizer(tolerance=0.01))
            return task()
        except pyhf.exceptions.FailedMinimization as error:
            raise NotComputableError(f"{what} failed: {str(error).splitlines()[0]}") from error


def upper_limit(
    workspace: Workspace,
    *,
    level: float = 0.95,
    unblind: bool = False,
    toys: int | None = None,
    guess: float = 1.0,
    rtol: float = 3e-3,
    quantiles: Sequence[int] = (-2, -1, 0, 1, 2),
) -> Limit:
    """Find the CLs upper limit on ``mu``.

    Each of the six curves is bracketed from ``guess`` and solved for CLs = 1 − level; points are shared among curves.

    Args:
        workspace: of one signal.
        level: confidence level.
        unblind: whether the limit observed on the workspace's data is found as well.
        toys: pseudo-experiments per point and hypothesis; None: asymptotic formulae.
        guess: where to look first.
        rtol: relative precision of the limits.
        quantiles: of the expectation [σ] that are found, 0 (the median) among them.

    Raises:
        NotComputableError: if a fit fails, or no strength is excluded, naming the point and what happened.
    """
    model, data = workspace.model(), workspace.data()
    scan: dict[float, tuple[float, list[float]]] = {}
    asimov = _Asimov(model, data) if toys is None and workspace.blinded() else None

    def cls(mu: float) -> tuple[float, list[float]]:
        if mu not in scan:
            scan[mu] = _hypotest(mu, data, model, toys) if asimov is None else asimov(mu)
            LOG.info("mu %.5g: CLs observed %.4g, expected %.4g", mu, scan[mu][0], scan[mu][1][2])
        return scan[mu]

    # in √q the curves are nearly straight lines, which a root finder likes: CLs = Φ(n − √q) / Φ(n) for n = −2 … 2
    def excess(mu: float, n: int) -> float:
        root = stats.norm.isf(max(cls(mu)[1][n + 2], _TINY) * stats.norm.cdf(n))
        return float(stats.norm.isf((1 - level) * stats.norm.cdf(n)) - root)

    expected = [_solve(partial(excess, n=n), guess, scan, rtol) for n in quantiles]
    observed = None
    if unblind:
        observed = _solve(
            lambda mu: np.log(max(cls(mu)[0], _TINY) / (1 - level)),
            expected[list(quantiles).index(0)],
            scan,
            rtol,
        )
    points = [
        {"mu": mu, "observed": scan[mu][0] if unblind else None, "expected": scan[mu][1]}
        for mu in sorted(scan)
    ]
    return Limit(expected, observed, level, "toys" if toys else "asymptotic", points)


def _hypotest(
    mu: float, data: list[float], model: pyhf.pdf.Model, toys: int | None
) -> tuple[float, list[float]]:
    """Observed CLs, and the expected one at −2σ … +2σ of the background."""
    bounds = [list(bound) for bound in model.config.suggested_bounds()]
    bounds[model.config.poi_index][1] = max(bounds[model.config.poi_index][1], 4 * mu)
    init = model.config.suggested_init()
    init[model.config.poi_index] = mu
    options = {"init_pars": init, "par_bounds": bounds, "test_stat": "qtilde"}
    values = fitted(
        f"the fit at mu = {mu:.5g}",
        lambda: (
            _asymptotic(mu, data, model, options) if toys is None else _toys(mu, data, model, options, toys)
        ),
    )
    if not np.isfinite(values).all():
        raise NotComputableError(
            f"CLs at mu = {mu:.5g} is no number ({values}); a template may be empty, or a variation takes all away"
        )
    return values[0], values[1:]


class _Asimov:
    """CLs on data that are what the backgrounds are expected to give: of pyhf's five fits only one is needed.

    The best fit is then known, μ = 0 and all else as before the fit, and data and Asimov data are the same. A fit
    starts where the one at the next strength ended.
    """

    def __init__(self, model: pyhf.pdf.Model, data: list[float]) -> None:
        self._model, self._data = model, data
        start = np.asarray(model.config.suggested_init(), dtype=np.float64)
        start[model.config.poi_index] = 0.0
        self._found: dict[float, Floats] = {0.0: start}
        self._q = {0.0: 0.0}

    def __call__(self, mu: float) -> tuple[float, list[float]]:
        """Observed CLs, and the expected one at −2σ … +2σ of the background."""
        near = min(self._found, key=lambda other: abs(other - mu))
        q = self._fit(mu, near)
        if near and any((q < self._q[other]) != (mu < other) for other in self._q if other != mu):
            q = min(q, self._fit(mu, 0.0))  # q rises with μ: the neighbour led astray
        self._q[mu] = q
        root = np.sqrt(q)
        expected = [float(stats.norm.cdf(n - root) / stats.norm.cdf(n)) for n in (-2, -1, 0, 1, 2)]
        return expected[2], expected

    def _fit(self, mu: float, near: float) -> float:
        """Return q̃: the best description of the data is perfect, so it is the deviance."""
        poi = self._model.config.poi_index
        bounds = [list(bound) for bound in self._model.config.suggested_bounds()]
        bounds[poi][1] = max(bounds[poi][1], 4 * mu)
        init = self._found[near].copy()
        fixed = np.zeros(len(init), dtype=bool)
        init[poi], fixed[poi] = mu, True
        try:
            found, deviance, _ = minimise(self._model, self._data, init, bounds, fixed)
        except pyhf.exceptions.FailedMinimization as error:
            raise NotComputableError(
                f"the fit at mu = {mu:.5g} failed: {str(error).splitlines()[0]}"
            ) from error
        self._found[mu] = found
        return deviance


def _asymptotic(mu: float, data: list[float], model: pyhf.pdf.Model, options: dict[str, Any]) -> list[float]:
    observed, expected = pyhf.infer.hypotest(mu, data, model, return_expected_set=True, **options)
    return [float(observed), *(float(value) for value in expected)]


def _toys(
    mu: float, data: list[float], model: pyhf.pdf.Model, options: dict[str, Any], toys: int
) -> list[float]:
    """CLs from the distributions of the test statistic; pyhf's own quantiles call an option that numpy has dropped."""
    calculator = pyhf.infer.calculators.ToyCalculator(
        data, model, ntoys=toys, track_progress=False, **options
    )
    with_signal, without = (np.asarray(each.samples) for each in calculator.distributions(mu))

    def cls(statistic: Floats) -> Floats:
        above = [(sample[:, None] >= statistic).mean(axis=0) for sample in (with_signal, without)]
        return np.asarray(np.divide(above[0], above[1], out=np.ones_like(statistic), where=above[1] > 0))

    expected = np.quantile(cls(without), stats.norm.cdf([-2, -1, 0, 1, 2]))
    return [float(cls(np.atleast_1d(calculator.teststatistic(mu)))[0]), *expected.tolist()]


def _solve(function: Callable[[float], float], guess: float, scan: dict[float, Any], rtol: float) -> float:
    """Find where a falling function crosses zero, starting from the points already known and widening from there."""
    low, high = 0.0, 0.0
    for mu in sorted(scan):
        if function(mu) > 0:
            low = mu
        else:
            high = mu
            break
    for _ in range(_EXPANSIONS):
        if high > 0:
            break
        trial = max(2 * low, guess)
        low, high = (trial, 0.0) if function(trial) > 0 else (low, trial)
    else:
        raise NotComputableError(
            f"no signal strength up to {low:.3g} is excluded; is the signal empty where the background is small?"
        )
    for _ in range(_EXPANSIONS):
        if low > 0:
            break
        trial = high / 2
        low, high = (trial, high) if function(trial) > 0 else (0.0, trial)
    else:
        raise NotComputableError(f"every signal strength down to {high:.3g} is excluded; scale the signal up")
    return float(toms748(function, low, high, xtol=1e-12, rtol=rtol))


def needs_toys(workspace: Workspace) -> bool:
    """Tell whether a region expects so few events that asymptotic formulae fail."""
    counts = {each["name"]: sum(each["data"]) for each in workspace.spec["observations"]}
    return any(counts[name] < FEW_EVENTS for name in workspace.regions)


SMALL = 0.02
"""Standard deviations."""


def discovery(workspace: Workspace, strength: float = 1.0) -> float:
    """Return the median significance expected for a signal of some strength, √q₀ on its Asimov data.

    Below :data:`SMALL`, where q₀ is less than what fits resolve, it is the strength over its error, which it tends to.

    Raises:
        NotComputableError: if a fit fails.
    """
    model = workspace.model()
    parameters = np.asarray(model.config.suggested_init(), dtype=np.float64)
    parameters[model.config.poi_index] = strength
    data = model.expected_data(parameters)
    bounds = [list(bound) for bound in model.config.suggested_bounds()]
    bounds[model.config.poi_index] = [0.0, max(10 * strength, bounds[model.config.poi_index][1])]
    held = np.asarray(model.config.suggested_fixed())
    *_, covariance = fitted(
        "the fit of the expected significance", lambda: minimise(model, data, parameters, bounds, held)
    )
    error = float(np.sqrt(covariance[model.config.poi_index, model.config.poi_index]))
    if error > 0 and strength / error < SMALL:
        return strength / error
    q0 = fitted(
        "the fit of the expected significance",
        lambda: pyhf.infer.test_statistics.q0(
            0.0, data, model, list(parameters), bounds, model.config.suggested_fixed()
        ),
    )
    return float(np.sqrt(max(float(q0), 0.0)))


def discovery_by_luminosity(
    workspace: Workspace, luminosity_fb: float, luminosities_fb: Sequence[float], strength: float = 1.0
) -> list[dict[str, float]]:
    """Return expected significances against luminosity [1/fb], the simulation's relative errors kept."""
    rows = []
    for luminosity in luminosities_fb:
        spec = at_luminosity(workspace.spec, luminosity / luminosity_fb)
        z = discovery(Workspace(spec, workspace.notes, workspace.regions), strength)
        rows.append({"luminosity_fb": float(luminosity), "significance": z})
    return rows
