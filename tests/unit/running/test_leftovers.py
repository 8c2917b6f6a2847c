"""What an earlier configuration has left."""

from __future__ import annotations

from pathlib import Path

from jetlens.running.leftovers import leftovers, told


def test_files_that_no_step_makes(tmp_path: Path) -> None:
    outputs = {
        str(tmp_path / name)
        for name in ("figures/roc.pdf", "explanation/a", "inference/hepdata/submission.yaml")
    }
    made = ["figures/roc.pdf", "explanation/a/map.npz", "inference/hepdata/table.yaml"]
    left = ["evaluation/old/scores.npz", "figures/roc.png", "figures/scores/old.pdf", "inference/old.csv"]
    for name in [*made, *left, "training/old/model.keras"]:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert [str(path.relative_to(tmp_path)) for path in leftovers(tmp_path, outputs)] == left
    assert f"configuration: {', '.join(left[:3])} and 1 more; delete" in told(tmp_path, outputs)
    assert told(tmp_path, {*outputs, *(str(tmp_path / name) for name in left)}) == ""


def test_a_record_that_is_no_longer_made(tmp_path: Path) -> None:
    (tmp_path / "inference/hepdata").mkdir(parents=True)
    (tmp_path / "inference/hepdata/submission.yaml").touch()
    (left,) = leftovers(tmp_path, [str(tmp_path / "inference/limits.csv")])
    assert left.name == "submission.yaml"


def test_of_no_results_nothing_is_left(tmp_path: Path) -> None:
    assert told(tmp_path / "absent", []) == ""
