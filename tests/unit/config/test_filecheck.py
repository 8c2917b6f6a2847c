"""Files are asked before a run whether they hold what the configuration asks for."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from jetlens.config.filecheck import check_files
from jetlens.config.load import load, validate
from jetlens.config.samples import Sample
from jetlens.errors import ConfigError
from tests.conftest import ROOT, shared_data

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
    jets = {"inference": {"variants": ["gradient_boosting"], "observables": {"mass_jj": "sum(jets.quark)"}}}
    (observed,) = problems(tmp_path, [DEMO], reading=reading, **jets)
    assert "has no 'jets.quark', which inference.observables.mass_jj asks for" in observed
    moved = {"quark": {"kind": "objects", "scale": {"jets.pt": "1 + 0.1 * quark"}}}
    (varied,) = problems(tmp_path, [DEMO], reading=reading, variations=moved)
    assert "has no 'jets.quark', which variations.quark asks for" in varied
    shutil.copy(DEMO, tmp_path / "again.root")
    (copied,) = problems(tmp_path, [DEMO, str(tmp_path / "again.root")])
    assert copied.startswith(f"{tmp_path}/again.root: is a copy of {DEMO}, and its events would count double")
    absent = str(tmp_path / "absent.root")
    (none,) = problems(tmp_path, [DEMO, absent])
    assert none.startswith(f"{absent}: does not exist")
    (branch,) = problems(tmp_path, [DEMO], reading={"branches": {"jets": "Jett"}})
    assert "has no jet collection 'Jett'" in branch
    assert "did you mean 'Jet'" in branch


def test_what_a_format_never_has_and_its_schema_calculates_is_said(tmp_path: Path) -> None:
    path = str(shared_data("foreign_formats/nano_tt_v12.root"))
    content = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))
    content["reading"] = {"format": "nanoaod", "leading_jets": 0}
    content["skim"] = {"cuts": [{"name": "HT", "quantity": "ht", "min": 100}]}
    content["features"] |= {
        "streams": {"jets": {"kind": "objects", "max_objects": {"jets": 2}, "features": ["pt"]}}
    }
    content["features"]["event"] = ["log_ht"]
    trees = {"trees": {"kind": "gradient_boosting", "streams": ["jets"]}}
    content |= {
        "models": trees,
        "training": {"variants": ["trees"]},
        "explanation": {},
        "inference": {},
        "figures": {},
    }
    content["variations"] = {}
    (remark,) = check_files(validate(content), {"tt": Sample("tt", "tt", "signal", {"a": path})})
    assert remark == f"{path}: ht is sum of pt over jets, as the format has none"
