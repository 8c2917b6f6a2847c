"""Can this map be believed? A verdict per method, computed from the tests, with the thresholds it rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scipy.special import ndtr, stdtrit

SIGMAS = 2.0
"""A difference counts if it is so many standard errors above zero; of few events or trainings, which do not know their
own error, by Student's factor more."""
AGREE = 0.5
"""Least mean rank correlation between trainings that counts as agreement."""
FORGOTTEN = 0.2
"""Largest |rank correlation| with random weights that counts as another answer."""


RIVALS = (("minus_matched", "chance of equal pT"), ("minus_pt", "pT order"), ("minus_d0", "|d0| order"))


@dataclass(frozen=True)
class Criterion:
    """One question: what was asked, what was found, and whether that is enough; ``passed`` None: not known."""

    question: str
    found: str
    passed: bool | None


def criteria(method: str, tests: Mapping[str, Any]) -> list[Criterion]:
    """Return what the tests of one method say.

    Args:
        method: name in the registry.
        tests: content of ``faithfulness.json``.
    """
    result = []
    for kind, ways in tests["tests"].items():
        for way, entry in ways.items():
            deletion = entry["orders"][method]["deletion"]
            for key, rival in RIVALS:
                if key in deletion:
                    question = f"{kind}, {way}: takes more of the logit away than {rival} (> {SIGMAS:g} σ)"
                    result.append(_beats(question, deletion[key], tests["events"][kind]))
    seeds = tests["agreement"]["between_seeds"].get(method)
    question = f"trainings agree (rank correlation ≥ {AGREE:g})"
    result.append(_correlation(question, seeds, lambda value: value >= AGREE))
    rows = tests["random_weights"].get(method)
    if rows:
        question = f"random weights give another answer (|rank correlation| ≤ {FORGOTTEN:g})"
        result.append(
            _correlation(question, rows[-1]["rank_correlation"], lambda value: abs(value) <= FORGOTTEN)
        )
        labels = tests["random_labels"].get(method)
        question = f"permuted labels give another answer than another seed does (> {SIGMAS:g} σ)"
        found = _beats(question, labels["less"], len(labels["trainings"])) if labels else None
        result.append(found or Criterion(question, "not asked", None))
    return result


def verdict(found: Sequence[Criterion]) -> str:
    """Return the verdict in plain words."""
    asked = [c for c in found if c.passed is not None]
    chance = [c for c in asked if "chance" in c.question]
    failed = [c for c in asked if not c.passed]
    if not chance or not asked:
        return "not known: too little was tested"
    if not failed:
        open_questions = len(found) - len(asked)
        but = f", {open_questions} of which could not be asked" if open_questions else ""
        return f"can be believed as a ranking of what decides: it failed none of {len(found)} tests{but}"
    if all(not c.passed for c in chance):
        return "cannot be believed: it does no better than chance among constituents of equal pT"
    if 2 * len(failed) > len(asked):
        return f"is hardly to be believed: it failed {len(failed)} of {len(asked)} tests"
    simple = [c for c in failed if "order" in c.question]
    if any(not c.passed for c in chance) or len(failed) > len(simple):
        return f"believe it with care: it failed {len(failed)} of {len(asked)} tests"
    return "marks what decides, but so does a simple order: see the yardsticks it does not beat"


def verdicts(tests: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return by method the verdict and the criteria it rests on, as plain data."""
    methods = list(tests["agreement"]["between_seeds"])
    if not tests["tests"]:
        return {}
    found = {method: criteria(method, tests) for method in methods}
    return {
        method: {"verdict": verdict(own), "criteria": [vars(criterion) for criterion in own]}
        for method, own in found.items()
    }


def _beats(question: str, pair: Sequence[float], draws: int) -> Criterion:
    """Ask whether a difference, known from so many events or trainings, is above zero."""
    mean, error = pair
    needed = float(stdtrit(draws - 1, ndtr(SIGMAS))) if draws > 1 else float("inf")
    known = mean == mean and error == error
    found = f"{mean:+.3f} ± {error:.3f}".replace("-", "−") if known else "not known"
    return Criterion(question, found, mean > needed * error if known else None)


def _correlation(question: str, pair: Sequence[float] | None, enough: Any) -> Criterion:
    if pair is None:
        return Criterion(question, "not known", None)
    return Criterion(question, f"{pair[0]:.2f} ± {pair[1]:.2f}".replace("-", "−"), bool(enough(pair[0])))
