"""Whether a new file has what a model learnt from: a feature that a reader had to fill with zeros says nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from jetlens.errors import FileError
from jetlens.events.impact_parameters import disagreement
from jetlens.features.batches import Batch
from jetlens.features.featurefile import FeatureMetadata, Part


def constant_features(
    buffers: Iterable[Batch], metadata: FeatureMetadata, streams: Sequence[str]
) -> dict[str, list[str]]:
    """Return, by stream, the features that have one value in all real tokens (``event``: in all events).

    Args:
        buffers: events, such as those of the training folds.
        metadata: names the features.
        streams: streams to look at, besides ``event``.
    """
    low: dict[str, Any] = {}
    high: dict[str, Any] = {}
    for buffer in buffers:
        for name in (*streams, "event"):
            values = buffer.inputs[name]
            real = buffer.inputs[f"{name}_mask"] if name != "event" else np.ones(len(values), bool)
            if real.any():
                low[name] = np.minimum(low.get(name, np.inf), values[real].min(axis=0))
                high[name] = np.maximum(high.get(name, -np.inf), values[real].max(axis=0))
    features = {
        name: (metadata.event if name == "event" else metadata.streams[name]).features for name in low
    }
    return {
        name: [f for f, same in zip(features[name], low[name] == high[name], strict=True) if same]
        for name in low
    }


def check_samples(parts: Sequence[Part], streams: Sequence[str], use_event: bool, variant: str) -> None:
    """Refuse to learn from what tells samples apart by how their files were made, not by their physics.

    Args:
        parts: of all samples of a training.
        streams: streams the variant reads.
        use_event: whether it reads the event vector.
        variant: its name.

    Raises:
        FileError: naming sample, part and feature, if some files lack a feature that others have; naming both samples,
            if the impact parameters of their tracks have different resolutions.
    """
    for name in (*streams, *(["event"] if use_event else [])):
        every = [part.metadata.lacks.get(name, {}) for part in parts]
        for part, lacks in zip(parts, every, strict=True):
            for feature, why in lacks.items():
                having = next(
                    (p for p, other in zip(parts, every, strict=True) if feature not in other), None
                )
                if having is not None:
                    raise FileError(
                        f"{part.path}: part '{part.metadata.part}' of sample '{part.metadata.sample}' has no "
                        f"'{feature}' (stream '{name}'): {why}, while sample '{having.metadata.sample}' has it, so "
                        f"'{variant}' would learn which file is which; use files that all have it, or leave the "
                        "feature out of the stream"
                    )
    for name in streams:
        told = [(p.metadata, about) for p in parts if (about := p.metadata.impact_parameters.get(name))]
        for metadata, about in told[1:]:
            if reason := disagreement(told[0][1], about):
                raise FileError(
                    f"samples '{told[0][0].sample}' and '{metadata.sample}' (part '{metadata.part}') differ in how "
                    f"well tracks are measured, {reason}, so '{variant}' (stream '{name}') would "
                    "learn which is which; set reading.impact_parameters so that they agree, or leave impact "
                    "parameters out of the stream"
                )


def check_presence(
    manifest: dict[str, Any], streams: list[str], metadata: FeatureMetadata, source: str
) -> None:
    """Refuse a file in which a feature is filled with zeros that told events apart in the training.

    What the training's files lacked in the same way, and the reader calculated alike (HT of jets, in formats without
    one), is as good here as there.

    Args:
        manifest: of the trained model.
        streams: streams the model reads, besides the event vector.
        metadata: of the file's features.
        source: the file, for the message.

    Raises:
        FileError: naming stream, feature, and what the file lacks; or how differently its tracks are measured.
    """
    constant, trained_lacks = manifest.get("constant_features", {}), manifest["features"].get("lacks", {})
    for name in (*streams, *(["event"] if manifest["options"]["use_event"] else [])):
        for feature, why in metadata.lacks.get(name, {}).items():
            alike = trained_lacks.get(name, {}).get(feature) == why
            if not alike and feature not in constant.get(name, []):
                raise FileError(
                    f"{source}: '{manifest['variant']}' learnt from '{feature}' (stream '{name}'), which this file has "
                    f"not: {why}; use a file that has it, or train without this feature"
                )
    for name in streams:
        trained, new = (
            about.get(name)
            for about in (manifest["features"]["impact_parameters"], metadata.impact_parameters)
        )
        if trained and new and (reason := disagreement(trained, new)):
            raise FileError(
                f"{source}: its tracks are not measured like those that '{manifest['variant']}' learnt from (stream "
                f"'{name}'): {reason}; use a file made like those of the training"
            )
