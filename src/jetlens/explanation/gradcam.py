"""Grad-CAM for sets of tokens, after Selvaraju et al. (arXiv:1610.02391).

L_i = ReLU(Σ_k α_k A_ik) with A the token activations of the last layer that still has one row per constituent, and
α_k the mean over real tokens of ∂z/∂A_ik, z being the logit before the sigmoid. With one logit for two classes,
evidence for background is the same with −z.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from jetlens.errors import ConfigError
from jetlens.explanation.attention import BATCH, network_inputs
from jetlens.explanation.maps import has_positions
from jetlens.features.featurefile import FeatureSet

Floats = NDArray[np.float64]
MAPS = ("towards signal", "towards background")


def gradcam_layers(model: Any, features: FeatureSet, variant: str) -> dict[str, str]:
    """Return, by stream of constituents, the layer whose activations are explained.

    Raises:
        ConfigError: if the network has no tokens with a place in a jet.
    """
    from jetlens.models import probe

    layers = {
        stream: layer
        for stream, layer in probe.token_layers(model).items()
        if stream in features.metadata.streams and has_positions(features, stream)
    }
    if not layers:
        raise ConfigError(
            f"explanation.variants: '{variant}' has no tokens with delta_eta and delta_phi; "
            f"name a variant whose streams hold both"
        )
    return layers


def gradcam(activations: NDArray[Any], gradients: NDArray[Any], mask: NDArray[np.bool_]) -> Floats:
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


def gradcam_values(model: Any, features: FeatureSet, layers: dict[str, str]) -> tuple[Floats, Floats]:
    """Return the Grad-CAM of every constituent and the logits.

    Args:
        model: a Keras network.
        features: N events.
        layers: from :func:`gradcam_layers`.

    Returns:
        (2, N, T): towards signal, towards background; T slots of all jets. And logits (N,).
    """
    from jetlens.models import probe

    inputs = network_inputs(features)
    parts = []
    for stream, layer in layers.items():
        activations, logits, gradients = probe.token_activations(model, layer, inputs, BATCH)
        parts.append(gradcam(activations, gradients, features.masks[stream]))
    signed = np.concatenate(parts, axis=1)
    return np.stack([np.maximum(signed, 0), np.maximum(-signed, 0)]), logits.astype(np.float64)
