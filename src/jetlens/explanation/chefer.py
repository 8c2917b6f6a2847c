"""Relevance for self-, cross- and class attention (Chefer, Gur, Wolf, arXiv:2103.15679).

Relevances of tokens for one another are carried from layer to layer: R starts as the identity over all tokens of all
streams and the class token, and each attention layer adds what its queries gather, weighed by Ā, the mean over heads of
the attention times its gradient (eq. 5). Where the class token is the answer, its row is the result; where tokens are
pooled, the mean of their rows.

A gradient says what a little more attention adds to the logit, not what hangs on it. Behind a normalisation, longer is
no different: Σ A ∂z/∂A = 0 over all that is gathered (arXiv:2202.07304 has it for gradients times inputs). So a token
that has all the attention has next to no relevance; see benchmarks/README.md, planted truth.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from jetlens.config.explanation import ExplanationConfig
from jetlens.explanation.network import BATCH, JointTokens, attention_layout, network_of
from jetlens.explanation.relevance import Relevance
from jetlens.features.featurefile import FeatureSet
from jetlens.trained.model import TrainedModel, input_arrays

Floats = NDArray[np.float64]


def relevance(model: TrainedModel, features: FeatureSet, settings: ExplanationConfig) -> Relevance:
    """Return the relevance as published: only what speaks for the class counts, and R̄ of eqs. 8 and 9 between streams.

    Two maps, for signal and for background, whose logit is −z.

    Args:
        model: a network with attention.
        features: N events.
        settings: not used.
    """
    return _relevance(model, features, signed=False)


def relevance_signed(model: TrainedModel, features: FeatureSet, settings: ExplanationConfig) -> Relevance:
    """Return a signed form, which is not the published one: Ā keeps its sign, and nothing is normalised.

    A path through attention then counts with the product of its first-order shares of the logit, and may speak for
    background. The identity, which is no attention, is left out.

    Args:
        model: a network with attention.
        features: N events.
        settings: not used.
    """
    return _relevance(model, features, signed=True)


def relevance_of_random_gradients(
    model: TrainedModel, features: FeatureSet, rng: np.random.Generator
) -> Relevance:
    """Return what the published rule makes of normal random numbers in the gradients' place: a null test.

    What it finds so, attention alone has found.

    Args:
        model: a network with attention.
        features: N events.
        rng: source of randomness.
    """
    return _relevance(model, features, signed=False, rng=rng)


def _relevance(
    model: TrainedModel, features: FeatureSet, signed: bool, rng: np.random.Generator | None = None
) -> Relevance:
    from jetlens.models import probe

    network = network_of(model)
    layers = attention_layout(network)
    tokens = JointTokens(network, features, list(model.streams))
    signs = (1,) if signed else (1, -1)
    result = np.zeros((len(signs), len(features), tokens.number - 1))
    for first in range(0, len(features), BATCH):
        part = slice(first, first + BATCH)
        inputs = {name: array[part] for name, array in input_arrays(features, list(model.streams)).items()}
        found = probe.attention_gradients(network, inputs, list(layers), BATCH)
        if rng is not None:
            found = {
                name: (scores, rng.standard_normal(scores.shape, np.float32))
                for name, (scores, _) in found.items()
            }
        real = tokens.real[part]
        for m, sign in enumerate(signs):
            carried = tokens.identity(len(real))
            for name, (query, keys) in layers.items():
                q, k = tokens.places(query), tokens.places(keys)
                scores, slopes = found[name]
                bar = shares(scores, sign * slopes, signed=signed) * (real[:, q, None] & real[:, None, k])
                gather(carried, bar, q, k, signed=signed)
            if signed:
                carried -= np.eye(tokens.number)
            result[m, part] = tokens.answer(carried, real)
    maps = ("logit",) if signed else ("towards signal", "towards background")
    return Relevance(maps, result, np.zeros((len(signs), *features.event.shape)))


def shares(attention: NDArray[Any], gradient: NDArray[Any], *, signed: bool) -> Floats:
    """Return Ā (B, Tq, Tk): the mean over heads of attention times gradient, its positive part alone unless signed."""
    product = np.asarray(attention, dtype=np.float64) * gradient
    return np.asarray((product if signed else np.maximum(product, 0)).mean(axis=1))


def gather(carried: Floats, bar: Floats, q: NDArray[np.int64], k: NDArray[np.int64], *, signed: bool) -> None:
    """Add to R what the queries of one layer gather, in place.

    Within one set of tokens, the class token included, R_qx ← R_qx + Ā R_kx (eqs. 6, 7). Between two sets
    R_qk ← R_qk + R̄_qqᵀ Ā R̄_kk and R_qq ← R_qq + Ā R_kq (eqs. 10, 11); signed: the first rule there, too.

    Args:
        carried: R (B, X, X) over all tokens.
        bar: Ā (B, Tq, Tk).
        q: places of the queries in R.
        k: places of the keys.
        signed: see :func:`relevance_signed`.
    """
    of_class = carried.shape[1] - 1
    if signed or of_class in q or set(q) & set(k):
        carried[:, q] += bar @ carried[:, k]
        return
    qq, kk = (normalised(carried[:, x[:, None], x]) for x in (q, k))
    gathered = qq.swapaxes(1, 2) @ bar @ kk
    back = bar @ carried[:, k[:, None], q]
    carried[:, q[:, None], k] += gathered
    carried[:, q[:, None], q] += back


def normalised(own: Floats) -> Floats:
    """Return R̄: the rows of R − 1 scaled to sum to one, and the identity (eqs. 8, 9)."""
    identity = np.eye(own.shape[-1])
    hat = own - identity
    total = hat.sum(axis=-1, keepdims=True)
    return np.asarray(np.divide(hat, total, out=np.zeros_like(hat), where=total > 0) + identity)
