from __future__ import annotations

import numpy as np
import pytest

from jetlens.inference.systematics import Systematic, effect
from jetlens.inference.templates import Events, fill_region
from tests.unit.inference.conftest import events


def test_a_scale_changes_the_shape_and_is_kept(coarse, systematics):
    of = effect(systematics[0], coarse, "qcd", smooth=False)
    up = coarse.values("qcd", "scale_up")
    np.testing.assert_allclose(of.norm_up * of.shape_up * coarse.values("qcd"), up, rtol=1e-12)
    assert of.shape_p < 1e-6


def test_noise_is_pruned_at_the_stated_rate():
    """Variations by independent events of the same density: no effect is there, 5 % are mistaken for one."""
    rng = np.random.default_rng(2)
    kept = 0
    for _ in range(300):
        first, second = (events(400 + rng.exponential(300, rng.poisson(3000))) for _ in range(2))
        region = fill_region(
            "r",
            {"p": {"nominal": first, "g_up": second}},
            [400, 500, 600, 800, 1000, 2000],
            independent=["g_up"],
        )
        kept += effect(Systematic("g", ("p",)), region, "p").shape_up is not None
    assert 0.05 * 300 - 3 * 3.8 < kept < 0.05 * 300 + 3 * 3.8


def test_one_side_is_mirrored():
    rng = np.random.default_rng(2)
    x = 400 + rng.exponential(300, 5000)
    only_up = {"p": {"nominal": events(x), "s_up": events(1.1 * x)}}
    of = effect(Systematic("s", ("p",)), fill_region("r", only_up, [400, 600, 800, 2000]), "p", smooth=False)
    np.testing.assert_allclose(of.shape_down, 2 - of.shape_up)


def test_weights_that_change_the_rate_alone_keep_no_shape():
    x = 400 + np.random.default_rng(1).exponential(300, 500)
    heavier = Events(x, np.full(500, 1.3), np.arange(500))
    of = effect(
        Systematic("s", ("p",)),
        fill_region("r", {"p": {"nominal": events(x), "s_up": heavier}}, [400, 600, 800, 2000]),
        "p",
    )
    assert of.norm_up == pytest.approx(1.3)
    assert of.norm_down == pytest.approx(1 / 1.3)
    assert of.shape_up is None


def test_a_variation_that_empties_a_bin_leaves_a_floor_and_says_so():
    x = np.concatenate([np.full(50, 500.0), np.full(50, 700.0), np.full(50, 900.0)])
    moved = np.where(x == 700.0, 900.0, x)
    region = fill_region("r", {"p": {"nominal": events(x), "s_up": events(moved)}}, [400, 600, 800, 2000])
    of = effect(Systematic("s", ("p",)), region, "p", smooth=False)
    assert of.shape_up.min() == pytest.approx(0.01)
    assert "'s_up' takes all of p out of 1 bins of r" in of.notes[0]
