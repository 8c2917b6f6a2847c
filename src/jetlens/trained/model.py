"""Trained models, networks and trees alike: load one, score events."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from jetlens.config.models import GradientBoostingOptions, ModelOptions, model_file, stream_names
from jetlens.errors import FileError
from jetlens.features.batches import Arrays, pack, trim
from jetlens.features.featurefile import FeatureMetadata, FeatureSet, StreamMetadata
from jetlens.files import read_json
from jetlens.trained import runtime, trees


class TrainedModel(Protocol):
    """What evaluation, explanation and scoring see of a trained model.

    Attributes:
        manifest: what ``manifest.json`` says.
        parameters: number of trained numbers.
        streams: streams it reads.
        options: of its variant.
    """

    options: Any
    manifest: dict[str, Any]
    parameters: int
    streams: list[str]

    def predict_logits(self, features: FeatureSet, batch_size: int = 512) -> NDArray[np.float32]:
        """Return logits (N,) before the sigmoid.

        Raises:
            FileError: if the features are not those the model was trained on.
        """

    def predict_arrays(self, arrays: Arrays, metadata: FeatureMetadata) -> NDArray[np.float32]:
        """Return logits (N,) for inputs by name, whose features ``metadata`` names."""


class TrainedNetwork:
    """A Keras network with its manifest; ``model`` is the network itself."""

    def __init__(self, model: Any, manifest: dict[str, Any], options: ModelOptions) -> None:
        """Wrap a loaded network."""
        from jetlens.trained.predict import make_predict

        self.model = model
        self.manifest = manifest
        self.options = options
        self.parameters = int(manifest["parameters"])
        self.streams = stream_names(options)
        self._predict = make_predict(model)
        self._inputs = {tensor.name for tensor in model.inputs}

    def predict_logits(self, features: FeatureSet, batch_size: int = 512) -> NDArray[np.float32]:
        """Return logits (N,); see :class:`TrainedModel`."""
        return self.predict_arrays(input_arrays(features, self.streams), features.metadata, batch_size)

    def predict_arrays(
        self, arrays: Arrays, metadata: FeatureMetadata, batch_size: int = 512
    ) -> NDArray[np.float32]:
        """Return logits (N,) for inputs by name, whose features ``metadata`` names."""
        check_features(self.manifest, metadata, self.streams)
        number = len(arrays["event"])
        trimmed = [name for name in self.streams if metadata.streams[name].kind != "kinematics"]
        arrays = {name: array for name, array in arrays.items() if name in self._inputs}
        for name in trimmed:
            arrays[name], arrays[f"{name}_mask"] = pack(arrays[name], arrays[f"{name}_mask"])
        parts = []
        for start in range(0, number, batch_size):
            batch = {name: array[start : start + batch_size] for name, array in arrays.items()}
            parts.append(self._predict(trim(batch, trimmed)))
        return np.concatenate(parts) if parts else np.zeros(0, np.float32)


class TrainedTrees:
    """Gradient-boosted trees with their manifest."""

    def __init__(
        self, booster: Any, manifest: dict[str, Any], options: GradientBoostingOptions, threads: int = 1
    ) -> None:
        """Wrap loaded trees."""
        self.booster = booster
        self.manifest = manifest
        self.parameters = int(manifest["parameters"])
        self.streams = stream_names(options)
        self.options = options
        self.threads = threads

    def predict_logits(self, features: FeatureSet, batch_size: int = 4096) -> NDArray[np.float32]:
        """Return logits (N,); see :class:`TrainedModel`."""
        return self.predict_arrays(input_arrays(features, self.streams), features.metadata, batch_size)

    def predict_arrays(
        self, arrays: Arrays, metadata: FeatureMetadata, batch_size: int = 4096
    ) -> NDArray[np.float32]:
        """Return logits (N,) for inputs by name, whose features ``metadata`` names."""
        check_features(self.manifest, metadata, self.streams)
        parts = [np.zeros(0, np.float32)]
        for start in range(0, len(arrays["event"]), batch_size):
            batch = {name: array[start : start + batch_size] for name, array in arrays.items()}
            parts.append(trees.logits(self.booster, trees.columns(batch, self.options), self.threads))
        return np.concatenate(parts)

    def contributions(self, features: FeatureSet) -> tuple[list[str], NDArray[np.float64]]:
        """Return what each column is, and its share of the logits (N, C + 1), the last one the training's mean.

        Raises:
            FileError: if the features are not those the model was trained on.
        """
        check_features(self.manifest, features.metadata, self.streams)
        arrays = input_arrays(features, self.streams)
        slots = {name: arrays[name].shape[1] for name in self.streams}
        names = trees.column_names(features.metadata, self.options, slots)
        return names, trees.contributions(self.booster, trees.columns(arrays, self.options), self.threads)


def load_model(directory: str | os.PathLike[str], threads: int = 1) -> TrainedNetwork | TrainedTrees:
    """Load what the training stage wrote; nothing is unpickled, no code of the file is run.

    Args:
        directory: ``training/<variant>/seed<k>``.
        threads: threads for one operation.

    Raises:
        FileError: if a file is missing or damaged.
    """
    folder = Path(directory)
    try:
        manifest = read_json(folder / "manifest.json")
        options: Any = TypeAdapter(ModelOptions).validate_python(manifest["options"])
    except (OSError, ValueError, KeyError) as error:
        why = "manifest.json is missing" if isinstance(error, FileNotFoundError) else str(error)
        raise FileError(f"{folder}: holds no trained model ({why}); run the training stage first") from error
    path = folder / model_file(options)
    if isinstance(options, GradientBoostingOptions):
        return TrainedTrees(trees.read(path), manifest, options, threads)
    runtime.configure_default(str(manifest["backend"]), threads)
    import keras

    import jetlens.models.registry  # noqa: F401  (registers the layers that the file names)

    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FileError(f"{path}: cannot be loaded as a Keras model: {error}; train it again") from error
    return TrainedNetwork(model, manifest, options)


def input_arrays(features: FeatureSet, streams: list[str]) -> Arrays:
    """Return the arrays a model reads, by the names of its inputs."""
    arrays: Arrays = {"event": features.event}
    for name in streams:
        arrays |= {name: features.streams[name], f"{name}_mask": features.masks[name]}
    return arrays


def check_features(manifest: dict[str, Any], metadata: FeatureMetadata, streams: list[str]) -> None:
    """Refuse features that differ in name, order or alignment from those a model was trained on.

    Raises:
        FileError: naming the stream and the first feature, or the alignment, that differs.
    """
    trained = manifest["features"]
    pairs = [(name, trained["streams"][name], metadata.streams.get(name)) for name in streams]
    for name, expected, found in [*pairs, ("event", trained["event"], metadata.event)]:
        wanted = StreamMetadata.model_validate(expected)
        if found is None:
            raise FileError(
                f"features of '{metadata.sample}': stream '{name}' is missing, which '{manifest['variant']}' reads"
            )
        if found.alignment != wanted.alignment:
            raise FileError(
                f"features of '{metadata.sample}': stream '{name}' has alignment '{found.alignment}' where "
                f"'{manifest['variant']}' was trained on '{wanted.alignment}'; make the features with the same config"
            )
        for key in ("features", "tokens"):
            a, b = getattr(wanted, key), getattr(found, key)
            if a != b:
                differs = next(
                    (f"'{y}' for '{x}'" for x, y in zip(a, b, strict=False) if x != y), f"{len(b)} {key}"
                )
                raise FileError(
                    f"features of '{metadata.sample}': stream '{name}' has {differs} where '{manifest['variant']}' "
                    f"was trained on {len(a)} {key} ({', '.join(a)}); make the features with the same config"
                )
