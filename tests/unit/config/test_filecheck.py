"""Files are asked before a run whether they hold what the configuration asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from jetlens.config.filecheck import check_files
from jetlens.config.load import load
from jetlens.config.samples import Sample
from jetlens.errors import ConfigError
from tests.conftest import ROOT

DEMO = str(ROOT / "resources" / "demo" / "signal_H1000_hh_4b.root")


def problems(tmp_path: Path, files: list[str], where: str = "", **sections: dict[str, Any]) -> list[str]:
    content = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))
    content["samples"] = str(ROOT / "config" / "samples.tsv")
    for name, section in sections.items():
        content[name] = content.get(name, {}) | section
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    sample = Sample("one", "signal", "signal", {str(n): file for n, file in enumerate(files)}, where=where)
    try:
        check_files(load(path), {"one": sample})
    except ConfigError as error:
        return str(error).splitlines()
    return []


def test_files_that_hold_all_and_files_that_do_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    further = {"quark": {"branch": "{}.Quark", "fill": 0}}
    reading = {"format": {"extends": "delphes", "collections": {"jets": {"fields": further}}}}
    assert problems(tmp_path, [DEMO], reading=reading) == []  # a column that nobody asks for may be missing
    cuts = {"cuts": [{"name": "a quark", "cut": "num(jets[jets.quark > 0]) > 0"}]}
    (first,) = problems(tmp_path, [DEMO], reading=reading, skim=cuts)
    assert first.startswith(f"{DEMO}: has no 'jets.quark', which skim.cuts[0].cut asks for; it would be 0")
    absent = str(tmp_path / "absent.root")
    (none,) = problems(tmp_path, [DEMO, absent])
    assert none.startswith(f"{absent}: does not exist")
    (branch,) = problems(tmp_path, [DEMO], reading={"branches": {"jets": "Jett"}})
    assert "has no jet collection 'Jett'" in branch
    assert "did you mean 'Jet'" in branch
