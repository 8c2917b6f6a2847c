"""Jet images: pT-weighted grids in the (Δη, Δφ) plane.

The classic picture of a jet (Cogan et al., arXiv:1407.5675), here for looking at classes of jets on average;
networks in this package work on the constituents themselves.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from jetlens.events.jagged import Mask


def jet_images(
    delta_eta: NDArray[Any],
    delta_phi: NDArray[Any],
    pt: NDArray[Any],
    mask: Mask,
    pixels: int = 40,
    half_width: float = 1.0,
) -> NDArray[np.float32]:
    """Fill each jet's constituents into a grid, weighted by their share of the jet's pT.

    Args:
        delta_eta: first coordinate, (N, P).
        delta_phi: second coordinate, (N, P) [rad].
        pt: transverse momenta [GeV] or fractions, (N, P).
        mask: bool (N, P), true where a token is real.
        pixels: number of pixels along each axis.
        half_width: the grid runs from −half_width to +half_width along both axes.

    Returns:
        float32 (N, pixels, pixels), first index along Δη; each image adds up to the share of pT inside the grid.
    """
    weight = np.where(mask, pt, 0.0).astype(np.float64)
    weight /= np.maximum(weight.sum(axis=1, keepdims=True), 1e-12)
    column, row = (
        np.floor((x / half_width + 1) * pixels / 2).astype(np.int64) for x in (delta_eta, delta_phi)
    )
    inside = mask & (column >= 0) & (column < pixels) & (row >= 0) & (row < pixels)
    jet = np.broadcast_to(np.arange(len(pt))[:, np.newaxis], pt.shape)
    flat = (jet * pixels + column) * pixels + row
    filled = np.bincount(flat[inside], weight[inside], minlength=len(pt) * pixels**2)
    return filled.reshape(len(pt), pixels, pixels).astype(np.float32)


def average_image(images: NDArray[np.float32], weight: NDArray[Any] | None = None) -> NDArray[np.float64]:
    """Average of images, by event weights if given.

    Args:
        images: (N, pixels, pixels).
        weight: (N,), or None for equal weights.

    Returns:
        float64 (pixels, pixels); zeros if there is no image.
    """
    if len(images) == 0:
        return np.zeros(images.shape[1:])
    return np.average(images, axis=0, weights=weight)
