"""Small events, and networks of every kind on them: untrained ones, as explanations of random weights are as exact."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jetlens.features.featurefile import FeatureMetadata, FeatureSet, StreamMetadata

CONSTITUENTS = [
    "delta_eta",
    "delta_phi",
    "log_pt",
    "d0_significance",
    "is_track",
    "is_photon",
    "is_neutral_hadron",
]
KINEMATICS = ["log_pt", "eta", "log_mass"]
BLOCK = {"layers": 1, "heads": 2, "feed_forward": 12}
SIZES = {"width": 8, "embedding": [8], "head": [8], "dropout": 0.0}
OPTIONS: dict[str, dict[str, Any]] = {
    "self_attention": {"kind": "self_attention", "stream": "jet1", "encoder": BLOCK | {"layers": 2}, **SIZES},
    "cross_attention": {
        "kind": "cross_attention_three_stream",
        "encoders": dict.fromkeys(("jet1", "jet2", "kinematics"), BLOCK),
        "query": "kinematics",
        "share_encoders": True,
        "cross": BLOCK | {"layers": 2},
        "pooling": "flatten",
        "use_event": True,
        "bins": 4,
        **SIZES,
    },
    "two_stream": {
        "kind": "cross_attention_two_stream",
        "encoders": dict.fromkeys(("jet1", "kinematics"), BLOCK),
        "query": "kinematics",
        "join_pooled": True,
        **SIZES,
    },
    "concatenation": {
        "kind": "concatenation",
        "encoders": dict.fromkeys(("jet1", "kinematics"), BLOCK),
        "pooling": "class_attention",
        **SIZES,
    },
    "analysis_object": {
        "kind": "analysis_object",
        "stream": "jet1",
        "encoder": BLOCK,
        "class_attention": BLOCK | {"layers": 2},
        **SIZES,
    },
    "particle_transformer": {
        "kind": "particle_transformer",
        "streams": ["jet1", "jet2"],
        "encoder": BLOCK,
        "class_attention": BLOCK,
        "pair_embedding": [4],
        **SIZES,
    },
    "kinematics_mlp": {"kind": "kinematics_mlp", "streams": ["kinematics"], "use_event": True, "head": [8]},
}


def toy_events(number: int = 6, slots: int = 7, seed: int = 0) -> FeatureSet:
    """Two jets of a few constituents each, three kinematic tokens, two event features."""
    rng = np.random.default_rng(seed)
    streams, masks = {}, {}
    for name in ("jet1", "jet2"):
        real = np.arange(slots) < rng.integers(3, slots + 1, number)[:, None]
        values = rng.normal(size=(number, slots, len(CONSTITUENTS))).astype(np.float32)
        values[..., :2] *= 0.3
        values[..., 4:] = np.eye(3, dtype=np.float32)[rng.integers(0, 3, (number, slots))]
        streams[name], masks[name] = values * real[..., None], real
    streams["kinematics"] = rng.normal(size=(number, 3, len(KINEMATICS))).astype(np.float32)
    masks["kinematics"] = np.ones((number, 3), dtype=bool)
    described = {
        name: StreamMetadata(kind="constituents", features=CONSTITUENTS, units=[""] * len(CONSTITUENTS))
        for name in ("jet1", "jet2")
    }
    described["kinematics"] = StreamMetadata(
        kind="kinematics",
        features=KINEMATICS,
        units=[""] * len(KINEMATICS),
        tokens=["fat_jets[0]", "fat_jets[1]", "fat_jets[0]+fat_jets[1]"],
    )
    metadata = FeatureMetadata(
        sample="toy",
        part="toy",
        streams=described,
        event=StreamMetadata(kind="event", features=["log_ht", "log_met"], units=["", ""]),
        folds=10,
        test_folds=[0],
        validation_folds=[1],
    )
    return FeatureSet(
        streams=streams,
        masks=masks,
        event=rng.normal(size=(number, 2)).astype(np.float32),
        label=(np.arange(number) % 2).astype(np.int8),
        weight=rng.uniform(0.5, 2, number),
        event_number=np.arange(number, dtype=np.int64),
        fold=np.zeros(number, np.uint8),
        metadata=metadata,
    )


@pytest.fixture(scope="session")
def events() -> FeatureSet:
    return toy_events()


@pytest.fixture(scope="session")
def network_of_kind(events: FeatureSet) -> Callable[[str], Any]:
    """Return a network of a kind, made once, as if it had been trained."""
    from pydantic import TypeAdapter

    from jetlens.config.models import ModelOptions
    from jetlens.trained import runtime
    from jetlens.trained.model import TrainedNetwork

    made: dict[str, Any] = {}

    def make(name: str) -> Any:
        if name not in made:
            runtime.configure_default("tensorflow")
            import keras

            from jetlens.models.registry import build_model

            keras.utils.set_random_seed(3)
            options = TypeAdapter(ModelOptions).validate_python(OPTIONS[name])
            network = build_model(options, events.metadata)
            rng = np.random.default_rng(1)
            for variable in network.trainable_variables:  # away from where nothing depends on anything
                variable.assign(np.asarray(variable) + 0.3 * rng.normal(size=variable.shape))
            manifest = {"variant": name, "parameters": 0, "seed": 1, "features": events.metadata.model_dump()}
            made[name] = TrainedNetwork(network, manifest, options)
        return made[name]

    return make


@pytest.fixture(scope="session")
def toy_parts(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Feature files of toy events, all in the test fold."""
    folder = tmp_path_factory.mktemp("toy_features") / "toy" / "toy"
    toy_events(number=30, seed=7).write(folder)
    return [folder]


@pytest.fixture(scope="session")
def toy_normalisation() -> Any:
    from jetlens.features.normalisation import Normalisation, SampleNormalisation

    return Normalisation(luminosity_fb=1.0, samples={"toy": SampleNormalisation(process="toy", scale=2.0)})


@pytest.fixture(scope="session")
def toy_models(network_of_kind: Callable[[str], Any], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two networks as the training stage writes them."""
    from jetlens.files import write_json

    model = network_of_kind("cross_attention")
    rng, folders = np.random.default_rng(5), []
    for seed in (1, 2):
        folder = tmp_path_factory.mktemp("toy_models") / f"seed{seed}"
        folder.mkdir()
        model.model.save(folder / "model.keras")
        options = model.options.model_dump(mode="json")
        write_json(
            folder / "manifest.json",
            model.manifest | {"seed": seed, "options": options, "backend": "tensorflow"},
        )
        folders.append(folder)
        if seed == 1:
            before = model.model.get_weights()
            for variable in model.model.trainable_variables:
                variable.assign(np.asarray(variable) + 0.1 * rng.normal(size=variable.shape))
    model.model.set_weights(before)
    return folders


@pytest.fixture(scope="session")
def toy_trees(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Trees as the training stage writes them."""
    import lightgbm
    from pydantic import TypeAdapter

    from jetlens.config.models import ModelOptions
    from jetlens.files import write_json
    from jetlens.trained import trees
    from jetlens.trained.model import input_arrays

    content = {"kind": "gradient_boosting", "streams": ["kinematics"]}
    options = TypeAdapter(ModelOptions).validate_python(content)
    events = toy_events(number=200, seed=9)
    columns = trees.columns(input_arrays(events, ["kinematics"]), options)
    target = (columns[:, 0] + columns[:, 4] ** 2 + columns[:, -1] > 1).astype(int)
    settings = {"objective": "binary", "num_leaves": 6, "verbosity": -1, "num_threads": 1}
    booster = lightgbm.train(settings, lightgbm.Dataset(columns, target), 10)
    folder = tmp_path_factory.mktemp("toy_trees") / "seed1"
    folder.mkdir()
    (folder / "model.txt").write_text(booster.model_to_string())
    manifest = {"variant": "trees", "parameters": 0, "seed": 1, "features": events.metadata.model_dump()}
    write_json(
        folder / "manifest.json",
        manifest | {"options": options.model_dump(mode="json"), "backend": "tensorflow"},
    )
    return [folder]
