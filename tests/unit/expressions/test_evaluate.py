"""Expressions against awkward and vector written by hand, and against loops over events."""

from __future__ import annotations

import math
from typing import Any

import awkward as ak
import numpy as np
import pytest

from jetlens.expressions import Namespace, check
from jetlens.expressions.evaluate import Evaluator


def numbers(events: Any, names: Namespace, text: str) -> Any:
    return Evaluator(events).numbers(check(text, names, "number"))


def mask(events: Any, names: Namespace, text: str) -> Any:
    return Evaluator(events).mask(check(text, names, "cut"))


def filled(array: Any) -> Any:
    return np.asarray(ak.fill_none(array, np.nan), dtype=float)


def leading(collection: Any, index: int = 0) -> Any:
    return ak.pad_none(collection, index + 1)[:, index]


def test_where_takes_lists_and_numbers_of_the_event_together(events: Any, names: Namespace) -> None:
    """The condition may be the event's, the object's, or constant; so may either value."""
    jets, ht = events.jets, events.ht
    wide, hard = ht > np.median(np.asarray(ht)), jets.pt > 50
    text = f"sum(where(ht > {np.median(np.asarray(ht))}, jets.pt, 0.5))"
    assert np.allclose(numbers(events, names, text), ak.sum(jets.pt * wide + 0.5 * (~wide), axis=1))
    expected = ak.sum(jets.pt * hard + ht * (~hard), axis=1)
    assert np.allclose(numbers(events, names, "sum(where(jets.pt > 50, jets.pt, ht))"), expected)
    nested = numbers(events, names, "sum(sum(where(ht > 0, fat_jets.constituents.pt, fat_jets.pt)))")
    assert np.allclose(nested, ak.sum(ak.sum(events.fat_jets.constituents.pt, axis=2), axis=1))


def test_numbers_are_those_of_awkward_and_vector(events: Any, names: Namespace) -> None:
    jets, fat = events.jets, events.fat_jets
    first, second = leading(fat, 0), leading(fat, 1)
    tagged = jets[jets.b_tag]
    expected = {
        "ht / 1000": np.asarray(events.ht) / 1000,
        "fat_jets[1].mass": filled(second.mass),
        "abs(fat_jets[0].eta)": filled(abs(first.eta)),
        "(fat_jets[0] + fat_jets[1]).mass": filled((first + second).mass),
        "fat_jets[0].deltaR(fat_jets[1])": filled(first.deltaR(second)),
        "fat_jets[0].deltaphi(met)": filled(first.deltaphi(events.met)),
        "num(jets[(jets.pt > 30) & jets.b_tag])": ak.num(tagged[tagged.pt > 30]),
        "min(abs(jets[:3].deltaphi(met)))": filled(ak.min(abs(jets[:, :3].deltaphi(events.met)), axis=1)),
        "max(jets.pt * abs(jets.eta))": filled(ak.max(jets.pt * abs(jets.eta), axis=1)),
        "sum(jets).mass": filled(ak.sum(jets, axis=1).mass),
        "sum(jets.pt) / num(jets)": filled(ak.sum(jets.pt, axis=1) / ak.num(jets)),
        "mean(jets.pt)": filled(ak.mean(jets.pt, axis=1)),
        "jets[-1].pt": filled(ak.firsts(jets.pt[:, ::-1])),
        "jets[argmax(abs(jets.eta))].pt": filled(
            ak.firsts(jets.pt[ak.argmax(abs(jets.eta), axis=1, keepdims=True)])
        ),
        "jets[argsort(abs(jets.eta))][1].pt": filled(leading(jets.pt[ak.argsort(abs(jets.eta))], 1)),
        "sort(jets.mass)[0]": filled(ak.min(jets.mass, axis=1)),
        "sum(sum(fat_jets.constituents.pt))": ak.sum(ak.sum(fat.constituents.pt, axis=2), axis=1),
        "max(fat_jets[0].constituents.deltaR(fat_jets[0]))": filled(
            ak.max(first.constituents.deltaR(ak.broadcast_arrays(first, first.constituents.pt)[0]), axis=1)
        ),
        "num(fat_jets[0].constituents[fat_jets[0].constituents.charge != 0])": filled(
            ak.num(first.constituents[first.constituents.charge != 0])
        ),
        "max(fat_jets.constituents[0].pt)": filled(
            ak.max(ak.firsts(fat.constituents.pt, axis=2), axis=1)
        ),
        "fat_jets[0].tau[1] / fat_jets[0].tau[0]": filled(first["tau2"] / first["tau1"]),
        "m_bb": filled((leading(tagged, 0) + leading(tagged, 1)).mass),
    }  # fmt: skip
    for text, wanted in expected.items():
        found = numbers(events, names, text)
        assert np.allclose(found, np.asarray(wanted, dtype=float), rtol=1e-6, atol=1e-9, equal_nan=True), text
    assert np.isnan(numbers(events, names, "m_bb")).any()  # there is something missing to compare


def _mass(*objects: dict[str, float]) -> float:
    px, py, pz = (
        sum(o["pt"] * f(o) for o in objects)
        for f in (lambda o: math.cos(o["phi"]), lambda o: math.sin(o["phi"]), lambda o: math.sinh(o["eta"]))
    )
    energy = sum(math.hypot(o["pt"] * math.cosh(o["eta"]), o["mass"]) for o in objects)
    return math.sqrt(energy**2 - px**2 - py**2 - pz**2)


def test_cuts_are_those_of_a_loop_over_events(events: Any, names: Namespace) -> None:
    """Exactly one lepton with pT > 30 and two b-jets of 100 < m < 150, or MET > 200: event by event."""
    text = (
        "((num(electrons[electrons.pt > 30]) + num(muons[muons.pt > 30]) == 1) & (num(b_jets) >= 2) "
        "& (100 < m_bb < 150)) | (met.pt > 200)"
    )
    expected = []
    for event in events[["electrons", "muons", "jets", "met"]].to_list():
        leptons = [o for name in ("electrons", "muons") for o in event[name] if o["pt"] > 30]
        tagged = [jet for jet in event["jets"] if jet["b_tag"]]
        pair = len(tagged) >= 2 and 100 < _mass(tagged[0], tagged[1]) < 150
        expected.append((len(leptons) == 1 and pair) or event["met"]["pt"] > 200)
    assert mask(events, names, text).tolist() == expected
    loose = text.replace("== 1", ">= 0").replace("> 200", "> 120")
    assert 0 < mask(events, names, loose).sum() < len(events)


def test_a_missing_object_fails_every_cut_whichever_way_it_is_put(events: Any, names: Namespace) -> None:
    few = np.asarray(ak.num(events.fat_jets) < 3)
    assert few.any()
    assert not few.all()
    for text in ("fat_jets[2].pt > -1", "fat_jets[2].pt <= 1e9", "fat_jets[2].mass == fat_jets[2].mass"):
        assert np.array_equal(mask(events, names, text), ~few), text
        assert not mask(events, names, f"~({text})").any(), text
    for text in (
        "(fat_jets[2].pt > 0) | (ht > 0)",
        "~((fat_jets[2].pt > 0) & (ht < 0))",
        "(ht > 0) | ~(fat_jets[2].pt > 0)",
    ):
        assert mask(events, names, text).all(), text
    assert np.array_equal(mask(events, names, "is_none(fat_jets[2].pt)"), few)
    assert np.array_equal(mask(events, names, "fill_none(fat_jets[2].pt, -1) < 0"), few)
    assert np.array_equal(mask(events, names, "where(num(fat_jets) > 2, fat_jets[2].pt, 0) == 0"), few)


def test_a_missing_object_within_lists(events: Any, names: Namespace) -> None:
    """What is missing is known to be for every jet; nothing turns into zero."""
    few = np.asarray(ak.num(events.fat_jets) < 3)
    some = np.asarray(ak.num(events.jets) > 0)
    third = ak.mask(events.jets, ~few).deltaR(leading(events.fat_jets, 2))
    near = filled(ak.fill_none(ak.sum(third < 2, axis=1), 0))
    assert np.array_equal(numbers(events, names, "num(jets[jets.deltaR(fat_jets[2]) < 2])"), near)
    both = numbers(events, names, "num(jets[(jets.deltaR(fat_jets[2]) < 2) | (jets.pt > 0)])")
    assert np.array_equal(both, np.asarray(ak.num(events.jets)))
    for reducer in ("sum", "prod", "min", "max", "mean"):
        found = numbers(events, names, f"{reducer}(jets.deltaR(fat_jets[2]))")
        assert np.array_equal(np.isnan(found)[some], few[some]), reducer
    assert mask(events, names, "any((jets.deltaR(fat_jets[2]) < 2) | (jets.pt > 0))")[some].all()
    assert not mask(events, names, "all(jets.deltaR(fat_jets[2]) > -1)")[few & some].any()
    assert np.isnan(numbers(events, names, "num(fat_jets[2].constituents)")[few]).all()
    assert np.isnan(numbers(events, names, "sum(fat_jets[2].constituents.pt)")[few]).all()


def test_a_number_that_is_none_counts_as_missing(events: Any, names: Namespace) -> None:
    text = "log(fat_jets[0].tau5 - 0.04) < 0"
    argument = leading(events.fat_jets)["tau5"] - 0.04
    known = np.asarray(ak.fill_none(argument > 0, False))
    assert 0 < known.sum() < len(events)
    assert np.array_equal(mask(events, names, text) | mask(events, names, f"~({text})"), known)


def test_small_integers_do_not_overflow(events: Any, names: Namespace) -> None:
    charge = "fat_jets[0].constituents[0].charge"
    expected = filled(leading(leading(events.fat_jets).constituents).charge) * 1000 - 300
    assert np.array_equal(numbers(events, names, f"{charge} * 1000 - 300"), expected, equal_nan=True)
    kind = "fat_jets[0].constituents[0].type"
    assert (numbers(events, names, f"-{kind}")[np.isfinite(expected)] <= 0).all()


def test_expressions_about_one_object(events: Any, names: Namespace) -> None:
    jets = names.about("jets")
    parents = np.asarray(ak.flatten(ak.broadcast_arrays(np.arange(len(events)), events.jets.pt)[0]))
    rows = Evaluator(events).rows(ak.flatten(events.jets), parents)
    kept = rows.mask(check("(pt > 40) & (abs(eta) < 2) & ~any(deltaR(fat_jets) < 0.1)", jets, "cut"))
    pairs = ak.cartesian([events.jets, events.fat_jets], nested=True)
    clear = ~ak.any(pairs["0"].deltaR(pairs["1"]) < 0.1, axis=2)
    expected = ak.flatten((events.jets.pt > 40) & (abs(events.jets.eta) < 2) & clear)
    assert np.array_equal(kept, np.asarray(expected))
    assert not ak.all(clear, axis=None)
    near = rows.numbers(check("num_near(b_jets, 1.5)", jets, "number"))
    assert np.array_equal(near, rows.numbers(check("num(b_jets[deltaR(b_jets) < 1.5])", jets, "number")))
    assert rows.mask(check("is_from(jets) & (pt > 0)", jets, "cut")).all()
    assert not rows.mask(check("is_from(electrons) & (pt > 0)", jets, "cut")).any()


def test_what_is_common_is_calculated_once(
    events: Any, names: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    sums = []
    original = Evaluator._do_vectors
    monkeypatch.setattr(Evaluator, "_do_vectors", lambda *args: sums.append(1) or original(*args))
    evaluator = Evaluator(events)
    for text in (
        "(fat_jets[0]+fat_jets[1]).mass > 100",
        "(fat_jets[0] + fat_jets[1]).pt > 0",
        "m_bb > 0",
        "m_bb < 200",
    ):
        evaluator.mask(check(text, names, "cut"))
    assert len(sums) == 2


def test_no_events(events: Any, names: Namespace) -> None:
    for text in (
        "m_bb > 100",
        "min(abs(jets[:3].deltaphi(met))) > 1",
        "num(fat_jets[0].constituents) > 1",
        "any(jets.b_tag)",
    ):
        assert mask(events[:0], names, text).shape == (0,)
