"""Breakdown of limits by groups of uncertainties."""

from __future__ import annotations

from itertools import pairwise

import pytest

from jetlens.inference.breakdown import SIMULATION, STATISTICS, breakdown
from jetlens.inference.limits import upper_limit
from jetlens.inference.systematics import Systematic
from jetlens.inference.workspace import build_workspace
from tests.unit.inference.conftest import BACKGROUNDS


@pytest.fixture(scope="module")
def rows(coarse, systematics):
    groups = {each.name: "theory" if each.kind == "normalisation" else "experimental" for each in systematics}
    everything = [*systematics, Systematic("closure", ("qcd",), "normalisation", 0.3)]
    workspace = build_workspace([coarse], "signal", BACKGROUNDS, everything)
    return {row["uncertainty"]: row for row in breakdown(workspace, groups, rtol=1e-4)}


def limit_with(coarse, systematics, **options):
    built = build_workspace([coarse], "signal", BACKGROUNDS, systematics, **options)
    return upper_limit(built, rtol=1e-4).expected[2]


def test_parts_are_the_limits_of_workspaces_built_without_the_others(rows, coarse, systematics):
    plain = {"statistical_errors": False, "empty_terms": False}
    rates = [each for each in systematics if each.kind == "normalisation"]
    close = pytest.approx(limit_with(coarse, rates, **plain), rel=1e-3)
    assert rows["theory"]["alone"] == close
    assert rows[STATISTICS]["alone"] == pytest.approx(limit_with(coarse, [], **plain), rel=1e-3)
    assert rows[SIMULATION]["alone"] == pytest.approx(limit_with(coarse, []), rel=1e-3)
    assert rows["background model"]["without"] == pytest.approx(limit_with(coarse, systematics), rel=1e-3)


def test_more_uncertainties_never_help(rows):
    assert next(iter(rows)) == STATISTICS
    assert list(rows)[-1] == SIMULATION
    assert set(rows) == {STATISTICS, "theory", "experimental", "background model", SIMULATION}
    limits = [row["cumulative"] for row in rows.values()]
    assert all(low <= high * 1.001 for low, high in pairwise(limits))
    for row in list(rows.values())[1:]:
        assert limits[0] <= row["alone"] * 1.001
        assert row["without"] <= limits[-1] * 1.001
