"""Whether a new file has what a model learnt from: a feature that a reader had to fill with zeros says nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from jetlens.errors import FileError
from jetlens.training.data import Dataset

FILLED = {
    "b_tag": ("b_tag", "n_matched_b_tags", "n_b_jets"),
    "tau": ("tau21", "tau32", "tau43"),
    "tau1": ("tau21",),
    "tau2": ("tau21", "tau32"),
    "tau3": ("tau32", "tau43"),
    "tau4": ("tau43",),
    "soft_drop_mass": ("log_soft_drop_mass",),
    "area": ("area",),
    "n_charged": ("n_charged", "n_constituents"),
    "n_neutrals": ("n_constituents",),
    "charge": ("charge",),
    "d0": ("d0", "tanh_d0", "d0_significance"),
    "d0_error": ("d0_significance",),
    "dz": ("dz", "tanh_dz", "dz_significance"),
    "dz_error": ("dz_significance",),
}
"""Features made of a column; columns as the readers name them in the cutflow's ``conventions``: after the name of the
collection, where ``constituents`` stands for the streams of that kind and any other for all the rest."""


def constant_features(data: Dataset, streams: Sequence[str]) -> dict[str, list[str]]:
    """Return, by stream, the features that have one value in all real tokens (``event``: in all events).

    Args:
        data: events, such as the training folds; one pass over them.
        streams: streams to look at, besides ``event``.
    """
    low: dict[str, Any] = {}
    high: dict[str, Any] = {}
    for buffer in data.buffers():
        for name in (*streams, "event"):
            values = buffer.inputs[name]
            real = buffer.inputs[f"{name}_mask"] if name != "event" else np.ones(len(values), bool)
            if real.any():
                low[name] = np.minimum(low.get(name, np.inf), values[real].min(axis=0))
                high[name] = np.maximum(high.get(name, -np.inf), values[real].max(axis=0))
    metadata = data.metadata
    features = {
        name: (metadata.event if name == "event" else metadata.streams[name]).features for name in low
    }
    return {
        name: [f for f, same in zip(features[name], low[name] == high[name], strict=True) if same]
        for name in low
    }


def check_presence(
    manifest: dict[str, Any], streams: list[str], conventions: dict[str, str], source: str
) -> None:
    """Refuse a file in which a feature is filled with zeros that told events apart in the training.

    Args:
        manifest: of the trained model.
        streams: streams the model reads, besides the event vector.
        conventions: what the reader assumed, from the file's cutflow.
        source: the file, for the message.

    Raises:
        FileError: naming stream, feature, and what the file lacks.
    """
    trained = manifest["features"]
    constant = manifest.get("constant_features", {})
    for topic, convention in conventions.items():
        if not convention.startswith("0, as "):
            continue
        for name in (*streams, *(["event"] if manifest["options"]["use_event"] else [])):
            stream = trained["event"] if name == "event" else trained["streams"][name]
            if (stream["kind"] == "constituents") != topic.startswith("constituents."):
                continue
            features = stream["features"]
            for feature in FILLED.get(topic.split(".")[-1], ()):
                if feature in features and feature not in constant.get(name, []):
                    raise FileError(
                        f"{source}: '{manifest['variant']}' learnt from '{feature}' (stream '{name}'), which this "
                        f"file has not: {topic} is {convention.replace('0, as', 'taken as 0, as')}; use a file that "
                        "has it, or train without this feature"
                    )
