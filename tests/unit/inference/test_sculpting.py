"""Whether cuts shape the background: copies of an event are no further events."""

from __future__ import annotations

import numpy as np
import pytest

from jetlens.inference.sculpting import _chance, _divergence, _passing, sculpting
from jetlens.inference.selected import Selected

EDGES = np.linspace(0, 1, 6)


def selected(x, y, copies=1, seed=1):
    """Events with some rows each, whose scores differ little, as those of patterns of tags."""
    number = np.repeat(np.arange(len(x)), copies)
    score = y[number] + np.random.default_rng(seed).normal(0, 0.01, len(number))
    columns = {"x": x[number], "score": score}
    return Selected(number, np.zeros(len(number), np.uint8), np.full(len(number), 1 / copies), columns)


def of(x, y, copies):
    background, signal = selected(x, y, copies), selected(x, y + 1, copies)
    return sculpting({"b": background}, [signal], {"score": "score"}, "x", EDGES)


def test_copies_of_events_are_no_evidence():
    """Scores know nothing of x: of copies, too, one test in twenty finds something, and errors are those of events."""
    rng = np.random.default_rng(2)
    found = []
    for _ in range(40):
        x, y = rng.uniform(size=200), rng.normal(size=200)
        events = selected(x, y, 10)
        at = np.minimum((events.columns["x"] * 5).astype(np.int64), 4)
        passes = events.columns["score"] > 1
        before = np.bincount(at, minlength=5) / len(at)
        passed, variance = _passing(at, passes, events.number, 5)
        assert variance.sum() > 7 * passed.sum()  # ten rows weigh a hundred
        chance = _chance(at, passes, events.number, before, rng)
        found.append((chance >= _divergence(passed, before)).mean())
    assert np.mean(np.array(found) < 0.05) < 0.2
    assert np.mean(found) == pytest.approx(0.5, abs=4 * 0.29 / np.sqrt(40))


def test_a_table_of_copies_is_that_of_the_events(monkeypatch):
    # the compiler of distance correlations takes longer than all else here
    monkeypatch.setattr("jetlens.inference.sculpting._correlations", lambda *_: (0.0, 0.0))
    rng = np.random.default_rng(4)
    x, y = rng.uniform(size=600), rng.normal(size=600)
    one, many = of(x, y, 1), of(x, y, 10)
    np.testing.assert_allclose(many["after"], one["after"], atol=0.03)
    np.testing.assert_allclose(many["after_error"], one["after_error"], rtol=0.15)
    np.testing.assert_allclose(many["divergence_chance"], one["divergence_chance"], rtol=0.3)


def test_rows_without_the_observable_are_in_no_bin(monkeypatch):
    monkeypatch.setattr("jetlens.inference.sculpting._correlations", lambda *_: (0.0, 0.0))
    rng = np.random.default_rng(5)
    x, y = rng.uniform(size=600), rng.normal(size=600)
    events, more = (
        selected(x, y),
        selected(np.where(np.arange(900) < 600, np.resize(x, 900), np.nan), np.resize(y, 900)),
    )
    signal = selected(x, y + 1)
    first, second = (sculpting({"b": of}, [signal], {"score": "score"}, "x", EDGES) for of in (events, more))
    np.testing.assert_allclose(second["before"], first["before"])
    np.testing.assert_allclose(second["after"], first["after"], atol=0.02)
