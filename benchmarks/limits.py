"""How often limits hold the truth, and whether an injected signal is found: toys of a known model, exit status.

    python benchmarks/limits.py               # 10,000 toys at 0.5, 1 and 2 times the expected limit, two minutes
    python benchmarks/limits.py --toys 2000   # a first look

The model is one of the stage: three bins, two backgrounds, errors of the simulation, one systematic of rate and one of
shape. Counts and auxiliary measurements are drawn from it at the strength that is tested, all fits may find a negative
strength. A limit by CLs+b holds the truth in 95 % of the toys, within 1.5 %; one by CLs in no less than 93.5 %, more
where the signal cannot be told from none: the excess is printed. All toys are fitted at once, by the residuals of the
stage's own fits; the stage's CLs of twenty of them are compared.

A pull is (μ̂ − μ)/σ with σ the error at the truth, of the Asimov data of the injected strength (arXiv:1007.1727,
section 3). With the error at μ̂ a pull is skewed by construction, as an upward fluctuation has the larger error (L.
Demortier, L. Lyons, CDF/ANAL/PUBLIC/5776, 2002): of one count of mean ν its mean is −1/(2√ν), that of the signed root
of the likelihood ratio −1/(6√ν), and of the pull at the truth exactly 0. Where the expected counts are curved in the
parameters, as products of strength and nuisance parameters are, μ̂ itself is biased (D. Cox, E. Snell, J. R. Stat.
Soc. B 30 (1968) 248). So two models are tested. Without systematics the expectation is linear in μ, and the mean pull
must be 0 within three errors. With them the bias is measured toy by toy, as the difference to the pull of the score
function at the truth, whose mean is 0 whatever the curvature: the toys' own fluctuation drops out. It must be below a
tenth of σ, and the rest of the mean pull, which is the score function's, 0 within three errors. Median and signed
root are printed beside it.
"""

from __future__ import annotations

import argparse
import sys
from typing import NamedTuple

import numpy as np
import pyhf
from scipy.stats import norm

from jetlens.inference.limits import _hypotest, upper_limit
from jetlens.inference.minimiser import DevianceOptimizer, Residuals
from jetlens.inference.systematics import Systematic
from jetlens.inference.templates import Events, fill_region
from jetlens.inference.workspace import Workspace, build_workspace, reduced

BIAS = 0.1
"""Largest mean pull, in σ, that curvature may make."""
EDGES = (400.0, 800.0, 1200.0, 2000.0)


def model() -> Workspace:
    """A search for a bump in a falling spectrum of some hundred events."""
    rng = np.random.default_rng(4)

    def events(observable: np.ndarray, expected: float) -> dict[str, Events]:
        weight = np.full(len(observable), expected / len(observable))
        number = np.arange(len(observable))
        moved = {"nominal": 1.0, "scale_up": 1.05, "scale_down": 0.95}
        return {name: Events(factor * observable, weight, number) for name, factor in moved.items()}

    processes = {
        "signal": events(rng.normal(1000, 90, 20_000), 40.0),
        "multijet": events(400 + rng.exponential(330, 4_000), 450.0),
        "ttbar": events(400 + rng.exponential(260, 6_000), 150.0),
    }
    systematics = [
        Systematic("scale", ("signal", "multijet", "ttbar")),
        Systematic("rate", ("multijet",), "normalisation", 0.1),
    ]
    return build_workspace(
        [fill_region("region", processes, EDGES)], "signal", ["multijet", "ttbar"], systematics
    )


def draw(workspace: Workspace, strength: float, toys: int, seed: int) -> np.ndarray:
    """Counts and auxiliary measurements (toys, data) at a strength, all else as before the fit."""
    of = workspace.model()
    parameters = np.asarray(of.config.suggested_init(), dtype=np.float64)
    parameters[of.config.poi_index] = strength
    np.random.seed(seed)  # noqa: NPY002  pyhf draws from it
    return np.asarray(of.make_pdf(pyhf.tensorlib.astensor(parameters)).sample((toys,)))


class Fitted(NamedTuple):
    """Of T toys: fitted strength, its error, deviance there and at the true strength; (T,) each."""

    mu: np.ndarray
    error: np.ndarray
    best: np.ndarray
    tested: np.ndarray


class Toys:
    """Fits of many toys at once: Levenberg's and Marquardt's steps for all of them."""

    def __init__(self, workspace: Workspace, number: int) -> None:
        """Take the model, for a number of toys."""
        settings = {"normsys": {"interpcode": "code4"}, "histosys": {"interpcode": "code4p"}}
        self.model = pyhf.Workspace(workspace.spec).model(modifier_settings=settings, batch_size=number)
        self.poi = self.model.config.poi_index
        self.start = np.tile(np.asarray(self.model.config.suggested_init(), dtype=np.float64), (number, 1))

    def fit(
        self, data: np.ndarray, strength: float | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Parameters (T, P), deviance (T,), error of μ at μ̂ (T,); μ is held where a strength is given."""
        residuals, x = Residuals(self.model, data), self.start.copy()
        free = [k for k in range(x.shape[1]) if strength is None or k != self.poi]
        if strength is not None:
            x[:, self.poi] = strength
        if not free:
            return x, (residuals(x) ** 2).sum(axis=1), np.zeros(len(x))
        damping = np.full(len(x), 1e-3)
        r = residuals(x)
        for _ in range(60):
            jacobian = self._jacobian(residuals, x, free)
            normal = np.einsum("trp,trq->tpq", jacobian, jacobian)
            damped = normal + damping[:, None, None] * normal * np.eye(len(free))
            step = np.linalg.solve(damped, np.einsum("trp,tr->tp", jacobian, r)[..., None])[..., 0]
            trial = x.copy()
            trial[:, free] -= step
            new = residuals(trial)
            better = (new**2).sum(axis=1) <= (r**2).sum(axis=1)
            gain = np.where(better, (r**2).sum(axis=1) - (new**2).sum(axis=1), 0.0)
            x, r = np.where(better[:, None], trial, x), np.where(better[:, None], new, r)
            damping = np.where(better, damping / 10, damping * 10)
            if (gain[better] < 1e-10).all() and better.mean() > 0.5:
                break
        error = (
            np.sqrt(np.linalg.inv(normal)[:, free.index(self.poi), free.index(self.poi)])
            if strength is None
            else None
        )
        return x, (r**2).sum(axis=1), np.zeros(len(x)) if error is None else error

    @staticmethod
    def _jacobian(residuals: Residuals, x: np.ndarray, free: list[int]) -> np.ndarray:
        columns = []
        for k in free:
            shift = np.zeros(x.shape[1])
            shift[k] = 1e-6
            columns.append((residuals(x + shift) - residuals(x - shift)) / 2e-6)
        return np.stack(columns, axis=2)

    def tails(self, strength: float, data: np.ndarray, free: Fitted) -> tuple[np.ndarray, np.ndarray]:
        """CLs, CLs+b by q̃'s asymptotic distributions (arXiv:1007.1727)."""
        fitted_without, without, _ = self.fit(data, 0.0)
        q = np.where(
            free.mu > strength,
            0.0,
            np.maximum(free.tested - np.where(free.mu < 0, without, free.best), 0.0),
        )
        asimov = np.asarray(self.model.expected_data(fitted_without))
        _, of_asimov, _ = self.fit(asimov, strength)
        root, scale = np.sqrt(q), np.sqrt(of_asimov)
        far = q > of_asimov
        with np.errstate(invalid="ignore"):
            with_signal = norm.sf(np.where(far, (q + of_asimov) / (2 * scale), root))
            background = norm.sf(np.where(far, (q - of_asimov) / (2 * scale), root - scale))
        return with_signal / background, with_signal

    def free(self, strength: float, data: np.ndarray) -> Fitted:
        """Fit with μ free, and with μ at the truth."""
        found, best, error = self.fit(data)
        return Fitted(found[:, self.poi], error, best, self.fit(data, strength)[1])


class Truth:
    """The model at the parameters that toys are drawn at."""

    def __init__(self, workspace: Workspace, strength: float) -> None:
        """Take the model, and the strength."""
        self.model = workspace.model()
        self.poi = self.model.config.poi_index
        self.at = np.asarray(self.model.config.suggested_init(), dtype=np.float64)
        self.at[self.poi] = strength
        self.expected = np.asarray(self.model.expected_data(self.at))
        residuals, steps = Residuals(self.model, self.expected), 1e-5 * np.eye(len(self.at))
        self.jacobian = np.stack(
            [(residuals(self.at + d) - residuals(self.at - d)) / 2e-5 for d in steps], axis=1
        )
        self.covariance = np.linalg.inv(self.jacobian.T @ self.jacobian)
        self.error = float(np.sqrt(self.covariance[self.poi, self.poi]))

    def score_pulls(self, data: np.ndarray) -> np.ndarray:
        """One Newton step from the truth over its error (T,): linear in the data, so its mean is 0 and its width 1."""
        bins = self.model.config.nmaindata
        # of its own parameter alone, a constraint's residual grows by 1 over its width
        widths = 1 / np.abs(self.jacobian[bins:]).max(axis=1, initial=0.0)
        residuals = (data - self.expected) / np.append(np.sqrt(self.expected[:bins]), widths)
        return np.asarray((residuals @ self.jacobian @ self.covariance)[:, self.poi] / self.error)


def mean(values: np.ndarray) -> tuple[float, float]:
    """Mean and its error."""
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))


def pulls_hold(label: str, truth: Truth, strength: float, data: np.ndarray, free: Fitted) -> bool:
    """Print the pulls of the fitted strength, and tell whether their mean is what it must be."""
    pulls, score = (free.mu - strength) / truth.error, truth.score_pulls(data)
    roots = np.sign(free.mu - strength) * np.sqrt(np.maximum(free.tested - free.best, 0.0))
    (found, error), (of_score, _), (bias, sharp) = mean(pulls), mean(score), mean(pulls - score)
    well = abs(of_score) <= 3 * error and abs(bias) <= BIAS
    middle, half = np.median(pulls), np.sqrt(np.pi / 2) * error
    own = ((free.mu - strength) / free.error).mean()
    shift, its = mean(free.mu / strength - 1)
    print(
        f"{'ok  ' if well else 'FAIL'} {label}: pull of mu {found:+.3f} ± {error:.3f}, of which bias "
        f"{bias:+.4f} ± {sharp:.4f} and fluctuation {of_score:+.3f}; width {pulls.std(ddof=1):.3f}\n"
        f"       fitted/injected − 1: {shift:+.4f} ± {its:.4f}; median {middle:+.3f} ± {half:.3f}; signed root of the "
        f"likelihood ratio {roots.mean():+.3f}; with the error at the fit {own:+.3f}; "
        f"fitted below 0: {(free.mu < 0).mean():.3f}",
        flush=True,
    )
    return bool(well)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--toys", type=int, default=10000, help="per strength (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the random numbers")
    options = parser.parse_args()
    pyhf.set_backend("numpy", DevianceOptimizer())
    workspace = model()
    limit = upper_limit(workspace).expected[2]
    print(f"expected limit on mu: {limit:.3f}; {options.toys} toys at each strength")
    failed = 0
    fits = Toys(workspace, options.toys)
    alone = reduced(workspace, systematics=(), statistical_errors=False, empty_terms=False)
    fits_alone = Toys(alone, options.toys)
    # fewer toys than by default: bands wider by what they fluctuate more
    slack = 0.0 if options.toys >= 2000 else 2 * np.sqrt(0.95 * 0.05 / options.toys)
    for number, factor in enumerate((0.5, 1.0, 2.0)):
        strength = factor * limit
        toys = draw(workspace, strength, options.toys, options.seed + number)
        free = fits.free(strength, toys)
        cls, with_signal = fits.tails(strength, toys, free)
        for toy, value in zip(toys[:20], cls, strict=False):
            own = _hypotest(strength, toy.tolist(), workspace.model(), None)[0]
            if abs(own - value) > 1e-3:
                print(f"FAIL the stage's CLs of a toy is {own:.5f}, here it is {value:.5f}")
                failed += 1
        share, kept = (with_signal >= 0.05).mean(), (cls >= 0.05).mean()
        error = np.sqrt(share * (1 - share) / len(toys))
        good = abs(share - 0.95) <= 0.015 + slack and kept >= 0.935 - slack
        print(
            f"{'ok  ' if good else 'FAIL'} {factor:g} × expected: CLs+b {share:.4f} ± {error:.4f}, "
            f"CLs {kept:.4f} (over-coverage {kept - 0.95:+.4f})",
            flush=True,
        )
        failed += not good
        failed += not pulls_hold(f"{factor:g} ×", Truth(workspace, strength), strength, toys, free)
        toys = draw(alone, strength, options.toys, options.seed + number)
        free, label = fits_alone.free(strength, toys), f"{factor:g} × without systematics"
        failed += not pulls_hold(label, Truth(alone, strength), strength, toys, free)
    print(f"{failed} tests fail" if failed else "limits hold the truth as often as they say")
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
