from pathlib import Path

import pytest

from jetlens.errors import FileError
from jetlens.trained.ensemble import check_alike, folds_by_rotation


def test_every_seed_needs_every_rotation_and_folds_of_its_own():
    def manifest(seed, rotation, test):
        return {"variant": "v", "seed": seed, "rotation": rotation, "folds": {"test": test}}

    whole = [manifest(seed, rotation, [2 * rotation]) for seed in (1, 2) for rotation in (0, 1)]
    assert folds_by_rotation(whole) == {0: [0], 1: [2]}
    for broken in (whole[:3], [*whole, whole[0]], [*whole[:3], manifest(2, 1, [0])]):
        with pytest.raises(FileError, match="once per rotation"):
            folds_by_rotation(broken)
    with pytest.raises(FileError, match="test folds of its own"):
        folds_by_rotation([manifest(1, 0, [0, 1]), manifest(1, 1, [1, 2])])
    with pytest.raises(FileError, match="train it again"):
        folds_by_rotation([{"variant": "v", "seed": 1}])


def test_models_trained_differently_are_not_averaged():
    alike = [{"variant": "v", "options": {"width": 8}, "seed": seed} for seed in (1, 2)]
    folders = [Path("seed1"), Path("seed2")]
    check_alike(alike, folders)
    with pytest.raises(FileError, match=r"seed2: its options differs from that of seed1"):
        check_alike([alike[0], alike[1] | {"options": {"width": 16}}], folders)
