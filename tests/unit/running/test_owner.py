"""Two configurations of one name: refused by both their names, unless it is meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from jetlens.errors import ConfigError
from jetlens.running.owner import check_owner, claim


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / name for name in ("first.yaml", "second.yaml")]
    for path in paths:
        path.write_text("analysis: demo\nluminosity_fb: 1\n")
    claim(tmp_path / "results", paths[:1])
    return paths


def test_another_file_of_the_same_name_is_refused(files: list[Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        check_owner(tmp_path / "results", files[1:], "demo")
    message = str(caught.value)
    assert all(str(path) in message for path in files)
    assert "--config take_over=true" in message
    assert "\n" not in message


def test_the_same_file_edited_and_named_otherwise_is_not(files: list[Path], tmp_path: Path) -> None:
    files[0].write_text("analysis: demo\nluminosity_fb: 300\n")
    (tmp_path / "link.yaml").symlink_to(files[0])
    check_owner(tmp_path / "results", [tmp_path / "link.yaml"], "demo")
    check_owner(tmp_path / "elsewhere", files[1:], "demo")


def test_a_file_moved_or_renamed_lays_no_claim(files: list[Path], tmp_path: Path) -> None:
    files[0].write_text("analysis: other\n")
    check_owner(tmp_path / "results", files[1:], "demo")
    files[0].rename(tmp_path / "moved.yaml")
    check_owner(tmp_path / "results", [tmp_path / "moved.yaml"], "demo")


def test_files_merged_differently_are_another_configuration(files: list[Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="would be overwritten"):
        check_owner(tmp_path / "results", files, "demo")
    claim(tmp_path / "results", files)
    check_owner(tmp_path / "results", files, "demo")
