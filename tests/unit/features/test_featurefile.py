from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jetlens.errors import FileError
from jetlens.features.featurefile import (
    SCHEMA_VERSION,
    FeatureMetadata,
    FeatureSet,
    StreamMetadata,
    TokenMetadata,
    write_stream,
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
            sample="s",
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
    make(events).write(tmp_path)
    assert same(FeatureSet.read(tmp_path), make(events))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["event.npz", "jet.npz"]
    with np.load(tmp_path / "jet.npz", allow_pickle=False) as archive:
        assert set(archive.files) == {"values", "mask", "metadata"}
    with np.load(tmp_path / "event.npz", allow_pickle=False) as archive:
        expected = {"event", "weight", "event_number", "fold", "class", "metadata"}
        assert set(archive.files) == expected


def test_files_hold_nothing_that_a_cross_section_changes(tmp_path: Path) -> None:
    make(4).write(tmp_path)
    for path in tmp_path.iterdir():
        with np.load(path, allow_pickle=False) as archive:
            about = json.loads(str(archive["metadata"]))
        assert not {"process", "role", "luminosity_fb", "cross_section_pb"} & set(about)


def stream_metadata(events: int) -> TokenMetadata:
    stream = make(events).metadata.streams["jet"]
    return TokenMetadata(schema_version=SCHEMA_VERSION, sample="s", part="a", stream=stream, recipe={})


def arrays(features: FeatureSet) -> dict[str, Any]:
    return {"values": features.streams["jet"], "mask": features.masks["jet"]}


def test_pieces_equal_the_whole_byte_by_byte(tmp_path: Path) -> None:
    pieces = [make(3, 1), make(0, 2), make(5, 3)]
    write_stream(tmp_path / "pieces" / "jet.npz", 8, map(arrays, pieces), stream_metadata(8))
    FeatureSet.join(pieces).write(tmp_path / "whole")
    assert (tmp_path / "pieces" / "jet.npz").read_bytes() == (tmp_path / "whole" / "jet.npz").read_bytes()
    assert [p.name for p in (tmp_path / "pieces").iterdir()] == ["jet.npz"]


def test_nothing_is_left_of_a_failed_write(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="3 of 8 events"):
        write_stream(tmp_path / "jet.npz", 8, [arrays(make(3))], stream_metadata(8))
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
        replace(make(4), **change).write(tmp_path)
    broken = "jet.npz" if "masks" in change else "event.npz"
    assert not (tmp_path / broken).exists()


def rewrite(path: Path, drop: str = "", **arrays: object) -> None:
    with np.load(path) as archive:
        content = {name: archive[name] for name in archive.files if name != drop}
    np.savez(path, **(content | arrays))


def test_missing_mask_and_other_versions(tmp_path: Path) -> None:
    make(4).write(tmp_path)
    rewrite(tmp_path / "jet.npz", drop="mask")
    with pytest.raises(FileError, match=r"jet\.npz: the array 'mask' is missing"):
        FeatureSet.read(tmp_path)
    older = stream_metadata(4).model_copy(update={"schema_version": 99})
    make(4).write(tmp_path)
    rewrite(
        tmp_path / "jet.npz", metadata=np.array(older.model_dump_json().replace('"recipe"', '"made_with"'))
    )
    with pytest.raises(FileError, match="has schema version 99, this jetlens reads version 2"):
        FeatureSet.read(tmp_path)
    rewrite(tmp_path / "jet.npz", drop="metadata")
    with pytest.raises(FileError, match="'metadata' is missing"):
        FeatureSet.read(tmp_path)


def test_pickles_are_never_loaded(tmp_path: Path) -> None:
    make(4).write(tmp_path)
    rewrite(tmp_path / "event.npz", weight=np.array([{"a": 1}] * 4, dtype=object))
    with pytest.raises(FileError, match="pickled"):
        FeatureSet.read(tmp_path)


def test_things_that_are_no_feature_files(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="run the features stage first"):
        FeatureSet.read(tmp_path / "none")
    make(4).write(tmp_path)
    with pytest.raises(FileError, match="has no stream 'jte'; it holds: jet"):
        FeatureSet.read(tmp_path, ["jte"])
    (tmp_path / "jet.npz").write_text("hello")
    with pytest.raises(FileError, match="is not a feature file"):
        FeatureSet.read(tmp_path)


def test_files_of_other_events_are_refused(tmp_path: Path) -> None:
    make(4).write(tmp_path)
    stale = stream_metadata(3)
    write_stream(tmp_path / "jet.npz", 3, [arrays(make(3))], stale)
    with pytest.raises(FileError, match=r"jet\.npz: array 'values' is .*expected float32 \(4, "):
        FeatureSet.read(tmp_path)


def test_sets_with_other_features_do_not_join() -> None:
    other = make(2).metadata.model_copy(update={"streams": {}})
    with pytest.raises(FileError, match="differ"):
        FeatureSet.join([make(2), replace(make(2), metadata=other)])
