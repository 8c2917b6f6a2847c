"""Objects that count, and cuts: against loops and against awkward by hand."""

from __future__ import annotations

from typing import Any

import awkward as ak
import numpy as np
import pytest
import vector
from pydantic import ValidationError

from jetlens.config.reading import ReadingConfig
from jetlens.config.skim import Cut, SkimConfig
from jetlens.events.eventfile import EventFile
from jetlens.expressions import Namespace, define
from jetlens.skim.selection import Selection
from tests.conftest import DEMO


@pytest.fixture(scope="module")
def opened() -> tuple[Any, Namespace]:
    with ReadingConfig().open(str(DEMO / "signal_H1000_hh_4b.root")) as file:
        return next(file.batches()).events, names_of(file)


def names_of(file: EventFile) -> Namespace:
    return define(Namespace.from_columns(file.kinds()), {"b_jets": "jets[jets.b_tag]"})


def masks(opened: tuple[Any, Namespace], *cuts: dict, objects: dict | None = None) -> list[np.ndarray]:
    events, names = opened
    skim = SkimConfig(objects=objects or {}, cuts=[Cut(name=str(k), **cut) for k, cut in enumerate(cuts)])
    selection = Selection.checked(skim, names)
    return selection.passing(selection.select_objects(events))


def test_cuts_against_a_loop(opened: tuple[Any, Namespace]) -> None:
    events, _ = opened
    found = masks(opened, {"quantity": "(fat_jets[0] + fat_jets[1]).mass", "min": 900, "max": 1100})[0]
    for event, passes in zip(events[:80], found[:80], strict=True):
        fat = [vector.obj(pt=j.pt, eta=j.eta, phi=j.phi, mass=j.mass) for j in event.fat_jets]
        assert passes == (len(fat) > 1 and 900 <= (fat[0] + fat[1]).mass <= 1100)


def test_one_lepton_two_b_jets_of_a_mass_or_missing_momentum(opened: tuple[Any, Namespace]) -> None:
    """The selection that the old language could not say, against awkward by hand."""
    events, _ = opened
    text = (
        "((num(electrons[electrons.pt > 30]) + num(muons[muons.pt > 30]) == 1) & (num(b_jets) >= 2) "
        "& ((b_jets[0] + b_jets[1]).mass > 100) & ((b_jets[0] + b_jets[1]).mass < 150)) | (met.pt > 200)"
    )
    (found,) = masks(opened, {"cut": text})
    leptons = ak.sum(events.electrons.pt > 30, axis=1) + ak.sum(events.muons.pt > 30, axis=1)
    b_jets = ak.pad_none(events.jets[events.jets.b_tag], 2)
    mass = ak.fill_none((b_jets[:, 0] + b_jets[:, 1]).mass, -1)
    expected = ((leptons == 1) & (mass > 100) & (mass < 150)) | (events.met.pt > 200)
    assert np.array_equal(found, np.asarray(expected))
    assert 0 < found.sum() < len(found)


def test_an_event_without_the_object_fails_whatever_the_bounds(opened: tuple[Any, Namespace]) -> None:
    few = np.asarray(ak.num(opened[0].fat_jets) < 3)
    for cut in ({"quantity": "fat_jets[2].pt", "min": -1e9}, {"quantity": "fat_jets[2].pt", "max": 1e9}):
        assert np.array_equal(masks(opened, cut)[0], ~few)
    assert not masks(opened, {"cut": "~(fat_jets[2].pt > 0)"})[0][few].any()


def test_cuts_accumulate_and_count_only_good_objects(opened: tuple[Any, Namespace]) -> None:
    events, names = opened
    objects = {"fat_jets": "(pt >= 300) & (abs(eta) <= 2)", "jets": "b_tag & (deltaR(fat_jets[0]) < 1)"}
    cuts = ({"cut": "num(fat_jets) >= 2"}, {"quantity": "fat_jets[0].pt", "min": 500})
    first, second = masks(opened, *cuts, objects=objects)
    assert first.sum() > second.sum() > 0
    assert not (second & ~first).any()
    good = Selection.checked(SkimConfig(objects=objects), names).select_objects(events)
    assert ak.min(good.fat_jets.pt) >= 300
    near = events.jets.deltaR(ak.pad_none(events.fat_jets, 1)[:, 0]) < 1
    expected = events.jets[ak.fill_none(events.jets.b_tag & near, False, axis=-1)]
    assert ak.array_equal(good.jets.pt, ak.fill_none(expected, [], axis=0).pt)


@pytest.mark.parametrize(
    ("cut", "words"),
    [
        ({"quantity": "num(jets)"}, "neither min nor max"),
        ({"quantity": "num(jets)", "min": 2, "max": 1}, "no event can pass"),
        ({"cut": "num(jets) > 1", "min": 2}, "min and max go with quantity"),
        ({"min": 2}, "either cut, a condition, or quantity"),
        ({"cut": "num(jets) > 1 & met.pt > 3"}, "parentheses"),
    ],
)
def test_bad_cuts(cut: dict, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Cut(name="x", **cut)


def test_cut_names_are_unique_and_old_requirements_are_told_the_new_ones() -> None:
    cut = {"name": "all events", "quantity": "num(jets)", "min": 1}
    with pytest.raises(ValidationError, match="all events"):
        SkimConfig.model_validate({"cuts": [cut]})
    cut["name"] = "x"
    with pytest.raises(ValidationError, match="found twice: x"):
        SkimConfig.model_validate({"cuts": [cut, cut]})
    with pytest.raises(ValidationError, match=r"\(pt >= 20\) & \(abs\(eta\) <= 2.5\)"):
        SkimConfig.model_validate({"objects": {"jets": {"pt_min": 20, "abs_eta_max": 2.5}}})
