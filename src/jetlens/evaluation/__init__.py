"""How well each variant separates signal from background, on events that no training saw."""

from jetlens.evaluation.application import summarise_applications
from jetlens.evaluation.comparison import Difference, paired_difference
from jetlens.evaluation.metrics import Area, RocCurve, auc, mean_area, roc_curve
from jetlens.evaluation.rejection import Rejection, background_rejection
from jetlens.evaluation.stage import evaluate
from jetlens.evaluation.summary import compare, summarise

__all__ = [
    "Area",
    "Difference",
    "Rejection",
    "RocCurve",
    "auc",
    "background_rejection",
    "compare",
    "evaluate",
    "mean_area",
    "paired_difference",
    "roc_curve",
    "summarise",
    "summarise_applications",
]
