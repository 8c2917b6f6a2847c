"""The stage on files of a toy analysis of known densities: from events to limits, against pyhf by hand."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pyhf
import pytest

from jetlens.config.inference import InferenceConfig
from jetlens.errors import ConfigError, FileError
from jetlens.features.normalisation import Normalisation
from jetlens.inference.filling import fill_all
from jetlens.inference.hypothesis import infer
from jetlens.inference.stage import make_model, simulation_of
from jetlens.inference.systematics import Systematic
from jetlens.inference.weights import read_factors, sides_of

FOLDS = 10
VALIDATION = [2]
LUMINOSITY = 100.0
PROCESSES = {
    # role, σ·L, events, mean score, exponential slope or mass and width
    "h800": ("signal", 40.0, 3000, 2.0, (800, 60)),
    "h1000": ("signal", 40.0, 3000, 2.0, (1000, 70)),
    "qcd": ("background", 40000.0, 30000, -2.0, 300),
    "ttbar": ("background", 9000.0, 20000, -0.5, 230),
    "single_top": ("background", 900.0, 8000, -0.5, 200),
}


def draw(rng, name):
    """Number, fold, generator weight, score and observables of a process's selected events."""
    _, _, size, score, shape = PROCESSES[name]
    mass = rng.normal(*shape, size) if isinstance(shape, tuple) else 400 + rng.exponential(shape, size)
    number = rng.permutation(10 * size)[:size]
    return {
        "event": number,
        "fold": (number % FOLDS).astype(np.uint8),
        "weight": rng.uniform(0.5, 1.5, size),
        "score": rng.normal(score, 1.0, size),
        "mass_jj": mass,
        "tags": rng.poisson(2.0, size).astype(float),
    }


def write(path, columns):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """Events in the layout of the workflow; with a variation of objects, and one of weights."""
    folder = tmp_path_factory.mktemp("toy")
    rng = np.random.default_rng(11)
    scales = {}
    for name in PROCESSES:
        columns = draw(rng, name)
        features = folder / "features" / name / "part"
        features.mkdir(parents=True)
        np.savez(features / "event.npz", weight=columns["weight"], fold=columns["fold"])
        scales[name] = {"process": name, "scale": PROCESSES[name][1] / columns["weight"].sum()}
        slope = columns["weight"] * (1 + 0.1 * (columns["mass_jj"] - 700) / 700)
        if name == "ttbar":
            factors = {"up": slope / columns["weight"], "down": 2 - slope / columns["weight"]}
            rows = {"sample": [name] * len(slope), **{k: columns[k] for k in ("event", "fold")}}
            write(folder / "weights" / "pt.parquet", rows | factors)
        write(folder / "events" / f"{name}.parquet", columns)
        for side, factor in (("up", 1.03), ("down", 0.97)):
            moved = columns | {"mass_jj": columns["mass_jj"] * factor}
            write(folder / "events" / f"{name}@scale_{side}.parquet", moved)
    Normalisation(luminosity_fb=LUMINOSITY, samples=scales).write(folder / "normalisation.json")
    return folder


SYSTEMATICS = [
    Systematic("scale", ("signal", "qcd", "ttbar", "single_top")),
    Systematic("pt", ("ttbar",)),
    Systematic("rate_qcd", ("qcd",), "normalisation", 0.2),
]


def simulation(toy, config, **more):
    rows = [
        {"name": n, "process": n, "role": role, "mass_gev": float(n[1:]) if role == "signal" else None}
        for n, (role, *_) in PROCESSES.items()
    ]
    return simulation_of(
        sorted((toy / "events").glob("*.parquet")),
        sorted((toy / "features").glob("*/part")),
        Normalisation.read(toy / "normalisation.json"),
        rows,
        config,
        VALIDATION,
        weights={"pt": (toy / "weights" / "pt.parquet", ["ttbar"])},
        **more,
    )


def config_with(**changes):
    content = {
        "variants": ["toy"],
        "observables": {"mass_jj": "x", "tags": "x"},
        "fit": {"bins": 20, "max": 1600},
        "replicas": 0,
    }
    return InferenceConfig.model_validate(content | changes)


@pytest.fixture(scope="module")
def model(toy):
    config = config_with(categories=1)
    make_model(
        simulation(toy, config),
        toy / "inference" / "toy",
        config=config,
        systematics=SYSTEMATICS,
        background_uncertainty=0.1,
    )
    return toy / "inference" / "toy"


@pytest.fixture(scope="module")
def limit(model):
    infer(
        model,
        model / "1000",
        mass="1000",
        cross_section_fb=0.4,
        theory_fb=None,
        luminosity_fb=LUMINOSITY,
        luminosities_fb=[100.0, 1000.0],
        level=0.95,
        toys=0,
        seed=1,
        unblind=False,
        groups={"rate_qcd": "theory", "scale": "experimental", "pt": "experimental"},
    )
    return json.loads((model / "1000" / "limit.json").read_text())


def test_templates_are_those_of_the_events(toy, model):
    """Of the folds that no cut was chosen on, scaled to all of the sample."""
    (category,) = pd.read_csv(model / "categories.csv").to_dict("records")
    regions = json.loads((model / "templates.json").read_text())["regions"]
    (region,) = regions.values()
    for name, (_, expected, *_) in PROCESSES.items():
        events = pq.read_table(toy / "events" / f"{name}.parquet").to_pandas()
        used = events[~events["fold"].isin(VALIDATION)]
        factor = expected / used["weight"].sum()
        chosen = used[used["score"] >= category["low"] - 1e-6]
        edges = np.array(region["edges"])
        mass = np.clip(chosen["mass_jj"], edges[0], edges[-1] - 1e-6)
        by_hand = np.histogram(mass, edges, weights=factor * chosen["weight"])[0]
        process = f"signal_{name[1:]}" if name.startswith("h") else name
        np.testing.assert_allclose(region["processes"][process]["nominal"]["values"], by_hand, rtol=1e-9)
        if name == "ttbar":
            slope = 1 + 0.1 * (chosen["mass_jj"] - 700) / 700
            varied = np.histogram(mass, edges, weights=factor * chosen["weight"] * slope)[0]
            np.testing.assert_allclose(region["processes"]["ttbar"]["pt_up"]["values"], varied, rtol=1e-9)


def test_another_sample_stands_for_the_nominal_one(toy):
    """At the nominal cross section, or by its own; its events know nothing of the nominal ones."""
    config = config_with(categories=0)
    other = {"variation": "generator", "sample": "ttbar", "other": "single_top", "rate": 5.0}
    of = simulation(toy, config, others=[other])
    regions = fill_all(of, config, [800.0, 1000.0], 0.1)[0].regions
    region = regions[0]
    varied, nominal = (region.values(p, v) for p, v in (("ttbar", "generator_up"), ("single_top", "nominal")))
    np.testing.assert_allclose(varied, 5 * nominal, rtol=1e-9)
    both = region.variances("ttbar", "generator_up") + region.variances("ttbar")
    np.testing.assert_allclose(region.shift_variance["ttbar", "generator_up"], both, rtol=1e-9)
    assert "generator_up" not in region.variations("qcd")


def test_a_fitted_range_without_events_is_refused(toy):
    config = config_with()
    tev = config.model_copy(update={"fit": config.fit.model_copy(update={"min": 0.4, "max": 2.4})})
    with pytest.raises(
        ConfigError, match=r"inference\.fit: no event has mass_jj from 0\.4 to 2\.4, found \d+"
    ):
        fill_all(simulation(toy, tev), tev, [800.0, 1000.0], 0.1)


def test_a_demonstration_says_what_is_lacking_with_weights_scaled(toy, tmp_path):
    """Of tt̄ scaled away nothing is missed; of what is not scaled too few events are selected all the same."""
    config = config_with(categories=0, select="tags > 9", scale={"ttbar": 1e-6})
    make_model(simulation(toy, config), tmp_path, config=config, systematics=[], background_uncertainty=0.1)
    about = json.loads((tmp_path / "hypotheses.json").read_text())["1000"]
    (note,) = (note for note in about["notes"] if "not computable" in note)
    assert note.startswith("even with weights scaled: not computable from this simulation: qcd has ")
    assert "ttbar" not in note
    assert (about["remark"], note.partition("scaled: ")[2]) == ("", about["lacking"])


def test_factors_of_other_events_are_refused(toy):
    path = toy / "weights" / "pt.parquet"
    events = pq.read_table(toy / "events" / "ttbar.parquet")
    number, fold = (events[name].to_numpy() for name in ("event", "fold"))
    factors = read_factors(path, "ttbar", "up", number, fold)
    some = fold < 4
    np.testing.assert_array_equal(read_factors(path, "ttbar", "up", number[some], fold[some]), factors[some])
    with pytest.raises(FileError, match="has other events of 'ttbar' than were scored"):
        read_factors(path, "ttbar", "up", number[some][1:], fold[some][1:])
    assert sides_of(path) == ["up", "down"]


def test_the_limit_is_that_of_the_same_model_written_by_hand(model, limit):
    (region,) = json.loads((model / "templates.json").read_text())["regions"].values()
    of = region["processes"]
    backgrounds = ["qcd", "ttbar", "single_top"]
    unit = limit["cross_section_fb"] / 0.4
    samples = [
        {
            "name": "s",
            "data": [unit * x for x in of["signal_1000"]["nominal"]["values"]],
            "modifiers": [{"name": "mu", "type": "normfactor", "data": None}],
        }
    ] + [{"name": name, "data": of[name]["nominal"]["values"], "modifiers": []} for name in backgrounds]
    by_hand = pyhf.Model({"channels": [{"name": "c", "samples": samples}]}, poi_name="mu")
    data = np.sum([of[name]["nominal"]["values"] for name in backgrounds], axis=0)
    pyhf.set_backend("numpy", pyhf.optimize.scipy_optimizer())
    found = limit["limits"]["statistics"]
    for point in found["scan"][:: len(found["scan"]) // 2]:
        _, expected = pyhf.infer.hypotest(
            point["mu"], list(data), by_hand, test_stat="qtilde", return_expected_set=True
        )
        assert point["expected"] == pytest.approx([float(x) for x in expected], abs=1e-6)
    assert 0 < found["expected"][2] < limit["limits"]["systematics"]["expected"][2]


def test_workspace_and_patches_open_with_pyhf(model, limit):
    workspace = pyhf.Workspace(json.loads((model / "workspace.json").read_text()))
    assert workspace.model().config.poi_name == "mu"
    background = pyhf.Workspace(json.loads((model / "background.json").read_text()))
    patches = pyhf.PatchSet(json.loads((model / "patchset.json").read_text()))
    patches.verify(background)
    assert [patch.name for patch in patches] == ["mass_800", "mass_1000"]
    (region,) = json.loads((model / "templates.json").read_text())["regions"].values()
    about = json.loads((model / "hypotheses.json").read_text())
    for mass in ("800", "1000"):
        patched = patches.apply(background, f"mass_{mass}")
        samples = {s["name"]: s["data"] for s in patched["channels"][0]["samples"]}
        assert set(samples) == {f"signal_{mass}", "qcd", "ttbar", "single_top"}
        unit = about[mass]["unit"]
        for name, data in samples.items():
            factor = unit if name.startswith("signal") else 1.0
            values = np.array(region["processes"][name]["nominal"]["values"])
            np.testing.assert_allclose(data, factor * values, rtol=1e-12)
        pyhf.schema.validate(patched, "workspace.json")
    assert patches.apply(background, "mass_800") == workspace
    names = {p["parameter"] for p in pd.read_csv(model / "1000" / "pulls.csv").to_dict("records")}
    assert {"mu", "scale", "pt", "rate_qcd"} <= names
    fitted = pd.read_csv(model / "1000" / "postfit.csv")
    assert {"total", "signal_1000", "qcd"} <= set(fitted["process"])
    assert "data" not in set(fitted["process"])  # blinded: what was fitted are the expectations themselves


def test_a_cut_on_the_score_is_better_than_none(toy, limit, tmp_path):
    config = config_with(categories=0)
    make_model(simulation(toy, config), tmp_path, config=config, systematics=[], background_uncertainty=0.1)
    infer(
        tmp_path, tmp_path / "1000", mass="1000", cross_section_fb=0.4, theory_fb=None, luminosity_fb=LUMINOSITY,
        luminosities_fb=[], level=0.95, toys=0, seed=1, unblind=False, groups={},
    )  # fmt: skip
    without = json.loads((tmp_path / "1000" / "limit.json").read_text())
    worse, better = (
        each["limits"]["statistics"]["expected"][2] * each["cross_section_fb"] for each in (without, limit)
    )
    assert better < 0.8 * worse


def test_data_with_a_signal_are_counted_and_fitted_once_unblinded(toy, tmp_path):
    """Events of all processes as often as they are expected: the signal is found at its strength."""
    rng = np.random.default_rng(5)
    drawn = []
    for name, (role, expected, *_) in PROCESSES.items():
        events = pq.read_table(toy / "events" / f"{name}.parquet").to_pandas()
        if role == "background" or name == "h1000":
            number = rng.poisson(expected)
            drawn.append(events.sample(number, replace=True, weights="weight", random_state=int(number)))
    data = pd.concat(drawn, ignore_index=True).assign(weight=1.0)
    (tmp_path / "data").mkdir()
    data.to_parquet(tmp_path / "data" / "recorded.parquet")
    config = config_with(categories=1, data=["recorded"], unblind=True)
    make_model(
        simulation(toy, config),
        tmp_path / "toy",
        config=config,
        systematics=SYSTEMATICS,
        background_uncertainty=0.1,
        data=[tmp_path / "data" / "recorded.parquet"],
    )
    (category,) = pd.read_csv(tmp_path / "toy" / "categories.csv").to_dict("records")
    (region,) = json.loads((tmp_path / "toy" / "templates.json").read_text())["regions"].values()
    edges = np.array(region["edges"])
    mass = np.clip(data["mass_jj"][data["score"] >= category["low"] - 1e-6], edges[0], edges[-1] - 1e-6)
    (observation,) = json.loads((tmp_path / "toy" / "workspace.json").read_text())["observations"]
    assert observation["data"] == np.histogram(mass, edges)[0].tolist()
    infer(
        tmp_path / "toy", tmp_path / "toy" / "1000", mass="1000", cross_section_fb=0.4, theory_fb=None,
        luminosity_fb=LUMINOSITY, luminosities_fb=[], level=0.95, toys=0, seed=1, unblind=True, groups={},
    )  # fmt: skip
    limits = json.loads((tmp_path / "toy" / "1000" / "limit.json").read_text())["limits"]["systematics"]
    assert limits["observed"] > limits["expected"][2]
    pulls = pd.read_csv(tmp_path / "toy" / "1000" / "pulls.csv").set_index("parameter")
    unit = json.loads((tmp_path / "toy" / "hypotheses.json").read_text())["1000"]["unit"]
    strength, error = pulls.loc["mu", ["value", "error"]]
    assert abs(strength * unit - 1) < 3 * error * unit
