"""Expected discovery significance of a cut on a classifier, with a background uncertainty."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jetlens.evaluation.metrics import roc_curve
from jetlens.evaluation.scores import read_scores
from jetlens.files import atomic_path

Floats = NDArray[np.float64]
SIGNAL_EFFICIENCIES = np.round(np.arange(0.05, 1.0001, 0.05), 2)
COLUMNS = (
    "signal_efficiency",
    "logit_cut",
    "signal",
    "signal_error",
    "background",
    "background_error",
    "background_events",
    "significance",
    "significance_error",
)


def asimov_significance(signal: ArrayLike, background: ArrayLike, uncertainty: ArrayLike = 0.0) -> Floats:
    """Return the median discovery significance expected for a counting experiment.

    Z = √(2 [ (s+b) ln( (s+b)(b+σ²) / (b²+(s+b)σ²) ) − (b²/σ²) ln(1 + σ² s / (b (b+σ²)) ) ]), and for σ → 0
    √(2 [(s+b) ln(1+s/b) − s]) (Cowan, Cranmer, Gross, Vitells, arXiv:1007.1727, and Cowan 2012 for σ).

    Args:
        signal: s, expected signal events, not negative.
        background: b, expected background events, above zero.
        uncertainty: σ, absolute uncertainty of b [events].

    Returns:
        Z, of the common shape; NaN where b is zero: nothing can be said then.
    """
    s, b, sigma = np.broadcast_arrays(
        *(np.asarray(x, dtype=np.float64) for x in (signal, background, uncertainty))
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        # both terms are written as (1 + x) ln(1 + x) − x and the like, so that nothing cancels where s ≪ b
        variance = sigma**2
        known = s + b
        ratio = s * b / (b**2 + known * variance)  # (s+b)(b+σ²) / (b²+(s+b)σ²) − 1
        with_error = known * np.log1p(ratio) - b**2 / variance * np.log1p(variance * s / (b * (b + variance)))
        without = known * np.log1p(s / b) - s
        # below this the first form loses more digits than σ matters
        q = 2 * np.where(variance > 1e-12 * b, with_error, without)
        # s ≪ b: q → s²/(b + σ²), which floating-point differences no longer resolve
        small = s < 1e-5 * b
        q = np.where(small, s**2 / (b + variance), q)
        return np.where(b > 0, np.sqrt(np.maximum(q, 0)), np.nan)


def significance_error(
    signal: float,
    signal_error: float,
    background: float,
    background_error: float,
    relative_uncertainty: float,
) -> float:
    """Propagate the statistical errors of the simulation to Z, to first order.

    Args:
        signal: expected signal events.
        signal_error: its statistical error.
        background: expected background events, above zero.
        background_error: its statistical error.
        relative_uncertainty: σ / b, kept while b varies.
    """

    def z(s: float, b: float) -> float:
        return float(asimov_significance(s, b, relative_uncertainty * b))

    step_s, step_b = 1e-3 * max(signal, 1e-9), 1e-3 * background
    by_signal = (z(signal + step_s, background) - z(signal - step_s, background)) / (2 * step_s)
    by_background = (z(signal, background + step_b) - z(signal, background - step_b)) / (2 * step_b)
    return float(np.hypot(by_signal * signal_error, by_background * background_error))


def scan_significance(evaluation: Path, output_csv: Path, *, background_uncertainty: float) -> None:
    """Write the significance of cuts on the ensemble's logit, one line per signal efficiency.

    Yields are those of the whole sample at the analysis' luminosity, estimated from the test events. Errors are
    those of the simulation, √Σw². Where no background event passes, background and significance are left empty:
    the sample is too small to say.

    Args:
        evaluation: folder ``evaluation/<variant>``.
        output_csv: table to write.
        background_uncertainty: relative uncertainty of the background.

    Raises:
        FileError: if the scores cannot be read.
    """
    scores = read_scores(evaluation / "scores.npz")
    signal = scores.label == 1
    curve = roc_curve(scores.ensemble, scores.label, scores.weight)
    rows = []
    for efficiency in SIGNAL_EFFICIENCIES:
        cut = float(curve.threshold[curve.tightest(efficiency)])
        passes = scores.ensemble >= cut
        s, ds = _yield(scores.weight[passes & signal])
        b, db = _yield(scores.weight[passes & ~signal])
        number = int((passes & ~signal).sum())
        row = [f"{efficiency:.2f}", f"{cut:.6g}", f"{s:.6g}", f"{ds:.3g}"]
        if b > 0:
            z = float(asimov_significance(s, b, background_uncertainty * b))
            dz = significance_error(s, ds, b, db, background_uncertainty)
            row += [f"{b:.6g}", f"{db:.3g}", str(number), f"{z:.5g}", f"{dz:.2g}"]
        else:
            row += ["", "", str(number), "", ""]
        rows.append(",".join(row))
    with atomic_path(output_csv) as temporary:
        temporary.write_text("\n".join([",".join(COLUMNS), *rows]) + "\n", encoding="utf-8")


def _yield(weight: Floats) -> tuple[float, float]:
    return float(weight.sum()), float(np.sqrt((weight**2).sum()))
