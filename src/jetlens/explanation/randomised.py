"""Explanations of networks that know nothing: with random weights, or trained on permuted labels.

Both must get other explanations than what was trained on true labels (Adebayo et al., arXiv:1810.03292).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jetlens.config.explanation import ExplanationConfig, MethodName
from jetlens.explanation.agreement import rank_correlation
from jetlens.explanation.registry import METHODS
from jetlens.explanation.relevance import layout
from jetlens.explanation.yardsticks import mean_and_error, removable_slots
from jetlens.features.featurefile import FeatureSet
from jetlens.trained.model import TrainedModel

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
CASCADE = (0.1, 0.5, 1.0)
"""Shares of the weights that are randomised, from the logit down."""
RANDOMISED_EVENTS = 20
"""Events, of both classes, that networks with random weights explain."""
RANDOMISED = 3
"""Networks with random weights: each is some function, like the trained one or its opposite by chance."""
PERMUTED_EVENTS = 50
"""Events, of both classes, that networks trained on permuted labels explain."""


def random_weights(
    models: Sequence[Path],
    events: FeatureSet,
    answers: Mapping[MethodName, Floats],
    removable: Mask,
    explanation: ExplanationConfig,
) -> dict[str, Any]:
    """Return by method how far the answers of networks whose weights are ever more random agree with the true ones.

    Args:
        models: folders of the trainings, of which the first is randomised.
        events: N events.
        answers: by method, values (S, N, T) in favour of signal.
        removable: (N, T) slots to compare.
        explanation: settings of the methods.

    Returns:
        By method, per share of random weights: the mean rank correlation, and its standard error over networks.
    """
    from jetlens.trained import load_model

    model = load_model(models[0])
    network = getattr(model, "model", None)
    if network is None:
        return {}
    index = _few(len(events), RANDOMISED_EVENTS)
    some, trained = events.select(index), network.get_weights()
    found: dict[MethodName, dict[float, list[float]]] = {
        name: {share: [] for share in CASCADE} for name in answers
    }
    for draw in range(RANDOMISED):
        network.set_weights(trained)
        for share in randomise_from_the_top(network, explanation.seed + draw, CASCADE):
            for name, values in answers.items():
                again = METHODS[name].explain(model, some, explanation).value[0]
                found[name][share].append(_of(values[0, index], again, removable[index]))
    return {
        name: [
            {"randomised": share, "rank_correlation": mean_and_error(np.array(each))}
            for share, each in rows.items()
        ]
        for name, rows in found.items()
    }


def random_labels(
    answers: Mapping[MethodName, Mapping[str, Floats]],
    permuted: Sequence[TrainedModel],
    features: FeatureSet,
    explanation: ExplanationConfig,
    most: int = PERMUTED_EVENTS,
) -> dict[str, Any]:
    """Return by method how far explanations of networks trained on permuted labels agree with those on true ones.

    A network that has learnt nothing still is some function, of which the true one's order is by chance more or less,
    or the opposite: one such training says little. So errors are over trainings.

    Args:
        answers: by method, values (S, N, T) in favour of ``signal``, of S trainings on true labels.
        permuted: P trainings on permuted labels; none: nothing is returned.
        features: N events.
        explanation: settings of the methods.
        most: events that are explained, of both classes.

    Returns:
        ``permuted``: the mean rank correlation of a training on permuted labels with those on true ones, and its
        standard error over the P trainings; ``trainings``: each one's; ``less``: the mean rank correlation of two
        trainings on true labels less that, and its error. No number where P or S is one.
    """
    if not permuted:
        return {}
    index = _few(len(features), most)
    events = features.select(index)
    about = layout(events, list(permuted[0].streams))
    removable = about["mask"] & removable_slots(about)[None]
    table: dict[str, Any] = {}
    for name, sides in answers.items():
        true = sides["signal"][:, index]
        wrong = [METHODS[name].explain(model, events, explanation).value[0] for model in permuted]
        each = [float(np.mean([_of(one, other, removable) for one in true])) for other in wrong]
        pairs = [_of(a, b, removable) for a, b in itertools.combinations(true, 2)]
        (mean, error), (own, of_own) = (mean_and_error(np.array(values)) for values in (each, pairs))
        table[name] = {
            "trainings": [round(x, 5) for x in each],
            "permuted": [mean, error],
            "less": _rounded((own - mean, np.hypot(error, of_own if len(pairs) > 1 else 0.0))),
        }
    return table


def randomise_from_the_top(network: Any, seed: int, shares: Sequence[float]) -> Iterator[float]:
    """Randomise a network's weights in place, from the logit down (cascading, Adebayo et al., arXiv:1810.03292).

    Entries of an array are shuffled: its distribution, and so the size of activations, stays while all that was learnt
    of their arrangement is gone. What is standardised stays standardised.

    Args:
        network: a Keras network.
        seed: of the shuffling.
        shares: growing shares of the arrays, counted from the logit.

    Yields:
        Each share in turn, when so many are randomised.
    """
    import keras

    rng = np.random.default_rng(seed)
    variables = list(reversed(network.trainable_variables))
    done = 0
    for share in shares:
        for variable in variables[done : round(share * len(variables))]:
            values = keras.ops.convert_to_numpy(variable)
            variable.assign(rng.permutation(values.ravel()).reshape(values.shape))
        done = round(share * len(variables))
        yield share


def _few(number: int, most: int) -> NDArray[np.int64]:
    return np.arange(0, number, max(1, number // most))


def _of(first: Floats, second: Floats, removable: Mask) -> float:
    """Return the mean rank correlation; a map that is the same everywhere agrees with none."""
    pair = rank_correlation(first, second, removable)
    return 0.0 if pair is None else pair[0]


def _rounded(pair: tuple[float, float] | None) -> list[float] | None:
    return None if pair is None else [round(float(x), 5) for x in pair]
