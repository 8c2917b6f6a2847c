"""The YAML of the documentation is what it says: valid on top of the demo, and its reading sections read files."""

from __future__ import annotations

import dataclasses
import re
import textwrap
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot
import yaml

from jetlens.config import Config
from jetlens.config.features import FeaturesConfig
from jetlens.config.load import validate
from jetlens.config.reading import ReadingConfig
from jetlens.config.samples import read_samples
from jetlens.config.skim import SkimConfig
from jetlens.events.schema import Collection, Constituents, Field, Schema
from jetlens.features import build_features
from jetlens.features.featurefile import FeatureSet
from jetlens.skim import read_skim, skim_file
from tests.conftest import ROOT, shared_data

PAGES = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md", ROOT / "config" / "README.md"]


def blocks(page: Path) -> list[str]:
    text = page.read_text(encoding="utf-8")
    return [
        textwrap.dedent(block) for block in re.findall(r"^ *```yaml\n(.*?)^ *```", text, re.DOTALL | re.M)
    ]


def merged(under: Any, over: Any) -> Any:
    if isinstance(under, dict) and isinstance(over, dict):
        return under | {key: merged(under.get(key), value) for key, value in over.items()}
    return over


SECTIONS = [
    pytest.param(content, id=f"{page.stem}{number}")
    for page in PAGES
    for number, block in enumerate(blocks(page))
    if set(content := yaml.safe_load(block)) <= set(Config.model_fields)
]


def test_there_are_some() -> None:
    assert len(SECTIONS) > 5


@pytest.mark.parametrize("content", SECTIONS)
def test_sections_are_valid_on_top_of_the_demo(content: dict[str, Any]) -> None:
    demo = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))
    if "reading" in content and "skim" not in content:  # of files without what the demo asks for
        ReadingConfig.model_validate(content["reading"])
    else:
        validate(merged(demo, content))


PYTHON = [
    pytest.param(code, id=f"{page.stem}{number}")
    for page in PAGES
    for number, code in enumerate(
        re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.M)
    )
    if "snakefile" not in code
]


@pytest.mark.parametrize("code", PYTHON)
def test_examples_in_python_run(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    exec(compile(code, "example", "exec"), {"__name__": "example"})  # noqa: S102 (our own pages)


def reading(number: int) -> ReadingConfig:
    return ReadingConfig.model_validate(
        yaml.safe_load(blocks(ROOT / "docs" / "ntuples.md")[number])["reading"]
    )


def test_other_branches() -> None:
    path = str(shared_data("foreign_formats/delphes_jetclass2_card_10_events.root"))
    with reading(0).open(path) as file:
        (events,) = file
    assert "muons" not in events.fields
    with uproot.open(path) as root:
        assert np.allclose(ak.flatten(events.fat_jets.pt), ak.flatten(root["Delphes/JetPUPPIAK8.PT"].array()))


def test_a_further_field() -> None:
    path = str(shared_data("foreign_formats/nano_tt_v12.root"))
    with reading(1).model_copy(update={"leading_jets": 0}).open(path) as file:
        (events,) = file
    with uproot.open(path) as root:
        scores = root["Events/Jet_btagDeepFlavB"].array()
    assert events.jets.b_tag.tolist() == (scores > 0.3).tolist()


def test_a_further_collection(tmp_path: Path) -> None:
    source = str(ROOT / "resources" / "demo" / "ttbar_had.root")
    demo = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))
    config = validate(merged(demo, yaml.safe_load(blocks(ROOT / "docs" / "ntuples.md")[2])))
    paths = tmp_path / "a.parquet", tmp_path / "a.json"
    skim_file(source, *paths, sample="s", part="p", reading=config.reading, skim=config.skim)
    features = config.features.of(["photons"])
    build_features(paths[0], tmp_path / "f", features=features, sample="s", part="p", label=0)
    found = FeatureSet.read(tmp_path / "f")
    with uproot.open(source) as root:
        tree = root["Delphes"]
        et, eta, energy = (tree[f"EFlowPhoton.{leaf}"].array() for leaf in ("ET", "Eta", "E"))
        number = ak.flatten(tree["Event.Number"].array())
    hard = (et > 5) & (abs(eta) < 2.5)
    chosen = ak.num(et[hard]) >= 2
    assert read_skim(paths[0]).event_number.to_list() == number[chosen].to_list()
    total = ak.sum((et * np.cosh(eta))[hard], axis=1)
    share = (energy / total)[hard][ak.argsort(et[hard], ascending=False)][chosen][:, :2]
    assert np.allclose(found.streams["photons"][:, :2, 2], share, rtol=1e-4)


def test_a_whole_schema(tmp_path: Path) -> None:
    parts = ak.Array([[300e3, 100e3], [200e3], [150e3, 50e3, 20e3]])
    columns = {"part_pt": parts, "part_eta": parts * 1e-6, "part_phi": parts * 2e-6}
    columns |= {f"jet_{name}": np.array([4.0, 2.0, 2.2]) * 1e5 for name in ("pt", "m")}
    columns |= {f"jet_{name}": np.zeros(3) for name in ("eta", "phi")}
    with uproot.recreate(tmp_path / "a.root") as file:
        file.mktree("jets", columns)
    with reading(3).open(str(tmp_path / "a.root")) as file:
        (events,) = file
    assert np.allclose(ak.flatten(events.fat_jets.pt), [400, 200, 220])
    assert events.fat_jets.constituents.pt[:, 0].tolist() == [[300, 100], [200], [150, 50, 20]]


def test_three_files_per_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    content = yaml.safe_load(blocks(ROOT / "docs" / "ntuples.md")[4])
    arrays = [np.random.default_rng(n).uniform(1, 2, (9, n + 2, 7)) for n in (1, 2, 3)]
    for number, array in enumerate(arrays, start=1):
        np.savez(tmp_path / f"sig_{number}.npz", arr_0=array)
    paths = tmp_path / "a.parquet", tmp_path / "a.json"
    options: dict[str, Any] = {"reading": reading(4), "skim": SkimConfig(cuts=[])}
    skim_file(str(tmp_path / "sig_1.npz"), *paths, sample="s", part="p", **options)
    features = FeaturesConfig.model_validate(content["features"])
    build_features(paths[0], tmp_path / "f", features=features, sample="s", part="p", label=1)
    found = FeatureSet.read(tmp_path / "f")
    assert [int(found.masks[name][0].sum()) for name in ("jet1", "jet2", "kinematics")] == [3, 4, 3]
    by_pt = np.sort(np.log(arrays[1][:, :, 2]), axis=1)[:, ::-1]
    assert np.allclose(found.streams["jet2"][:, :4, 2], by_pt, rtol=1e-5)


def test_every_key_of_a_schema_is_on_the_page() -> None:
    page = (ROOT / "docs" / "ntuples.md").read_text(encoding="utf-8")
    keys = {f.name for kind in (Schema, Collection, Constituents, Field) for f in dataclasses.fields(kind)}
    assert not keys - set(re.findall(r"`(\w+)`", page))


def test_two_classes_of_one_file(tmp_path: Path) -> None:
    """The sample table of the page."""
    page = (ROOT / "docs" / "ntuples.md").read_text(encoding="utf-8")
    table = re.findall(r"```text\n(sample.*?)```", page, re.DOTALL)[0]
    (tmp_path / "jets.root").touch()
    rows = ["\t".join(re.split(r" {2,}", line)) for line in table.splitlines()]
    (tmp_path / "s.tsv").write_text("\n".join(rows).replace("jets.root", str(tmp_path / "jets.root")))
    assert {s.name: (s.role, s.where) for s in read_samples(tmp_path / "s.tsv").values()} == {
        "hbb": ("signal", "label_Hbb"),
        "qcd": ("background", "label_QCD"),
    }
