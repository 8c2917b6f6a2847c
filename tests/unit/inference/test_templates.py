from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from jetlens.errors import FileError
from jetlens.inference.selected import Selected, elsewhere
from jetlens.inference.templates import Events, Filling, fill_region, read_templates, write_templates
from jetlens.inference.workspace import build_workspace
from tests.unit.inference.conftest import EDGES, events


def test_values_and_variances_are_sums_of_weights():
    rng = np.random.default_rng(3)
    x, w = rng.uniform(300, 2200, 500), rng.normal(1, 0.5, 500)
    region = fill_region("r", {"p": {"nominal": Events(x, w, np.arange(500))}}, EDGES)
    inside = np.clip(x, 400, 1999.999)
    np.testing.assert_allclose(region.values("p"), np.histogram(inside, EDGES, weights=w)[0])
    np.testing.assert_allclose(region.variances("p"), np.histogram(inside, EDGES, weights=w**2)[0])
    assert region.values("p").sum() == pytest.approx(w.sum())  # what lies beyond the range is not lost


def test_rebinning_keeps_the_sums(fine, coarse):
    for process in fine.processes:
        assert coarse.values(process).sum() == pytest.approx(fine.values(process).sum())
    np.testing.assert_allclose(coarse.values("qcd")[0], fine.values("qcd")[:3].sum())


def test_merged_bins_forget_what_moves_inside_of_them():
    rng = np.random.default_rng(4)
    x, w, number = rng.uniform(400, 2000, 3000), rng.uniform(0.5, 1.5, 3000), np.arange(3000)
    varied = {
        "nominal": Events(x, w, number),
        "s_up": Events(x * 1.03, w * 1.1, number),
        "other_up": Events(x[:500], w[:500], number[:500]),
    }
    merged = [400, 700, 900, 1100, 2000]
    fine, coarse = (fill_region("r", {"p": varied}, e, independent=["other_up"]) for e in (EDGES, merged))
    found = fine.rebinned(merged)
    for name in ("s_up", "other_up"):
        np.testing.assert_allclose(found.shift_variance["p", name], coarse.shift_variance["p", name])
    # all that is left of one bin is the change of weights
    assert fine.rebinned([400, 2000]).shift_variance["p", "s_up"] == pytest.approx(((0.1 * w) ** 2).sum())


def test_the_error_of_a_shift_is_the_spread_over_toys():
    """Events are drawn again and again; a variation moves the same events, so most of their fluctuation cancels."""
    rng = np.random.default_rng(5)
    differences, predicted = [], []
    for _ in range(400):
        x = 400 + rng.exponential(300, rng.poisson(2000))
        region = fill_region(
            "r", {"p": {"nominal": events(x), "s_up": events(1.02 * x)}}, [400, 600, 800, 1200, 2000]
        )
        differences.append(region.values("p", "s_up") - region.values("p"))
        predicted.append(region.shift_variance["p", "s_up"])
    found = np.var(differences, axis=0)
    assert found == pytest.approx(np.mean(predicted, axis=0), rel=0.25)  # √(2/400) = 7 %, at 3.5σ
    assert (found < 0.2 * np.mean([region.variances("p")], axis=0)).any()


def test_files_hold_everything(tmp_path, fine):
    write_templates(tmp_path / "templates.json", [fine])
    (back,) = read_templates(tmp_path / "templates.json")
    assert back.processes == fine.processes
    for process in fine.processes:
        for variation in ("nominal", *fine.variations(process)):
            np.testing.assert_array_equal(back.values(process, variation), fine.values(process, variation))
            np.testing.assert_array_equal(
                back.variances(process, variation), fine.variances(process, variation)
            )
    np.testing.assert_array_equal(
        back.shift_variance["qcd", "scale_up"], fine.shift_variance["qcd", "scale_up"]
    )
    assert back.rate_variance == fine.rate_variance


def test_another_file_is_refused_by_name(tmp_path):
    (tmp_path / "t.json").write_text("{}")
    with pytest.raises(FileError, match=r"t\.json: is no file of templates"):
        read_templates(tmp_path / "t.json")


def test_rows_of_one_event_add_up_before_they_are_squared():
    """Four patterns of tags of each event, in bins of their own or in one: as if each event were there once."""
    rng = np.random.default_rng(6)
    x, w = rng.uniform(400, 2000, (200, 4)), rng.uniform(0.5, 1.5, 200)
    rows = Events(x.ravel(), np.repeat(w / 4, 4), np.repeat(np.arange(200), 4))
    up = Events(x.ravel(), np.repeat(w * 1.1 / 4, 4), rows.number)
    region = fill_region("r", {"p": {"nominal": rows, "s_up": up}}, EDGES)
    index = np.searchsorted(EDGES, x, side="right") - 1
    per_bin = np.stack([(index == k).sum(axis=1) for k in range(16)], axis=1) * w[:, None] / 4
    np.testing.assert_allclose(region.variances("p"), (per_bin**2).sum(axis=0))
    merged = region.rebinned([400, 1000, 2000])
    two = np.stack([per_bin[:, :6].sum(axis=1), per_bin[:, 6:].sum(axis=1)])
    np.testing.assert_allclose(merged.variances("p"), (two**2).sum(axis=1))
    assert region.rebinned([400, 2000]).n_eff("p") == pytest.approx(w.sum() ** 2 / (w**2).sum())
    assert merged.mean_weight("p") == region.mean_weight("p") == pytest.approx((w**2).sum() / w.sum())
    assert region.covered_variances("p").sum() == pytest.approx((w**2).sum())
    for of in (region, merged):
        assert of.rate_variance["p", "s_up"] == pytest.approx(((0.1 * w) ** 2).sum())
    assert merged.scaled("p", 3.0).rate_variance["p", "s_up"] == pytest.approx(9 * ((0.1 * w) ** 2).sum())


def test_rows_of_one_event_in_two_regions_are_never_too_well_known():
    """Tag patterns fall into categories: what an event has in several must not average out in their sum."""
    rng = np.random.default_rng(6)
    number = np.repeat(np.arange(300), 4)
    of = Selected(
        number,
        np.zeros(1200, np.uint8),
        np.repeat(rng.uniform(0.5, 2, 300), 4) / 4,
        {"x": np.repeat(rng.uniform(400, 2000, 300), 4)},
    )
    category = rng.integers(0, 2, 1200)
    parts = [of.take(category == n) for n in (0, 1)]
    regions = []
    for part, others in zip(parts, elsewhere(parts), strict=True):
        filling = Filling("r", EDGES)
        filling.add("h", "h", part.events("x"))
        filling.add("p", "s", part.events("x"), others)
        regions.append(filling.region())
    whole = fill_region("r", {"p": {"nominal": of.events("x")}}, EDGES)
    assert sum(r.values("p") for r in regions) == pytest.approx(whole.values("p"))
    # the sum of both knows as much as all rows of an event together, and without the other region too much
    assert sum(r.covered_variances("p") for r in regions) == pytest.approx(whole.variances("p"))
    assert (sum(r.variances("p") for r in regions) < 0.8 * whole.variances("p"))[whole.values("p") > 0].all()
    merged = [region.rebinned([400, 900, 2000]) for region in regions]
    assert sum(r.covered_variances("p").sum() for r in merged) == pytest.approx(whole.variances("p").sum())
    scaled = regions[0].scaled("p", 3.0)
    assert scaled.covered_variances("p") == pytest.approx(9 * regions[0].covered_variances("p"))
    # it is what the fit is told
    (channel,) = build_workspace(merged[:1], "h", ["p"]).spec["channels"]
    (errors,) = (m["data"] for m in channel["samples"][1]["modifiers"] if m["type"] == "staterror")
    assert errors == pytest.approx(np.sqrt(merged[0].covered_variances("p")))


def test_events_of_one_row_are_in_one_region():
    parts = [Selected(np.arange(n), np.zeros(n, np.uint8), np.ones(n), {}) for n in (0, 3)]
    parts[1] = replace(parts[1], number=np.arange(3) + 10)
    assert [each.tolist() for each in elsewhere(parts)] == [[], [0.0, 0.0, 0.0]]
