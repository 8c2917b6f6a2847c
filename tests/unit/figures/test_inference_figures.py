"""Figures of limits and fits on toy tables of known content."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from jetlens.config.evaluation import FiguresConfig
from jetlens.config.samples import Sample
from jetlens.errors import FileError
from jetlens.figures.fits import draw_postfit, draw_pulls
from jetlens.figures.limits import draw_limits, draw_limits_by_variant, draw_significance
from jetlens.figures.modelling import draw_closure, draw_sculpting, draw_variations
from jetlens.figures.palette import process_looks, variant_looks
from jetlens.inference.sculpting import Decorrelation, sculpting
from jetlens.inference.selected import Selected

MASSES = np.array([800.0, 1000.0, 1500.0, 2000.0])
VARIANTS = variant_looks(FiguresConfig(), ["cross_attention", "gradient_boosting"])
BANDS = {"minus2": 0.53, "minus1": 0.72, "plus1": 1.4, "plus2": 1.9}


@pytest.fixture
def tables(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")

    def write(name, columns):
        path = folder / f"{name}.csv"
        pd.DataFrame(columns).to_csv(path, index=False)
        return path

    return write


def limit_table(scale=1.0):
    median = scale * np.array([3.0, 1.2, 0.4, 0.2])
    bands = {f"expected_{name}": median * factor for name, factor in BANDS.items()}
    return {"mass_GeV": MASSES, "expected": median, "level": np.full(4, 0.9), **bands}


def floats(rows, column):
    return [float(row[column]) for row in rows]


SETTINGS = {
    "variant": "cross_attention",
    "label": "Cross attention",
    "luminosity_fb": 3000,
    "signal": "gg→H→hh→4b",
}


@pytest.mark.parametrize("observed", [False, True])
def test_limits(check, look, tables, observed):
    content = limit_table() | ({"observed": [2.5, 1.5, 0.4, 0.3]} if observed else {})
    path = tables("limits", content | {"variant": "cross_attention"})
    rows = check(
        lambda outputs, csv: draw_limits(
            path,
            outputs,
            csv,
            figures=look,
            theory={"800": 10.0, "2000": 0.01},
            demonstration=observed,
            **SETTINGS,
        )
    )
    assert floats(rows, "expected") == pytest.approx(content["expected"])
    assert [row["theory"] for row in rows] == ["10", "", "", "0.01"]
    assert any(t.get_text().startswith("90 % CL limit") for t in check.figures[-1].findobj(Text))


@pytest.mark.parametrize("gone", [[1], [0, 1, 2, 3]])
def test_masses_without_limit_are_named(check, look, tables, gone):
    content = limit_table() | {"variant": "cross_attention", "remark": np.array([""] * 4, dtype=object)}
    for name in content.keys() - {"mass_GeV", "variant", "remark"}:
        content[name][gone] = np.nan
    content["remark"][gone] = "not computable from this simulation: QCD has 2 effective events in 400–900 GeV"
    path = tables("gap", content)
    rows = check(lambda outputs, csv: draw_limits(path, outputs, csv, figures=look, **SETTINGS))
    assert [n for n, row in enumerate(rows) if not row["expected"]] == gone
    assert any("effective events" in t.get_text() for t in check.figures[-1].findobj(Text))


@pytest.mark.parametrize("alone", [0, 2])
def test_a_limit_without_neighbours_has_a_band(check, look, tables, alone):
    content = limit_table() | {"variant": "cross_attention"}
    for name in content.keys() - {"mass_GeV", "variant"}:
        content[name][np.arange(4) != alone] = np.nan
    path = tables("alone", content)
    check(lambda outputs, csv: draw_limits(path, outputs, csv, figures=look, **SETTINGS))
    axes = check.figures[-1].axes[0]
    left, right = axes.get_xlim()
    assert len(axes.collections) == 2
    for band in axes.collections:
        x = np.concatenate([piece.vertices[:, 0] for piece in band.get_paths()])
        assert left <= x.min() < MASSES[alone] < x.max() <= right


def test_a_single_mass_and_a_table_that_lacks_a_column(check, look, tables, tmp_path):
    single = {name: values[:1] for name, values in limit_table().items()} | {"variant": "cross_attention"}
    check(lambda outputs, csv: draw_limits(tables("one", single), outputs, csv, figures=look, **SETTINGS))
    short = tables("short", {"mass_GeV": MASSES, "variant": "cross_attention"})
    with pytest.raises(FileError, match="no column 'expected_minus2'"):
        draw_limits(short, [tmp_path / "a.png"], tmp_path / "a.csv", figures=look, **SETTINGS)


@pytest.mark.parametrize("number", [1, 4])
def test_limits_of_all_variants(check, look, tables, number):
    reference = list(VARIANTS)[-1]
    content = [
        pd.DataFrame(limit_table(scale))
        .head(number)
        .assign(
            variant=name,
            expected_error=0.9 * scale,
            reference=reference,
            ratio=np.nan if name == reference else scale,
            ratio_error=np.nan if name == reference else 0.2,
        )
        for name, scale in zip(VARIANTS, (1, 1), strict=True)
    ]
    path = tables("limits", pd.concat(content))
    settings = {"variants": VARIANTS, "figures": look, "luminosity_fb": 3000, "signal": "H → hh"}
    rows = check(
        lambda outputs, csv: draw_limits_by_variant(path, outputs, csv, demonstration=True, **settings)
    )
    assert sorted(row["variant"] for row in rows) == sorted(name for name in VARIANTS for _ in range(number))
    assert {row["ratio_error"] for row in rows if row["variant"] != reference} == {"0.2"}
    assert "demonstration: weights scaled" in texts(check)
    # equal limits do not cover each other, and no bar leaves the frame
    upper = check.figures[-1].axes[0]
    points = [container.lines[0].get_xydata() for container in upper.containers]
    assert np.array_equal(*(each[:, 1] for each in points))
    assert not set(points[0][:, 0]) & set(points[1][:, 0])
    (left, right), (low, high) = upper.get_xlim(), upper.get_ylim()
    for container in upper.containers:
        for bar in container.lines[2][0].get_segments():
            assert left < bar[:, 0].min() <= bar[:, 0].max() < right
            assert low < bar[:, 1].min() <= bar[:, 1].max() < high


@pytest.mark.parametrize("against", ["luminosity_fb", "signal_efficiency"])
def test_significance(check, look, tables, against):
    x = np.array([100, 300, 1000, 3000]) if against == "luminosity_fb" else np.linspace(0.1, 0.9, 4)
    z = np.array([1.0, 1.8, 3.2, 5.5])
    content = pd.concat(
        [
            pd.DataFrame(
                {
                    "variant": name,
                    against: x,
                    "significance": scale * z,
                    "significance_error": scale * z * 0.1,
                }
            )
            for name, scale in zip(VARIANTS, (1.0, 0.7), strict=True)
        ]
    )
    path = tables("significance", content)
    rows = check(
        lambda outputs, csv: draw_significance(
            path,
            outputs,
            csv,
            against=against,
            axis_label="x axis",
            variants=VARIANTS,
            figures=look,
            demonstration=against == "luminosity_fb",
        )
    )
    assert ("demonstration: weights scaled" in texts(check)) is (against == "luminosity_fb")
    assert floats(rows, "significance") == pytest.approx(content["significance"].tolist())


def test_significance_of_many_variants(check, look, tables):
    """The legend of twenty lines leaves the frame to the lines."""
    many = variant_looks(FiguresConfig(), [f"variant_{n}" for n in range(20)])
    x = np.linspace(0.1, 0.9, 4)
    content = [
        pd.DataFrame({"variant": name, "x": x, "significance": x * (1 + 0.05 * n)})
        for n, name in enumerate(many)
    ]
    path = tables("significance", pd.concat(content))
    check(
        lambda outputs, csv: draw_significance(
            path, outputs, csv, against="x", axis_label="x axis", variants=many, figures=look
        )
    )
    low, high = check.figures[-1].axes[0].get_ylim()
    assert low == 0
    assert 0.9 * 1.95 < high < 1.2 * 0.9 * 1.95


@pytest.mark.parametrize(("data", "limit"), [(False, True), (True, True), (False, False)])
def test_postfit(check, look, tables, data, limit):
    samples = {
        name: Sample(name, name, role, {}, 1.0)
        for name, role in (("H", "signal"), ("QCD", "background"), ("tt", "background"))
    }
    events = {"H": [1, 5, 20, 3] if limit else [0] * 4, "QCD": [300, 150, 60, 20], "tt": [50, 60, 40, 10]}
    events["total"] = list(np.add(events["QCD"], events["tt"]))
    if data:
        events["data"] = [360, 200, 130, 30]
    low = [400, 600, 800, 1200]
    table = pd.concat(
        [
            pd.DataFrame(
                {
                    "region": "category1",
                    "process": name,
                    "low": low,
                    "high": [*low[1:], 2000],
                    "events": counts,
                    "error": 0.1 * np.array(counts) if name == "total" else np.nan,
                }
            )
            for name, counts in events.items()
        ]
    )
    path = tables("postfit", table)
    rows = check(
        lambda outputs, csv: draw_postfit(
            path,
            outputs,
            csv,
            processes=process_looks(FiguresConfig(), samples),
            figures=look,
            luminosity_fb=3000,
            observable="$m(J_1 J_2)$ [GeV]",
            label="cross-attention of three streams",
            demonstration=data,
        )
    )
    assert {row["process"] for row in rows} == set(events)
    assert ("H at its limit" in texts(check)) == limit


def test_pulls_are_ranked_by_impact(check, look, tables):
    path = tables(
        "pulls",
        {
            "parameter": ["jet_energy_scale", "luminosity", "tt_normalisation", "free"],
            "pull": [0.4, 0.0, -1.2, np.nan],
            "constraint": [0.6, 1.0, 0.8, np.nan],
            "impact_up": [0.1, 0.02, -0.3, 0.05],
            "impact_down": [-0.12, -0.02, 0.25, -0.05],
        },
    )
    rows = check(
        lambda outputs, csv: draw_pulls(path, outputs, csv, figures=look, largest=3, demonstration=True)
    )
    assert "demonstration: weights scaled" in texts(check)
    assert [row["parameter"] for row in rows] == ["tt_normalisation", "jet_energy_scale", "free"]


def test_variations(check, look, tables):
    low = np.array([0.0, 50, 100, 150])
    nominal = np.array([100.0, 80, 0, 20])
    columns = {"region": "category1", "process": "tt", "systematic": "jes", "low": low, "high": low + 50}
    columns |= {"nominal": nominal, "nominal_error": np.sqrt(nominal)}
    columns |= {"up": nominal * 1.1 + 1, "down": nominal * 0.9, "up_error": 1.0, "down_error": 1.0}
    # a smearing has no side down, and acts on one process of two
    smeared = columns | {"process": "qcd", "systematic": "resolution", "down": np.nan, "down_error": np.nan}
    both = pd.concat([pd.DataFrame(columns), pd.DataFrame(smeared)])
    path = tables("variation", both)
    rows = check(
        lambda outputs, csv: draw_variations(path, outputs, csv, label="trees", processes={}, figures=look)
    )
    assert floats(rows, "nominal") == pytest.approx(2 * nominal.tolist())


def test_closure(check, look, tables):
    columns = {
        "region": "category1",
        "test": ["sideband", "fitted region"],
        "ratio": [0.9, 1.2],
        "ratio_error": 0.1,
    }
    path = tables("closure", columns)
    rows = check(
        lambda outputs, csv: draw_closure(path, outputs, csv, label="trees", figures=look, demonstration=True)
    )
    assert floats(rows, "ratio") == [0.9, 1.2]
    assert "trees, demonstration: weights scaled" in texts(check)


def texts(check):
    return [text.get_text() for text in check.figures[-1].findobj(Text)]


def test_closure_with_tests(check, look, tables):
    """A test of each line and one of all; what lies far out, and what is missing, is told in words."""
    columns = {
        "region": 4 * ["QCD light"] + 3 * ["tt"],
        "test": ["0 tags", "1 tag", "2 tags", "all", "0 tags", "1 tag", "all"],
        "ratio": [0.99, 1.1, 7.0, np.nan, 1.0, np.nan, np.nan],
        "ratio_error": [0.02, 0.2, 4.0, np.nan, 0.1, np.nan, np.nan],
        "chi2": [0.25, 0.25, np.nan, 3.1, 0.0, np.nan, 0.4],
        "ndf": [1, 1, np.nan, 2, 1, np.nan, 1],
        "p_value": [0.617, 0.617, np.nan, 0.212, 1.0, np.nan, 0.53],
    }
    path = tables("closure", columns)
    check(lambda outputs, csv: draw_closure(path, outputs, csv, label="tag weights", figures=look))
    shown = texts(check)
    assert {"χ²/ndf = 3.1/2, p = 0.21", "p = 0.62", "7 ± 4 →", "none estimated"} <= set(shown)
    assert shown.count("p = 0.62") == 2


def test_sculpting_is_seen_where_it_is_and_gone_with_the_decorrelated_score(check, look, tables):
    rng = np.random.default_rng(1)
    mass = rng.uniform(400, 1600, 800)
    score = rng.normal(size=800) + (mass - 1000) / 300
    flat = Decorrelation(score, mass)(score, mass)
    background = events_of(mass, score=score, flat=flat)
    signal = events_of(rng.normal(1200, 80, 500), score=rng.normal(2, 1, 500), flat=rng.uniform(0.7, 1, 500))
    table = sculpting(
        {"QCD": background},
        [signal],
        {"score": "score", "decorrelated": "flat"},
        "mass",
        np.linspace(400, 1600, 9),
    )
    found = table.groupby("score")["divergence"].max()
    assert found["score"] > 0.1
    assert found["decorrelated"] < 0.03
    assert table.groupby("score")["correlation"].first()["score"] > 0.5
    path = tables("sculpting", table.assign(variant="v"))
    check(
        lambda outputs, csv: draw_sculpting(
            path, outputs, csv, variant="v", label="V", processes={}, figures=look, observable="m"
        )
    )


def events_of(mass, **scores):
    ones = np.ones(len(mass))
    return Selected(np.arange(len(mass)), np.zeros(len(mass), np.uint8), ones, {"mass": mass, **scores})
