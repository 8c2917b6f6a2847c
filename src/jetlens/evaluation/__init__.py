"""How well each variant separates signal from background, on events that no training saw."""

from jetlens.evaluation.application import summarise_applications
from jetlens.evaluation.metrics import (
    Difference,
    Rejection,
    RocCurve,
    auc,
    background_rejection,
    paired_difference,
    roc_curve,
)
from jetlens.evaluation.significance import asimov_significance, scan_significance
from jetlens.evaluation.stage import evaluate
from jetlens.evaluation.summary import compare, summarise

__all__ = [
    "Difference",
    "Rejection",
    "RocCurve",
    "asimov_significance",
    "auc",
    "background_rejection",
    "compare",
    "evaluate",
    "paired_difference",
    "roc_curve",
    "scan_significance",
    "summarise",
    "summarise_applications",
]
