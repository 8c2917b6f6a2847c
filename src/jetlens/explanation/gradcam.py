"""Grad-CAM for sets of tokens, after Selvaraju et al. (arXiv:1610.02391).

L_i = ReLU(Σ_k α_k A_ik) with A the token activations of a layer and α_k the mean over real tokens of ∂z/∂A_ik, z being
the logit before the sigmoid. With one logit for two classes, evidence for background is the same with −z: what is kept
is the sum before the ReLU, whose positive part is Grad-CAM for signal and whose negative part that for background.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from jetlens.config.explanation import ExplanationConfig
from jetlens.errors import ConfigError, did_you_mean
from jetlens.explanation.network import BATCH, network_of
from jetlens.explanation.relevance import Relevance
from jetlens.features.featurefile import FeatureSet
from jetlens.trained.model import TrainedModel, input_arrays

Floats = NDArray[np.float64]


def gradcam(model: TrainedModel, features: FeatureSet, settings: ExplanationConfig) -> Relevance:
    """Return Σ_k α_k A_ik for the tokens of every stream.

    It weighs channels by their mean gradient over all tokens, so it cannot tell tokens apart that a later layer reads
    differently, and is blind to a token that speaks through a channel whose mean gradient is small.

    Args:
        model: a network.
        features: N events.
        settings: ``gradcam_layer``.

    Raises:
        ConfigError: if the network has no such layer for any stream.
    """
    from jetlens.models import probe

    network = network_of(model)
    names = [layer.name for layer in network.layers]
    layers = {stream: settings.gradcam_layer.format(stream=stream) for stream in model.streams}
    if not any(layer in names for layer in layers.values()):
        wanted = next(iter(layers.values()))
        raise ConfigError(
            f"explanation.gradcam_layer: '{model.manifest['variant']}' has no layer '{wanted}'"
            f"{did_you_mean(wanted, names)}"
        )
    inputs = input_arrays(features, list(model.streams))
    parts = []
    for stream, layer in layers.items():
        mask = features.masks[stream]
        if layer not in names:
            parts.append(np.zeros(mask.shape))
            continue
        try:
            activations, _, gradients = probe.token_activations(network, layer, inputs, BATCH)
        except ValueError as error:
            raise ConfigError(f"explanation.gradcam_layer: {error}") from error
        if activations.shape[1] != mask.shape[1]:
            raise ConfigError(
                f"explanation.gradcam_layer: '{layer}' has {activations.shape[1]} tokens, stream '{stream}' "
                f"{mask.shape[1]}; name a layer with one row per token"
            )
        parts.append(weighted_sum(activations, gradients, mask))
    value = np.concatenate(parts, axis=1)
    return Relevance(("logit",), value[None], np.zeros((1, *features.event.shape)))


def weighted_sum(activations: NDArray[Any], gradients: NDArray[Any], mask: NDArray[np.bool_]) -> Floats:
    """Return Σ_k α_k A_ik, before the ReLU: positive where a token speaks for the signal.

    Args:
        activations: A, (N, T, D).
        gradients: ∂z/∂A, (N, T, D).
        mask: (N, T) True where a token is real.

    Returns:
        (N, T), zero in padded slots.
    """
    real = mask[..., None].astype(np.float64)
    alpha = (gradients * real).sum(axis=1) / np.maximum(real.sum(axis=1), 1)
    return np.asarray(np.einsum("nk,nik->ni", alpha, activations.astype(np.float64)) * mask)
