"""The analysis of docs/language.md: own collection, objects, cuts and features, against awkward and loops by hand."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import yaml

from jetlens.config import Config
from jetlens.features import build_features
from jetlens.features.featurefile import FeatureSet
from jetlens.skim import read_skim, skim_file
from tests.conftest import DEMO, ROOT

SOURCE = str(DEMO / "ttbar_had.root")


@pytest.fixture(scope="module")
def config() -> Config:
    page = (ROOT / "docs" / "language.md").read_text(encoding="utf-8")
    content = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))
    own = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)[1])
    content["features"]["streams"] |= own["features"].pop("streams")
    content["features"] |= own.pop("features")
    return Config.model_validate(content | own)


@pytest.fixture(scope="module")
def skimmed(config: Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    options: dict[str, Any] = {"sample": "s", "part": "p", "reading": config.reading}
    everything = config.skim.model_copy(update={"cuts": []})
    loose = yaml.safe_load(config.skim.model_dump_json())
    loose["cuts"][1]["cut"] = loose["cuts"][1]["cut"].replace("== 1", ">= 0").replace("> 200", "> 60")
    for name, skim in (
        ("all", everything),
        ("cut", config.skim),
        ("loose", type(config.skim).model_validate(loose)),
    ):
        skim_file(
            SOURCE,
            folder / f"{name}.parquet",
            folder / f"{name}.json",
            skim=skim,
            definitions=config.define,
            **options,
        )
    return folder


def mass(*objects: dict[str, float]) -> float:
    px, py, pz, energy = (
        sum(value(o) for o in objects)
        for value in (
            lambda o: o["pt"] * math.cos(o["phi"]),
            lambda o: o["pt"] * math.sin(o["phi"]),
            lambda o: o["pt"] * math.sinh(o["eta"]),
            lambda o: math.hypot(o["pt"] * math.cosh(o["eta"]), o["mass"]),
        )
    )
    return math.sqrt(max(energy**2 - px**2 - py**2 - pz**2, 0))


def selected(event: dict[str, Any], leptons_wanted: bool, met: float) -> bool:
    """The selection, said again in Python for one event."""
    if len(event["fat_jets"]) < 2:
        return False
    leptons = [o for name in ("electrons", "muons") for o in event[name] if o["pt"] > 30]
    tagged = [jet for jet in event["jets"] if jet["b_tag"]]
    pair = len(tagged) >= 2 and 100 < mass(*tagged[:2]) < 150
    return (pair and (len(leptons) == 1 or not leptons_wanted)) or event["met"]["pt"] > met


def test_the_selection_is_that_of_a_loop_over_all_events(skimmed: Path) -> None:
    """Objects are selected already; the loop tells events of the file apart by their number."""
    every = read_skim(skimmed / "all.parquet")[
        ["event_number", "fat_jets", "jets", "electrons", "muons", "met"]
    ]
    for name, leptons, met in (("cut", True, 200), ("loose", False, 60)):
        expected = [e["event_number"] for e in every.to_list() if selected(e, leptons, met)]
        assert read_skim(skimmed / f"{name}.parquet").event_number.to_list() == expected
    assert 0 < len(expected) < len(every)
    lines = json.loads((skimmed / "loose.json").read_text())["cuts"]
    assert lines[-1]["events"] == len(expected)
    jets, electrons = every.jets, every.electrons
    assert ak.min(jets.pt) >= 25
    pairs = ak.cartesian([jets, electrons], nested=True)
    assert not ak.any(pairs["0"].deltaR(pairs["1"]) < 0.4, axis=None)


def test_one_lepton_and_a_pair_of_b_jets_or_missing_momentum(config: Config, tmp_path: Path) -> None:
    """The page's last cut alone, on semileptonic top pairs, where every part of it decides; against awkward."""
    source = str(ROOT / "resources" / "met" / "ttbar_semilep.root")
    reading = config.reading.model_copy(update={"leading_jets": 0})
    skim = config.skim.model_copy(update={"objects": {}, "cuts": config.skim.cuts[-1:]})
    paths = tmp_path / "a.parquet", tmp_path / "a.json"
    skim_file(source, *paths, sample="s", part="p", reading=reading, skim=skim, definitions=config.define)
    with reading.open(source) as file:
        (every,) = file
    hard = ak.num(every.electrons[every.electrons.pt > 30]) + ak.num(every.muons[every.muons.pt > 30])
    pair = ak.pad_none(every.jets[every.jets.b_tag], 2)
    mass = ak.fill_none((pair[:, 0] + pair[:, 1]).mass, -1)
    left, right = (hard == 1) & (mass > 100) & (mass < 150), every.met.pt > 200
    assert all(5 < ak.sum(side) < 50 for side in (left & ~right, right & ~left))
    assert read_skim(paths[0]).event_number.to_list() == every.event_number[left | right].to_list()


def test_the_features_are_those_of_awkward(config: Config, skimmed: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {"sample": "s", "part": "p", "label": 0, "definitions": config.define}
    build_features(skimmed / "loose.parquet", tmp_path / "f", features=config.features, **options)
    found, events = FeatureSet.read(tmp_path / "f"), read_skim(skimmed / "loose.parquet")
    tagged = events.jets[events.jets.b_tag]
    names = config.features.streams["tagged"].features
    mask = np.arange(4) < np.asarray(ak.num(tagged))[:, None]
    assert np.array_equal(found.masks["tagged"], mask)
    real = dict(zip(names, found.streams["tagged"][mask].T, strict=True))
    leading = tagged[:, :4]
    assert np.allclose(real["pt_share"], ak.flatten(leading.pt / events.ht), rtol=1e-5)
    assert np.allclose(real["distance_to_lead"], ak.flatten(leading.deltaR(events.fat_jets[:, 0])), rtol=1e-5)
    two = np.asarray(ak.num(tagged) >= 2)
    pair = tagged[two][:, 0] + tagged[two][:, 1]
    assert np.array_equal(found.masks["pair"], np.stack([two, np.ones_like(two)], axis=1) & [[True, True]])
    assert np.allclose(found.streams["pair"][two, 0, 0], np.log(np.maximum(pair.mass, 1)), rtol=1e-5)
    event = dict(zip(found.metadata.event.features, found.event.T, strict=True))
    assert np.allclose(event["m_bb"][two], pair.mass, rtol=1e-5)
    assert not event["m_bb"][~two].any()
    assert np.allclose(event["met_over_lead"], events.met.pt / events.fat_jets[:, 0].pt, rtol=1e-5)
    assert found.metadata.streams["tagged"].expressions["pt_share"] == "pt / ht"
    assert found.metadata.streams["tagged"].declared["pt_share"]
