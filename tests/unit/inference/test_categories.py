"""Cuts on scores, against scans by formula."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from jetlens.inference.categories import EVERYTHING, choose
from jetlens.inference.selected import Selected, joined

EDGES = np.array([900.0, 1100.0])
EFFICIENCIES = np.arange(0.05, 1.01, 0.05)


def selected(weight=2.0, **columns):
    size = len(next(iter(columns.values())))
    arrays = {name: np.asarray(values, dtype=float) for name, values in columns.items()}
    return Selected(np.arange(size), np.zeros(size, np.uint8), np.full(size, weight), arrays)


def scored(rng, size, mean, weight, mass):
    return selected(weight, score=rng.normal(mean, 1, size), mass=mass)


def test_the_chosen_cut_is_that_of_the_smallest_limit():
    """Against a scan of single cuts by the counting formula."""
    rng = np.random.default_rng(6)
    signal = scored(rng, 4000, 1.5, 0.02, np.full(4000, 1000.0))
    background = scored(rng, 40000, -1.0, 1.0, np.full(40000, 1000.0))
    settings = {"systematic": 0.05, "share": 1.0}
    (category,) = choose(1, [signal], {"b": background}, "score", "mass", EDGES, **settings)

    def sensitivity(cut):
        s = signal.weight[signal.columns["score"] >= cut].sum()
        b = float((background.columns["score"] >= cut).sum())
        return s**2 / (b + b + (0.05 * b) ** 2) if b >= 10 else 0.0

    grid = np.quantile(signal.columns["score"], 1 - EFFICIENCIES)
    assert sensitivity(category.low) == pytest.approx(max(map(sensitivity, grid)), rel=0.02)
    two = choose(2, [signal], {"b": background}, "score", "mass", EDGES, **settings)
    assert [c.name for c in two] == ["category1", "category2"]
    assert two[1].high == two[0].low > two[1].low


def test_no_cut_is_chosen_behind_which_a_heavy_sample_of_a_process_may_only_be_missing():
    rng = np.random.default_rng(6)
    signal = scored(rng, 4000, 1.5, 0.02, np.full(4000, 1000.0))
    light = scored(rng, 40000, -1.0, 1.0, np.full(40000, 1000.0))
    heavy = scored(rng, 60, -1.0, 1000.0, np.full(60, 1000.0))
    settings = {"systematic": 0.05, "share": 1.0}
    for parts, behind in (((), False), ((("b", light, 1.0), ("b", heavy, 1000.0)), True)):
        background = {"b": joined([light, heavy])}
        (category,) = choose(1, [signal], background, "score", "mass", EDGES, **settings, parts=parts)
        assert (heavy.columns["score"] >= category.low).any() == behind


def test_without_events_behind_any_cut_there_is_none():
    rng = np.random.default_rng(7)
    signal = scored(rng, 100, 3.0, 1.0, np.full(100, 1000.0))
    few = scored(rng, 5, -3.0, 100.0, np.full(5, 1000.0))
    found = choose(1, [signal], {"b": few}, "score", "mass", EDGES, systematic=0.1, share=1.0)
    assert found == EVERYTHING


@pytest.mark.parametrize(("signals", "share"), [(100, 0.0), (0, 0.5), (0, 0.0)])
def test_without_events_in_the_validation_folds_there_is_no_cut(signals, share):
    signal = scored(np.random.default_rng(8), signals, 1.0, 1.0, np.full(signals, 1000.0))
    background = signal.take(np.full(signals, share > 0))
    found = choose(1, [signal], {"b": background}, "score", "mass", EDGES, systematic=0.1, share=share)
    assert found == EVERYTHING


def test_the_simulation_counts_with_the_error_that_templates_have():
    """A tenth of the events chooses the cut that all of them do; by its own errors it would be at 0.3, not 0.15."""

    def events(size, mean, weight):
        score = stats.norm.ppf((np.arange(size) + 0.5) / size, mean)
        return selected(weight, score=score, mass=np.full(size, 1000.0))

    found = {}
    for share in (1.0, 0.1):
        background = events(int(400000 * share), 0.0, 1 / share)
        (category,) = choose(
            1,
            [events(4000, 1.0, 0.02)],
            {"b": background},
            "score",
            "mass",
            EDGES,
            systematic=0.01,
            share=share,
        )
        found[share] = category.efficiency
    assert found[0.1] == found[1.0]
