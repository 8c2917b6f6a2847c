"""The trained models of one variant as a whole: every seed in every rotation of the test folds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jetlens.errors import FileError

SHARED = ("variant", "options", "training", "features", "recipe")
"""What the manifests of a variant's models agree on."""


def folds_by_rotation(manifests: Sequence[dict[str, Any]]) -> dict[int, list[int]]:
    """Return the test folds of each rotation, from the manifests of all models of a variant.

    Raises:
        FileError: if a manifest is of an older jetlens, a seed lacks a rotation that another has, or two rotations
            test one fold.
    """
    for entry in manifests:
        if not {"seed", "rotation", "folds"} <= entry.keys():
            raise FileError(
                f"'{entry.get('variant')}': a manifest does not say which folds its model was tested on; train it again"
            )
    folds = {int(entry["rotation"]): list(entry["folds"]["test"]) for entry in manifests}
    seeds = {entry["seed"] for entry in manifests}
    pairs = {(entry["seed"], entry["rotation"], *entry["folds"]["test"]) for entry in manifests}
    expected = {(seed, rotation, *test) for seed in seeds for rotation, test in folds.items()}
    tested = [fold for test in folds.values() for fold in test]
    if pairs != expected or len(manifests) != len(expected) or len(set(tested)) != len(tested):
        found = "; ".join(f"seed {s}, rotation {r}, test folds {list(t)}" for s, r, *t in sorted(pairs))
        raise FileError(
            f"'{manifests[0]['variant']}': every seed must be trained once per rotation, each with test folds of its "
            f"own, found: {found}; run the training stage again, or take folders of other trainings away"
        )
    return folds


def check_alike(manifests: Sequence[dict[str, Any]], folders: Sequence[Path]) -> None:
    """Refuse to take models together that were trained differently: one may be left from an older configuration.

    Raises:
        FileError: naming the folder and what differs.
    """
    for entry, folder in zip(manifests, folders, strict=True):
        for key in SHARED:
            if entry.get(key) != manifests[0].get(key):
                raise FileError(
                    f"{folder}: its {key} differs from that of {folders[0]}, so their scores are not averaged; "
                    f"name one of them, or take away the older"
                )
