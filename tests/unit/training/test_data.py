"""Events reach the training as they stand in the files: right folds, weights, masks, in memory or streamed."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jetlens.errors import FileError, NoEventsError
from jetlens.features.batches import join, pack, trim
from jetlens.features.featurefile import FeatureSet, Part
from jetlens.features.normalisation import Normalisation
from jetlens.training.data import Dataset

STREAMS = ["jet1", "kinematics", "objects"]


def key(inputs: dict[str, Any]) -> Any:
    """Tell events apart by their kinematics, which nothing trims or packs."""
    return inputs["kinematics"].reshape(len(inputs["kinematics"]), -1).sum(axis=1, dtype=np.float64)


def test_rows_are_those_of_the_file(files: list[Path]) -> None:
    whole = FeatureSet.read(files[0])
    part = Part(files[0], STREAMS)
    rows = part.rows(7, 30)
    for name in STREAMS:
        assert np.array_equal(rows[name], whole.streams[name][7:30])
        assert np.array_equal(rows[f"{name}_mask"], whole.masks[name][7:30])
    assert np.array_equal(rows["event"], whole.event[7:30])
    assert np.array_equal(part.per_event("label"), whole.label)


def copied(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def test_compressed_files_read_the_same(files: list[Path], tmp_path: Path) -> None:
    copy = copied(files[0], tmp_path)
    for path in copy.iterdir():
        with np.load(path, allow_pickle=False) as archive:
            np.savez_compressed(path, **dict(archive))
    packed, plain = Part(copy, STREAMS), Part(files[0], STREAMS)
    for name, array in plain.rows(100, 140).items():
        assert np.array_equal(packed.rows(100, 140)[name], array)


def test_only_files_of_wanted_streams_are_opened(files: list[Path], tmp_path: Path) -> None:
    copy = copied(files[0], tmp_path)
    (copy / "jet2.npz").write_bytes(b"nothing of the kind")
    Part(copy, STREAMS)
    with pytest.raises(FileError, match=r"jet2\.npz: is not a feature file"):
        Part(copy, ["jet2"])


def test_folds_are_kept_apart(files: list[Path]) -> None:
    everything = FeatureSet.join([FeatureSet.read(f) for f in files])
    metadata = everything.metadata
    wanted = {
        "validation": metadata.validation_folds,
        "test": metadata.test_folds,
        "training": sorted(
            set(range(metadata.folds))
            - {*metadata.validation_folds, *metadata.test_folds, *metadata.locked_folds}
        ),
    }
    for role, folds in wanted.items():
        data = Dataset(files, STREAMS, role)  # type: ignore[arg-type]
        here = join(list(data.buffers())).inputs
        chosen = np.isin(everything.fold, folds)
        expected = key({"kinematics": everything.streams["kinematics"][chosen]})
        assert np.array_equal(
            np.sort(key(here)), np.sort(expected)
        )  # parts are read in an order of their own
        assert len(data) == chosen.sum()


def test_rotated_folds_use_every_event_once_as_test(files: list[Path]) -> None:
    """Cross-validation: other lists than the metadata's, over which each event is tested on once."""
    metadata = FeatureSet.read(files[0]).metadata
    number = metadata.folds - len(metadata.locked_folds)  # the last ones are locked: no role has them
    total = sum(int((FeatureSet.read(f).fold < number).sum()) for f in files)
    tested = []
    for fold in range(number):
        lists = ([(fold + 1) % number], [fold])
        sizes = {
            role: len(Dataset(files, STREAMS, role, folds=lists))
            for role in ("training", "validation", "test")
        }  # type: ignore[arg-type]
        assert sum(sizes.values()) == total
        tested.append(sizes["test"])
    assert sum(tested) == total


def test_the_order_of_files_changes_no_batch(files: list[Path]) -> None:
    orders = [Dataset(order, STREAMS, "training") for order in (files, files[::-1])]
    for first, second in zip(*(d.batches(64, np.random.default_rng(1)) for d in orders), strict=True):
        assert np.array_equal(first.label, second.label)
        assert np.array_equal(first.weight, second.weight)
        assert all(np.array_equal(first.inputs[name], second.inputs[name]) for name in first.inputs)


@pytest.mark.parametrize("weights", ["unit", "physics"])
def test_classes_weigh_the_same(files: list[Path], normalisation: Normalisation, weights: Any) -> None:
    data = Dataset(files, STREAMS, "training", weights, normalisation=normalisation)
    batch = join(list(data.buffers()))
    assert batch.weight[batch.label == 1].sum() == pytest.approx(len(data) / 2, rel=1e-5)
    assert batch.weight[batch.label == 0].sum() == pytest.approx(len(data) / 2, rel=1e-5)
    different = len(np.unique(batch.weight[batch.label == 0]))
    assert different == 1 if weights == "unit" else different > 1


def test_streaming_sees_every_event_once_per_epoch(files: list[Path]) -> None:
    held = Dataset(files, STREAMS, "training")
    streamed = Dataset(files, STREAMS, "training", memory_gb=0.001)
    assert streamed.streamed
    assert not held.streamed
    expected = np.sort(key(join(list(held.buffers())).inputs))
    for epoch in range(2):
        batches = list(streamed.batches(32, np.random.default_rng([1, epoch])))
        assert len(list(streamed.buffers(np.random.default_rng(1)))) > 5
        assert np.array_equal(np.sort(np.concatenate([key(b.inputs) for b in batches])), expected)
        labels = [b.label.mean() for b in batches if len(b) == 32]
        assert min(labels) < 0.999  # files are mixed, though each holds one class only
        assert max(labels) > 0.001


def test_order_depends_on_the_seed_alone(files: list[Path]) -> None:
    def order(seed: int) -> Any:
        return np.concatenate([key(b.inputs) for b in data.batches(32, np.random.default_rng(seed))])

    data = Dataset(files, STREAMS, "training")
    assert np.array_equal(order(1), order(1))
    assert not np.array_equal(order(1), order(2))


def test_no_fold_without_signal(files: list[Path]) -> None:
    with pytest.raises(NoEventsError, match="training folds hold no signal"):
        Dataset(files[1:], STREAMS, "training")


def test_files_of_different_configs_do_not_mix(files: list[Path], tmp_path: Path) -> None:
    features = FeatureSet.read(files[1])
    about = features.metadata.model_copy(update={"folds": 11})
    dataclasses.replace(features, metadata=about).write(tmp_path)
    with pytest.raises(FileError, match="folds differ"):
        Dataset([files[0], tmp_path], STREAMS, "training")


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 9))
@settings(max_examples=40, deadline=None)
def test_packing_and_trimming_lose_nothing(seed: int, events: int, tokens: int) -> None:
    rng = np.random.default_rng(seed)
    real = rng.random((events, tokens)) < 0.5
    values = rng.normal(size=(events, tokens, 2)) * real[..., None]
    packed, packed_real = pack(values, real)
    short = trim({"s": packed, "s_mask": packed_real}, ["s"])
    assert short["s"].shape[1] == max(1, real.sum(axis=1).max())
    for i in range(events):
        assert np.array_equal(short["s"][i][short["s_mask"][i]], values[i][real[i]])
