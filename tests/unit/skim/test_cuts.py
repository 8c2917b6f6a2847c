from __future__ import annotations

import numpy as np
import pytest
from jetlens.skim.cuts import evaluate, passing, select_objects
from pydantic import ValidationError

from jetlens.config.quantities import parse_quantity
from jetlens.config.reading import ReadingConfig
from jetlens.config.skim import Cut, ObjectCuts, SkimConfig
from jetlens.errors import ConfigError
from jetlens.events import Chunk, open_events
from tests.conftest import DEMO


@pytest.fixture(scope="module")
def chunk() -> Chunk:
    with open_events(str(DEMO / "signal_H1000_hh_4b.root"), ReadingConfig()) as reader:
        return next(reader.chunks())


def value(chunk: Chunk, quantity: str) -> np.ndarray:
    return evaluate(chunk, parse_quantity(quantity))


def loop(chunk: Chunk, name: str, column: str, event: int) -> list[float]:
    objects = chunk.collections[name]
    return objects[column][objects.offsets[event] : objects.offsets[event + 1]].astype(float).tolist()


def test_quantities_against_a_loop(chunk: Chunk) -> None:
    import vector

    names = {
        "count(jets)": [],
        "fat_jets[1].mass": [],
        "abs_eta(fat_jets[0])": [],
        "delta_r(fat_jets[0], fat_jets[1])": [],
        "mass(fat_jets[0]+fat_jets[1])": [],
        "min_abs_delta_phi(jets[:2], met)": [],
    }
    for event in range(60):
        fat = [
            vector.obj(pt=pt, eta=eta, phi=phi, mass=mass)
            for pt, eta, phi, mass in zip(
                *(loop(chunk, "fat_jets", c, event) for c in ("pt", "eta", "phi", "mass")), strict=True
            )
        ]
        met = vector.obj(pt=float(chunk.met[event]), phi=float(chunk.met_phi[event]))
        phis = loop(chunk, "jets", "phi", event)[:2]
        two = len(fat) > 1
        names["count(jets)"].append(len(loop(chunk, "jets", "pt", event)))
        names["fat_jets[1].mass"].append(fat[1].mass if two else np.nan)
        names["abs_eta(fat_jets[0])"].append(abs(fat[0].eta) if fat else np.nan)
        names["delta_r(fat_jets[0], fat_jets[1])"].append(fat[0].deltaR(fat[1]) if two else np.nan)
        names["mass(fat_jets[0]+fat_jets[1])"].append((fat[0] + fat[1]).mass if two else np.nan)
        angles = [abs(vector.obj(pt=1.0, phi=phi).deltaphi(met)) for phi in phis]
        names["min_abs_delta_phi(jets[:2], met)"].append(min(angles, default=np.nan))
    for quantity, expected in names.items():
        assert np.allclose(value(chunk, quantity)[:60], expected, rtol=1e-5, equal_nan=True), quantity


def test_event_quantities(chunk: Chunk) -> None:
    assert np.array_equal(value(chunk, "event.ht"), chunk.ht.astype(float))
    tagged = value(chunk, "count_b_tagged(jets)")
    assert 0 < tagged.mean() < value(chunk, "count(jets)").mean()
    assert (value(chunk, "abs_delta_phi(jets[0], met)")[value(chunk, "count(jets)") > 0] <= np.pi).all()


def test_an_event_without_the_object_fails_whatever_the_bounds(chunk: Chunk) -> None:
    few = value(chunk, "count(fat_jets)") < 3
    for bounds in ({"min": -1e9}, {"max": 1e9}):
        (mask,) = passing(chunk, [Cut(name="third", quantity="fat_jets[2].pt", **bounds)])
        assert np.array_equal(mask, ~few)


def test_cuts_accumulate_and_count_only_good_objects(chunk: Chunk) -> None:
    good = select_objects(chunk, {"fat_jets": ObjectCuts(pt_min=300, abs_eta_max=2.0)})
    jets = good.collections["fat_jets"]
    assert jets["pt"].min() >= 300
    assert np.abs(jets["eta"]).max() <= 2.0
    first, second = passing(
        good,
        [Cut(name="a", quantity="count(fat_jets)", min=2), Cut(name="b", quantity="fat_jets[0].pt", min=500)],
    )
    assert first.sum() > second.sum() > 0
    assert not (second & ~first).any()


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [
        ("fat_jet[0].pt", "did you mean 'fat_jets'?"),
        ("fat_jets[0].ptt", "did you mean 'pt'?"),
        ("cuont(jets)", "did you mean 'count'?"),
        ("count(jet)", "did you mean 'jets'?"),
        ("event.mett", "did you mean 'met'?"),
        ("abs_delta_eta(fat_jets[0])", "takes 2 argument(s), found 1"),
        ("__import__('os').system('true')", "unknown"),
        ("1 + 1", "cannot read"),
        ("abs_eta(fat_jets)", "is no object"),
        ("min_abs_delta_phi(jets[0], met)", "unknown collection"),
        ("count_b_tagged(muons)", "unknown collection of jets"),
    ],
)
def test_bad_quantities_are_refused_with_the_configuration(quantity: str, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_quantity(quantity)
    assert expected in str(caught.value)
    with pytest.raises(ValidationError, match="quantity"):
        Cut(name="x", quantity=quantity, min=1)


def test_cut_names_are_unique() -> None:
    cut = {"name": "all events", "quantity": "count(jets)", "min": 1}
    with pytest.raises(ValidationError, match="all events"):
        SkimConfig.model_validate({"cuts": [cut]})
    cut["name"] = "x"
    with pytest.raises(ValidationError, match="found twice: x"):
        SkimConfig.model_validate({"cuts": [cut, cut]})
