"""Background models on events whose density factorises, and on some whose density does not."""

from __future__ import annotations

import hist
import numpy as np
import pytest

from jetlens.config.inference import AbcdModel, FactorisedModel, SimulationModel
from jetlens.inference.backgrounds import estimate, process_names
from jetlens.inference.selected import Selected
from jetlens.inference.systematics import effect
from jetlens.inference.templates import Region
from jetlens.inference.workspace import NotComputableError

ABCD = AbcdModel(
    model="abcd",
    processes=["qcd"],
    tagged="tags > 1",
    window="(m > 90) & (m < 150)",
    sideband="(m > 60) & (m <= 90)",
)
JETS = FactorisedModel(
    model="factorised", processes=["qcd"], passes=["t1 > 0", "t2 > 0"], of=["pt1", "pt2"], bins=4
)
OF = {"qcd": "qcd", "tt": "tt"}


def selected(weight=2.0, **columns):
    size = len(next(iter(columns.values())))
    arrays = {name: np.asarray(values, dtype=float) for name, values in columns.items()}
    return Selected(np.arange(size), np.zeros(size, np.uint8), np.full(size, weight), arrays)


def dijets(rng, size, correlated=0.0):
    mass = rng.uniform(40, 200, size)
    tags = rng.poisson(1.0 + correlated * ((mass > 90) & (mass < 150)))
    pt = rng.exponential(100, (2, size)) + 250
    passed = rng.random((2, size)) < np.clip(pt / 2000, 0, 1)
    return selected(m=mass, tags=tags, pt1=pt[0], pt2=pt[1], t1=passed[0], t2=passed[1])


@pytest.mark.parametrize("model", [ABCD, JETS], ids=["abcd", "factorised"])
def test_independent_conditions_close(model):
    rng = np.random.default_rng(3)
    samples = {"qcd": dijets(rng, 20000), "tt": dijets(rng, 500)}
    made = estimate(model, samples, OF)
    for row in made.closure:
        assert row["ratio"] == pytest.approx(1, abs=4 * row["ratio_error"])
    (closure, *_) = made.systematics
    assert 0.005 < closure.size < 0.2
    assert closure.processes == ("multijet",)
    assert process_names(model, OF) == {"qcd": "multijet", "tt": "tt"}
    # what is estimated from other events is as large as what it stands for, and others are as simulated
    row = made.closure[-1]
    assert made.events["qcd"].weight.sum() == pytest.approx(row["estimate"])
    assert len(made.events["tt"]) < 500


def test_a_sideband_written_as_a_wider_window_does_not_look_into_it():
    samples = {"qcd": dijets(np.random.default_rng(4), 2000, correlated=1.0)}
    wider = ABCD.model_copy(update={"sideband": "(m > 60) & (m < 150)"})
    assert estimate(wider, samples, OF).closure == estimate(ABCD, samples, OF).closure


def test_dependence_becomes_an_uncertainty():
    samples = {"qcd": dijets(np.random.default_rng(4), 20000, correlated=1.0)}
    row = estimate(ABCD, samples, OF).closure[-1]
    assert row["ratio"] > 1 + 4 * row["ratio_error"]


@pytest.mark.parametrize(("inside", "outside"), [(1, 4), (4, 1)])
def test_one_standard_deviation_is_what_the_sideband_finds_above_or_below(inside, outside):
    """Four times as many tags, or as few, in the sideband as beyond: up is 4 or down is 1/4."""
    parts = {"m": [], "tags": []}
    for mass, tagged in ((75.0, 100 * inside), (100.0, 200), (160.0, 100 * outside)):
        parts["m"] += [mass] * (tagged + 10_000)
        parts["tags"] += [2] * tagged + [0] * 10_000
    made = estimate(ABCD, {"qcd": selected(**parts)}, OF)
    (row, _), (closure, _) = made.closure, made.systematics
    of = effect(closure, Region("r", hist.Hist()), "multijet")
    assert row["ratio"] == pytest.approx(inside / outside)
    assert row["ratio"] == pytest.approx(of.norm_up if inside > outside else of.norm_down)


def test_simulation_changes_nothing_and_an_empty_control_region_is_told():
    samples = {"qcd": dijets(np.random.default_rng(5), 100)}
    assert estimate(SimulationModel(), samples, OF).events == samples
    untagged = {"qcd": selected(m=[100.0, 50.0], tags=[0, 0])}
    with pytest.raises(NotComputableError, match=r"abcd: no event of qcd is tagged outside of the window"):
        estimate(ABCD, untagged, OF)


@pytest.mark.parametrize(
    ("model", "columns", "expected"),
    [
        (
            ABCD,
            {"m": [100.0, 50.0], "tags": [2, 2]},
            "abcd: no event of qcd fails the tag outside of the window",
        ),
        (
            ABCD,
            {"m": [160.0, 170.0, 100.0, 100.0], "tags": [0, 2, 0, 2]},
            "closure in 'sideband': the simulation has no event there; widen it",
        ),
        (
            JETS,
            {"t1": [0, 0], "t2": [1, 0], "pt1": [300.0, 300.0], "pt2": [300.0, 300.0]},
            "factorised: no event of qcd passes one of the conditions",
        ),
    ],
)
def test_what_a_model_lacks_is_told(model, columns, expected):
    with pytest.raises(NotComputableError, match=expected):
        estimate(model, {"qcd": selected(**columns)}, OF)
