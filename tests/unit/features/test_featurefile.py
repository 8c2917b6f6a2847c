from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jetlens.errors import FileError
from jetlens.features.featurefile import (
    SCHEMA_VERSION,
    FeatureMetadata,
    FeatureSet,
    StreamMetadata,
    concatenate,
    read_features,
    read_metadata,
    write_features,
    write_pieces,
)


def make(events: int, seed: int = 0) -> FeatureSet:
    rng = np.random.default_rng(seed)
    mask = np.arange(4) < rng.integers(0, 5, (events, 1))
    return FeatureSet(
        streams={"jet": (rng.normal(size=(events, 4, 2)) * mask[..., np.newaxis]).astype(np.float32)},
        masks={"jet": mask},
        event=rng.normal(size=(events, 1)).astype(np.float32),
        label=np.ones(events, dtype=np.int8),
        weight=rng.random(events),
        event_number=np.arange(events),
        fold=np.zeros(events, dtype=np.uint8),
        metadata=FeatureMetadata(
            schema_version=SCHEMA_VERSION,
            sample="s",
            process="p",
            role="signal",
            part="a",
            streams={"jet": StreamMetadata(kind="constituents", features=["x", "y"], units=["", "GeV"])},
            event=StreamMetadata(kind="event", features=["ht"], units=["GeV"]),
            folds=5,
            test_folds=[0],
            validation_folds=[1],
        ),
    )


def same(first: FeatureSet, second: FeatureSet) -> bool:
    names = ("event", "label", "weight", "event_number", "fold")
    pairs = [(getattr(first, name), getattr(second, name)) for name in names]
    pairs += [(first.streams["jet"], second.streams["jet"]), (first.masks["jet"], second.masks["jet"])]
    return (
        all(np.array_equal(a, b) and a.dtype == b.dtype for a, b in pairs)
        and first.metadata == second.metadata
    )


@pytest.mark.parametrize("events", [0, 7])
def test_round_trip(tmp_path: Path, events: int) -> None:
    write_features(tmp_path / "a.npz", make(events))
    assert same(read_features(tmp_path / "a.npz"), make(events))
    assert read_metadata(tmp_path / "a.npz") == make(events).metadata
    with np.load(tmp_path / "a.npz", allow_pickle=False) as archive:
        assert set(archive.files) >= {"jet", "jet_mask", "metadata"}


def test_pieces_equal_the_whole_byte_by_byte(tmp_path: Path) -> None:
    pieces = [make(3, 1), make(0, 2), make(5, 3)]
    write_pieces(tmp_path / "pieces.npz", 8, iter(pieces))
    write_features(tmp_path / "whole.npz", concatenate(pieces))
    assert (tmp_path / "pieces.npz").read_bytes() == (tmp_path / "whole.npz").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["pieces.npz", "whole.npz"]


def test_nothing_is_left_of_a_failed_write(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="3 of 8 events"):
        write_pieces(tmp_path / "a.npz", 8, [make(3)])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"weight": np.full(4, np.nan)}, "not finite"),
        ({"label": np.ones(4)}, "expected int8"),
        ({"masks": {"jet": np.zeros((4, 4), dtype=bool)}}, "values in padded slots"),
        ({"event": np.zeros((4, 3), dtype=np.float32)}, r"expected float32 \(4, 1\)"),
    ],
)
def test_broken_contracts_are_refused(tmp_path: Path, change: dict, expected: str) -> None:
    with pytest.raises(FileError, match=expected):
        write_features(tmp_path / "a.npz", replace(make(4), **change))
    assert not list(tmp_path.iterdir())


def rewrite(path: Path, drop: str = "", **arrays: object) -> None:
    with np.load(path) as archive:
        content = {name: archive[name] for name in archive.files if name != drop}
    np.savez(path, **(content | arrays))


def test_missing_mask_and_other_versions(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    write_features(path, make(4))
    rewrite(path, drop="jet_mask")
    with pytest.raises(FileError, match="the mask of a stream 'jet_mask' is missing"):
        read_features(path)
    write_features(path, make(4))
    rewrite(
        path, metadata=np.array(make(4).metadata.model_copy(update={"schema_version": 99}).model_dump_json())
    )
    with pytest.raises(FileError, match="has schema version 99, this jetlens reads version 1"):
        read_features(path)
    rewrite(path, drop="metadata")
    with pytest.raises(FileError, match="has no 'metadata'"):
        read_metadata(path)


def test_pickles_are_never_loaded(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    write_features(path, make(4))
    rewrite(path, weight=np.array([{"a": 1}] * 4, dtype=object))
    with pytest.raises(FileError, match="pickled"):
        read_features(path)


def test_things_that_are_no_feature_files(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="run the features stage first"):
        read_features(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(FileError, match="is not a feature file"):
        read_features(tmp_path / "text.npz")
    write_features(tmp_path / "a.npz", make(4))
    with pytest.raises(FileError, match="has no stream 'jte'"):
        read_features(tmp_path / "a.npz", ["jte"])


def test_sets_with_other_features_do_not_join() -> None:
    other = make(2).metadata.model_copy(update={"streams": {}})
    with pytest.raises(FileError, match="differ"):
        concatenate([make(2), replace(make(2), metadata=other)])
