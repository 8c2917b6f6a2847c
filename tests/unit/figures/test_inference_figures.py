"""Figures of limits and fits on toy tables of known content."""

import numpy as np
import pandas as pd
import pytest

from jetlens.config.evaluation import FiguresConfig
from jetlens.config.samples import Sample
from jetlens.errors import FileError, NoEventsError
from jetlens.figures.fits import draw_postfit, draw_pulls, draw_variation
from jetlens.figures.limits import draw_limits, draw_limits_by_variant, draw_significance
from jetlens.figures.palette import process_looks, variant_looks

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
    return {"mass_GeV": MASSES, "expected": median, **bands}


def floats(rows, column):
    return [float(row[column]) for row in rows]


@pytest.mark.parametrize("observed", [False, True])
def test_limits(check, look, tables, observed):
    content = limit_table() | ({"observed": [2.5, 1.5, 0.4, 0.3]} if observed else {})
    path = tables("limits", content)
    rows = check(
        lambda outputs, csv: draw_limits(
            path,
            outputs,
            csv,
            figures=look,
            luminosity_fb=3000,
            signal="gg→H→hh→4b",
            theory={800: 10.0, 2000: 0.01},
            note="demonstration: toy numbers",
        )
    )
    assert floats(rows, "expected") == pytest.approx(content["expected"])
    assert [row["theory"] for row in rows] == ["10", "", "", "0.01"]


def test_a_mass_without_limit_is_a_gap_and_none_at_all_an_error(check, look, tables, tmp_path):
    content = limit_table()
    for name in content.keys() - {"mass_GeV"}:
        content[name][1] = np.nan
    settings = {"figures": look, "luminosity_fb": 3000, "signal": "H"}
    rows = check(lambda outputs, csv: draw_limits(tables("gap", content), outputs, csv, **settings))
    assert [row["expected"] for row in rows] == ["3", "", "0.4", "0.2"]
    nothing = tables("nothing", content | {"expected": [np.nan] * 4})
    with pytest.raises(NoEventsError, match="no number that could be computed"):
        draw_limits(nothing, [tmp_path / "a.png"], tmp_path / "a.csv", **settings)
    short = tables("short", {"mass_GeV": MASSES})
    with pytest.raises(FileError, match="no column 'expected_minus2'"):
        draw_limits(short, [tmp_path / "a.png"], tmp_path / "a.csv", **settings)


def test_limits_of_all_variants(check, look, tables):
    paths = {name: tables(name, limit_table(scale)) for name, scale in zip(VARIANTS, (0.6, 1), strict=True)}
    rows = check(
        lambda outputs, csv: draw_limits_by_variant(
            paths, outputs, csv, variants=VARIANTS, figures=look, luminosity_fb=3000, signal="H → hh"
        )
    )
    assert [row["variant"] for row in rows] == [name for name in VARIANTS for _ in MASSES]


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
                    "significance_low": scale * z * 0.9,
                    "significance_high": scale * z * 1.1,
                }
            )
            for name, scale in zip(VARIANTS, (1.0, 0.7), strict=True)
        ]
    )
    path = tables("significance", content)
    rows = check(
        lambda outputs, csv: draw_significance(
            path, outputs, csv, against=against, axis_label="x axis", variants=VARIANTS, figures=look
        )
    )
    assert floats(rows, "significance") == pytest.approx(content["significance"].tolist())


@pytest.mark.parametrize("data", [False, True])
def test_postfit(check, look, tables, data):
    samples = {
        name: Sample(name, name, role, {}, 1.0)
        for name, role in (("H", "signal"), ("QCD", "background"), ("tt", "background"))
    }
    events = {"H": [1, 5, 20, 3], "QCD": [300, 150, 60, 20], "tt": [50, 60, 40, 10]}
    events["total"] = list(np.add(events["QCD"], events["tt"]))
    if data:
        events["data"] = [360, 200, 130, 30]
    low = [400, 600, 800, 1200]
    table = pd.concat(
        [
            pd.DataFrame(
                {
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
            title="signal region, after the fit",
        )
    )
    assert {row["process"] for row in rows} == set(events)


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
    rows = check(lambda outputs, csv: draw_pulls(path, outputs, csv, figures=look, largest=3))
    assert [row["parameter"] for row in rows] == ["tt_normalisation", "jet_energy_scale", "free"]


def test_variations(check, look, tables):
    low = np.array([0.0, 50, 100, 150])
    nominal = np.array([100.0, 80, 0, 20])
    path = tables(
        "variation",
        {
            "low": low,
            "high": low + 50,
            "nominal": nominal,
            "nominal_error": np.sqrt(nominal),
            "up": nominal * 1.1 + 1,
            "down": nominal * 0.9,
        },
    )
    rows = check(
        lambda outputs, csv: draw_variation(
            path, outputs, csv, figures=look, observable="$m(J_1)$ [GeV]", title="tt̄, jet energy scale"
        )
    )
    assert floats(rows, "nominal") == pytest.approx(nominal.tolist())
