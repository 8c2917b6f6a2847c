from __future__ import annotations

import numpy as np
import pytest

from jetlens.config.inference import PruningConfig
from jetlens.inference.systematics import Systematic, effect, effects_table
from jetlens.inference.templates import Events, fill_region
from jetlens.inference.workspace import build_workspace
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


def region_of(nominal, varied, edges=(400, 600, 800, 2000)):
    return fill_region("r", {"p": {"nominal": nominal, "s_up": varied}}, list(edges))


def test_a_change_of_the_rate_within_its_error_is_left_out_and_said():
    """Ten events leave and twelve others come: ± √22 of 500, however well the 500 are known."""
    x = np.full(512, 500.0)
    noise = Events(x[:502], np.ones(502), np.r_[np.arange(490), np.arange(500, 512)])
    region = region_of(events(x[:500]), noise)
    of = effect(Systematic("s", ("p",)), region, "p")
    assert of.norm_up - 1 == pytest.approx(2 / 500)
    assert of.norm_error == pytest.approx(np.sqrt(22) / 500)
    assert not of.rate_kept
    assert effect(
        Systematic("s", ("p",)), region, "p", pruning=PruningConfig(rate_sigma=0, rate_size=0)
    ).rate_kept
    (row,) = effects_table([Systematic("s", ("p",))], [region])
    assert row["norm"] == "pruned"
    assert row["pruned"].startswith("rate: 0.004 is below 0.005")
    (row,) = effects_table([Systematic("s", ("p",))], [region], PruningConfig(rate_size=0.001))
    assert row["pruned"].startswith("rate: +0.004 ± 0.0094 is within 1 statistical errors")


def test_what_is_left_out_as_noise_and_could_be_large_is_told():
    """Another simulation of 100 events cannot tell a change of 10 %; one of 10,000 can, and has nothing to tell."""
    for number, told in ((100, True), (10_000, False)):
        nominal, other = events(np.full(number, 500.0)), events(np.full(number + number // 1000, 500.0))
        region = fill_region(
            "r", {"p": {"nominal": nominal, "s_up": other}}, [400, 2000], independent=["s_up"]
        )
        of = effect(Systematic("s", ("p",)), region, "p")
        assert not of.rate_kept
        assert any("which does not say that it is small" in note for note in of.notes) is told


def test_a_change_of_the_rate_of_the_same_events_is_kept():
    """All weights rise by 1 %: of 500 events it is known to 0.04 %, not to 4 %."""
    x = np.full(500, 500.0)
    of = effect(Systematic("s", ("p",)), region_of(events(x), events(x, 1.01)), "p")
    assert of.rate_kept
    assert of.norm_error == pytest.approx(0.01 / np.sqrt(500))


def test_rates_of_noise_are_pruned_at_the_stated_rate():
    rng = np.random.default_rng(3)
    kept = 0
    for _ in range(300):
        first, second = (events(np.full(rng.poisson(400), 500.0)) for _ in range(2))
        region = fill_region(
            "r", {"p": {"nominal": first, "s_up": second}}, [400, 2000], independent=["s_up"]
        )
        kept += effect(Systematic("s", ("p",)), region, "p", pruning=PruningConfig(rate_size=0)).rate_kept
    assert 0.317 * 300 - 3 * 8 < kept < 0.317 * 300 + 3 * 8


def test_a_pruned_rate_is_no_parameter_and_a_shape_alone_is_one():
    """Events move between bins and none is lost."""
    x = np.r_[np.full(300, 500.0), np.full(300, 700.0)]
    moved = np.where(np.arange(600) < 60, 700.0, x)
    signal = {"nominal": events(np.full(50, 500.0))}
    region = fill_region(
        "r", {"signal": signal, "p": {"nominal": events(x), "s_up": events(moved)}}, [400, 600, 800]
    )
    spec = build_workspace([region], "signal", ["p"], [Systematic("s", ("p",))]).spec
    (kinds,) = (
        [m["type"] for m in sample["modifiers"] if m["name"] == "s"]
        for sample in spec["channels"][0]["samples"]
        if sample["name"] == "p"
    )
    assert kinds == ["histosys"]


@pytest.mark.parametrize(("given", "other"), [(1.02, 1 / 1.02), (3.0, 1 / 3), (0.98, 1.02), (0.1, 1.9)])
def test_the_missing_side_of_a_rate_is_within_zero_and_two(given, other):
    x = np.full(500, 500.0)
    of = effect(Systematic("s", ("p",)), region_of(events(x), events(x, given)), "p")
    assert (of.norm_up, of.norm_down) == pytest.approx((given, other))
    assert bool(of.notes) == (abs(given - 1) > 0.3)


def test_two_sides_of_one_sign_are_told():
    x = np.full(500, 500.0)
    of = effect(
        Systematic("s", ("p",)),
        fill_region(
            "r",
            {"p": {"nominal": events(x), "s_up": events(x, 1.2), "s_down": events(x, 1.1)}},
            [400, 2000],
        ),
        "p",
    )
    assert "both change the rate of p in r the same way (+0.2, +0.1)" in of.notes[0]


def weighted(factors, number=100):
    """Bins of as many events each, whose weights a variation multiplies by a factor per bin."""
    x = np.repeat(np.arange(len(factors)) + 0.5, number)
    varied = events(x)
    return fill_region(
        "r",
        {"p": {"nominal": events(x), "s_up": Events(x, np.repeat(factors, number), varied.number)}},
        np.arange(len(factors) + 1.0),
    )


def test_a_change_of_the_rate_does_not_hide_that_of_the_shape():
    """Weights rise by 50 % here and by 65 % there: of the same events the difference of 10 % is no fluctuation."""
    of = effect(Systematic("s", ("p",)), weighted([1.5, 1.65]), "p")
    assert of.shape_p < 1e-9
    np.testing.assert_allclose(of.norm_up * of.shape_up, [1.5, 1.65])


def test_shapes_of_noise_are_pruned_at_the_stated_rate_whatever_the_cross_section():
    """Independent events of twice the weight: 5 % are mistaken for a shape, as with equal weights."""
    rng = np.random.default_rng(4)
    found = []
    for _ in range(300):
        first, second = (events(400 + rng.exponential(300, rng.poisson(3000)), w) for w in (1.0, 2.0))
        region = fill_region(
            "r",
            {"p": {"nominal": first, "g_up": second}},
            [400, 500, 600, 800, 1000, 2000],
            independent=["g_up"],
        )
        found.append(effect(Systematic("g", ("p",)), region, "p").shape_p)
    assert 0.05 * 300 - 3 * 3.8 < np.sum(np.array(found) < 0.05) < 0.05 * 300 + 3 * 3.8
    assert np.mean(found) == pytest.approx(0.5, abs=3 / np.sqrt(12 * 300))


def test_smoothing_does_not_take_away_what_is_no_noise():
    """353QH makes a rise in the middle of three bins flat; here it is known to a thousandth."""
    factors = np.array([0.95, 1.1, 0.95])
    np.testing.assert_allclose(
        effect(Systematic("s", ("p",)), weighted(factors, 1000), "p").shape_up, factors, rtol=1e-9
    )


def test_smoothing_takes_away_fluctuations_beside_a_slope():
    rng = np.random.default_rng(5)
    errors = []
    for _ in range(30):
        x = rng.integers(0, 8, 8000) + 0.5
        other = rng.integers(0, 8, 8000) + 0.5
        slope = 1 + 0.1 * (other - 4) / 4
        region = fill_region(
            "r",
            {"p": {"nominal": events(x), "s_up": Events(other, slope, np.arange(8000))}},
            np.arange(9.0),
            independent=["s_up"],
        )
        truth = 1 + 0.1 * (np.arange(8) + 0.5 - 4) / 4
        for smooth in (False, True):
            of = effect(Systematic("s", ("p",)), region, "p", smooth=smooth)
            errors.append(np.nan if of.shape_up is None else ((of.shape_up - truth) ** 2).mean())
    plain, smoothed = np.nanmean(np.reshape(errors, (-1, 2)), axis=0)
    assert smoothed < 0.8 * plain


def test_a_variation_that_leaves_no_event_is_not_taken_for_none():
    x = np.full(20, 500.0)
    region = region_of(events(x), events(x[:0]))
    of = effect(Systematic("s", ("p",)), region, "p")
    assert of.rate_kept
    assert (of.norm_up, of.norm_down) == pytest.approx((0.01, 1.99))
    assert of.norm_error == pytest.approx(1 / np.sqrt(20))
    assert "'s_up' leaves nothing of p in r; 1% is left there" in of.notes
