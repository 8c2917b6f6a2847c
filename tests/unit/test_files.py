"""Nothing half-written may ever stand under its final name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jetlens.files import atomic_path, write_json


def test_an_interrupted_write_leaves_nothing(tmp_path: Path) -> None:
    def interrupted() -> None:
        with atomic_path(tmp_path / "a" / "x.csv") as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list((tmp_path / "a").iterdir()) == []


def test_an_interrupted_write_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"a": float("nan")})
    assert json.loads(path.read_text()) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_the_suffix_is_kept_and_others_may_read(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "x.tar.gz") as temporary:
        assert temporary.name.endswith(".gz")
        temporary.write_text("whole")
    assert (tmp_path / "x.tar.gz").stat().st_mode & 0o444 == 0o444
