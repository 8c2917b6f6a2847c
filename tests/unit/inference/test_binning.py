from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from jetlens.inference.binning import describe, merged_edges, shortfalls
from jetlens.inference.templates import fill_region
from tests.unit.inference.conftest import BACKGROUNDS, EDGES, events


def test_every_merged_bin_is_filled(fine):
    region = fine.rebinned(merged_edges(fine, BACKGROUNDS, 0.05))
    assert len(region.edges) > 3
    assert not shortfalls(region, BACKGROUNDS)
    total, variance = region.total(BACKGROUNDS)
    assert (variance / total**2 <= 0.44 * (1 / total + 0.05**2) + 1e-12).all()


@settings(max_examples=25, deadline=None)
@given(
    counts=st.lists(st.integers(0, 400), min_size=2, max_size=3),
    weight=st.floats(0.05, 20),
    seed=st.integers(0, 1000),
)
def test_either_all_bins_are_filled_or_what_is_missing_is_told(counts, weight, seed):
    rng = np.random.default_rng(seed)
    processes = {
        f"p{k}": {"nominal": events(rng.uniform(400, 2000, n), weight)} for k, n in enumerate(counts)
    }
    region = fill_region("r", processes, EDGES)
    edges = merged_edges(region, list(processes), 0.1)
    assert edges[0] == EDGES[0]
    assert edges[-1] == EDGES[-1]
    assert set(edges) <= set(EDGES)
    merged = region.rebinned(edges)
    if len(edges) > 2:
        assert not shortfalls(merged, list(processes))
    for missing in shortfalls(merged, list(processes)):
        assert missing.process in describe([missing])


def test_what_is_missing_is_said():
    sparse = {"qcd": {"nominal": events(np.array([500.0, 900.0]), 50.0)}}
    region = fill_region("r", sparse, [400, 1200], unit="GeV")
    text = describe(shortfalls(region, ["qcd"]), "GeV")
    assert text.startswith("not computable from this simulation: qcd has 2 effective events in 400–1200 GeV")
    assert "needs about 5 times as many" in text
