"""Explanation of one variant: every method's answer for test events, and the tests that say how far to trust it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jetlens.config.explanation import ExplanationConfig, methods_of
from jetlens.evaluation.testset import read_test_set
from jetlens.explanation.believed import page
from jetlens.explanation.faithfulness import faithfulness
from jetlens.explanation.randomised import random_labels
from jetlens.explanation.registry import METHODS
from jetlens.explanation.relevance import Arrays, assemble, layout, write_relevance
from jetlens.explanation.verdict import verdicts
from jetlens.features.normalisation import Normalisation
from jetlens.files import write_json, write_text


def explain(
    models: Sequence[Path],
    features: Sequence[Path],
    output: Path,
    *,
    variant: str,
    normalisation: Normalisation,
    explanation: ExplanationConfig,
    companions: Sequence[Path] = (),
    permuted: Sequence[Path] = (),
) -> None:
    """Explain a variant on test events: write ``<method>.npz`` per method, ``faithfulness.json`` and ``believed.html``.

    Args:
        models: folders ``training/<variant>/seed<k>``, one per seed.
        features: folders of the feature files, all parts of all samples.
        output: folder ``explanation/<variant>``.
        variant: name of the variant.
        normalisation: process of each sample, and expected events per generator weight.
        explanation: methods, number of events, their settings.
        companions: folders ``training/<variant>@dropout/seed<k>``, one per seed, that judge where constituents are
            masked; none: the models themselves.
        permuted: folders ``training/<variant>@permuted/seed<k>`` of networks trained on permuted labels; none: what
            they say is not asked.

    Raises:
        ConfigError: if a method does not fit the model.
        FileError: if a model or a feature file cannot be used.
        NoEventsError: if no event is in the test folds.
    """
    from jetlens.trained import load_model  # brings a whole back end with it

    trained = [load_model(folder) for folder in models]
    events = read_test_set(features, normalisation, explanation.events, trained[0].streams).features
    logits = np.stack([model.predict_logits(events) for model in trained]).astype(np.float64)
    seeds = [int(model.manifest["seed"]) for model in trained]
    about = layout(events, trained[0].streams)
    answers = {}
    for name in methods_of(trained[0].options, explanation.methods):
        method = METHODS[name]
        results = [method.explain(model, events, explanation) for model in trained]
        arrays = assemble(name, method.signed, results, logits, seeds, about)
        write_relevance(output / f"{name}.npz", arrays)
        answers[name] = in_favour(arrays)
    judges = [load_model(folder) for folder in companions]
    tests = faithfulness(models, trained, events, answers, explanation, judges)
    tests |= {"random_labels": random_labels(answers, [load_model(f) for f in permuted], events, explanation)}
    tests = {"variant": variant, "seeds": seeds, **tests, "verdicts": verdicts(tests)}
    write_json(output / "faithfulness.json", told(tests))
    write_text(output / "believed.html", page(variant, tests))


def told(content: Any) -> Any:
    """Return plain data with null for what is no number: of a model that says the same of all events."""
    if isinstance(content, dict):
        return {key: told(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [told(value) for value in content]
    return None if isinstance(content, float) and not np.isfinite(content) else content


def in_favour(arrays: Arrays) -> dict[str, NDArray[np.float64]]:
    """Return what a method's file says in favour of each class, values (S, N, T) to order tokens by."""
    value = arrays["value"].astype(np.float64)
    if arrays["signed"]:
        return {"signal": value[:, 0], "background": -value[:, 0]}
    names = [str(name) for name in arrays["maps"]]
    other = names.index("towards background") if "towards background" in names else 0
    return {"signal": value[:, 0], "background": value[:, other]}
