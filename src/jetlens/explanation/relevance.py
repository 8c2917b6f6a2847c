"""What an explainer returns, and the file ``explanation/<variant>/<method>.npz`` it is stored in: one layout for all.

Axes: S trainings, M maps, N events, T slots of all streams side by side, E event features, J streams.

==================  ==================  =====================================================================
``method``          str ()              name in the registry
``signed``          bool ()             True: positive speaks for signal, negative for background
``maps``            str (M,)            names of the maps; the first is the method's answer
``value``           float32 (S,M,N,T)   relevance of each token, zero in padded slots
``event_value``     float32 (S,M,N,E)   relevance of each event feature, zero where a model reads none
``error``           float32 (S,M,N,T)   standard error of ``value``; only of methods that sample
``mask``            bool (N,T)          True where a token is real
``slot_stream``     int64 (T,)          the stream a slot belongs to
``streams``         str (J,)            names of the streams; ``kinds`` (J,) and ``alignment`` (J,) from their files
``tokens``          str (T,)            what a slot is, where tokens are not interchangeable; else empty
``event_features``  str (E,)            names
``eta``, ``phi``    float32 (N,T)       place from the jet's axis (φ in rad), NaN where a stream has none
``log_pt``          float32 (N,T)       ln(pT / GeV), NaN where a stream has none
``type``            int8 (N,T)          1 track, 2 photon, 3 neutral hadron, 0 where not known
``d0``              float32 (N,T)       significance of the transverse impact parameter, NaN where a stream has none
``axis_eta``        float32 (N,J)       of the fat jet whose constituents a stream holds (``axis_phi`` in rad), NaN
                                        where the model reads no kinematic tokens that tell
``class``           int8 (N,)           1 signal, 0 background
``weight``          float64 (N,)        expected events
``event_number``    int64 (N,)          as in the input file
``logit``           float32 (S,N)       of each training
``seeds``           int64 (S,)          of the trainings
==================  ==================  =====================================================================

Further arrays are a method's own: ``residual`` (S,M,N) of integrated gradients, what heads look at of attention.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jetlens.errors import FileError
from jetlens.explanation.maps import has_positions
from jetlens.features.featurefile import FeatureSet
from jetlens.files import atomic_path

Floats = NDArray[np.float64]
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Relevance:
    """What one explainer says of one model.

    Attributes:
        maps: names of the M maps; the first is the method's answer.
        value: (M, N, T), slots of the model's streams side by side, zero in padded ones.
        event_value: (M, N, E), zero where the method or the model knows none.
        error: (M, N, T) standard errors, of methods that sample.
        per_event: further arrays (M, N), such as the residual of an integral.
        extra: further arrays, the same for all trainings: kept of the first one.
    """

    maps: tuple[str, ...]
    value: Floats
    event_value: Floats
    error: Floats | None = None
    per_event: Arrays = field(default_factory=dict)
    extra: Arrays = field(default_factory=dict)


def layout(features: FeatureSet, streams: Sequence[str]) -> Arrays:
    """Return the arrays of the module's table that tell of events and tokens, not of their relevance."""
    described = [features.metadata.streams[name] for name in streams]
    slots = [features.masks[name].shape[1] for name in streams]
    names = [list(d.tokens) or [""] * n for d, n in zip(described, slots, strict=True)]
    return {
        "mask": np.concatenate([features.masks[name] for name in streams], axis=1),
        "slot_stream": np.repeat(np.arange(len(streams)), slots),
        "streams": np.array(list(streams)),
        "kinds": np.array([d.kind for d in described]),
        "alignment": np.array([d.alignment for d in described]),
        "tokens": np.array([name for part in names for name in part]),
        "event_features": np.array(features.metadata.event.features, dtype=np.str_),
        "eta": _joined(features, streams, "delta_eta", placed=True),
        "phi": _joined(features, streams, "delta_phi", placed=True),
        "log_pt": _joined(features, streams, "log_pt", placed=False),
        "type": _types(features, streams),
        "d0": _joined(features, streams, "d0_significance", placed=False),
        **_axes(features, streams),
        "class": features.label,
        "weight": features.weight,
        "event_number": features.event_number,
    }


def _joined(features: FeatureSet, streams: Sequence[str], name: str, placed: bool) -> NDArray[np.float32]:
    parts = []
    for stream in streams:
        names, mask = features.metadata.streams[stream].features, features.masks[stream]
        known = has_positions(features, stream) if placed else name in names
        values = features.streams[stream][..., names.index(name)] if known else np.float32(np.nan)
        parts.append(np.where(mask, values, np.float32(np.nan)).astype(np.float32))
    return np.concatenate(parts, axis=1)


def _types(features: FeatureSet, streams: Sequence[str]) -> NDArray[np.int8]:
    parts = []
    for stream in streams:
        names, mask = features.metadata.streams[stream].features, features.masks[stream]
        kind = np.zeros(mask.shape, dtype=np.int8)
        for number, name in enumerate(TYPES, 1):
            if name in names:
                kind[features.streams[stream][..., names.index(name)] > 0.5] = number
        parts.append(np.where(mask, kind, np.int8(0)))
    return np.concatenate(parts, axis=1)


def _axes(features: FeatureSet, streams: Sequence[str]) -> Arrays:
    """Return where the fat jets point whose constituents the streams hold: the n-th of them is that of jet n."""
    axes = np.full((2, len(features), len(streams)), np.nan, dtype=np.float32)
    jets = [j for j, name in enumerate(streams) if has_positions(features, name)]
    for name in streams:
        described = features.metadata.streams[name]
        if described.kind != "kinematics" or not {"eta", "sin_phi", "cos_phi"} <= set(described.features):
            continue
        for number, j in enumerate(jets):
            if f"fat_jets[{number}]" in described.tokens:
                token = features.streams[name][:, described.tokens.index(f"fat_jets[{number}]")]
                eta, sine, cosine = (
                    token[:, described.features.index(f)] for f in ("eta", "sin_phi", "cos_phi")
                )
                axes[:, :, j] = eta, np.arctan2(sine, cosine)
    return {"axis_eta": axes[0], "axis_phi": axes[1]}


TYPES = ("is_track", "is_photon", "is_neutral_hadron")


def assemble(
    method: str,
    signed: bool,
    results: Sequence[Relevance],
    logits: Floats,
    seeds: Sequence[int],
    about: Arrays,
) -> Arrays:
    """Return the arrays of the module's table.

    Args:
        method: name in the registry.
        signed: whether the sign of a value means something.
        results: one per training, same events.
        logits: (S, N).
        seeds: (S,) of the trainings.
        about: from :func:`layout`.
    """
    arrays: Arrays = {
        "method": np.array(method),
        "signed": np.array(signed),
        "maps": np.array(results[0].maps),
        "value": np.stack([r.value for r in results]).astype(np.float32),
        "event_value": np.stack([r.event_value for r in results]).astype(np.float32),
        "logit": np.asarray(logits, dtype=np.float32),
        "seeds": np.array(seeds),
    }
    errors = [r.error for r in results if r.error is not None]
    if errors:
        arrays["error"] = np.stack(errors).astype(np.float32)
    for name in results[0].per_event:
        arrays[name] = np.stack([r.per_event[name] for r in results]).astype(np.float32)
    return arrays | about | results[0].extra


def write_relevance(path: str | os.PathLike[str], arrays: Arrays) -> None:
    """Write a file of the module's table, atomically, compressed."""
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, **arrays)


def read_relevance(path: str | os.PathLike[str]) -> Arrays:
    """Read a file of the module's table; nothing is ever unpickled.

    Raises:
        FileError: if the file is missing, damaged or none of an explainer.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = dict(archive)
    except FileNotFoundError as error:
        raise FileError(f"{path}: does not exist; run the explanation stage first") from error
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise FileError(f"{path}: is damaged: {error}; run the explanation stage again") from error
    missing = [key for key in ("method", "maps", "value", "mask") if key not in arrays]
    if missing:
        raise FileError(
            f"{path}: is no file of an explainer, '{missing[0]}' is missing; run the explanation stage again"
        )
    return arrays
