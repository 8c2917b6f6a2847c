"""The table of figures against the functions it names, the configuration and the sample table."""

import inspect
import pkgutil
from importlib import import_module

import pytest

import jetlens.figures
from jetlens.config.load import load
from jetlens.config.samples import read_samples
from jetlens.figures.table import FIGURES, Context, targets
from tests.conftest import ROOT

ENTRIES = pytest.mark.parametrize("entry", FIGURES, ids=lambda entry: entry.rule)


@pytest.fixture(scope="module")
def demo():
    """The demo with a background model and tag weights, so that every figure is asked for."""
    config = load(ROOT / "config" / "config.yaml")
    abcd = {"model": "abcd", "processes": ["QCD light"], "tagged": "score > 0"}
    abcd |= {"window": "mass_jj > 900", "sideband": "mass_jj < 600"}
    data = config.model_dump(mode="json")
    data["inference"] |= {"background": abcd, "tag_weights": {}}
    data["reading"]["also"] = ["jets.Flavor"]
    config = type(config).model_validate(data)
    return Context(config, read_samples(ROOT / config.samples))


def contexts(entry, demo):
    return [
        Context(demo.config, demo.samples, wildcards) for wildcards in entry.jobs(demo.config, demo.samples)
    ]


@ENTRIES
def test_functions_take_what_the_table_hands_them(entry, demo):
    settings = entry.settings(contexts(entry, demo)[0])
    inspect.signature(entry.function()).bind(
        outputs=[], csv=None, figures=None, **dict.fromkeys(entry.inputs), **settings
    )


@ENTRIES
def test_captions_are_complete(entry, demo):
    for context in contexts(entry, demo):
        text = entry.text(context)
        assert len(text) > 100
        assert not set("{}") & set(text)


def test_constituents_without_a_place_have_no_image_and_no_map(demo):
    data = demo.config.model_dump(mode="json")
    for name in ("jet1", "jet2"):
        data["features"]["streams"][name]["features"] = ["delta_eta", "delta_phi", "charge"]
    data["training"]["augmentation"] = []
    config = type(demo.config).model_validate(data)
    drawn = {entry.rule for entry in FIGURES if list(entry.jobs(config, demo.samples))}
    everything = {entry.rule for entry in FIGURES if list(entry.jobs(demo.config, demo.samples))}
    assert {"figure_jet_images", "figure_relevance", "figure_single_events"} <= everything - drawn
    assert "figure_roc" in drawn


def test_every_drawing_function_has_its_line():
    modules = [m.name for m in pkgutil.iter_modules(jetlens.figures.__path__)]
    found = {
        f"{module}.{name}"
        for module in modules
        for name, entry in vars(import_module(f"jetlens.figures.{module}")).items()
        if name.startswith("draw_") and entry.__module__ == f"jetlens.figures.{module}"
        if "outputs" in inspect.signature(entry).parameters
    }
    used_by_others = {"maps.draw_maps"}
    assert found - used_by_others == {entry.draw for entry in FIGURES}


def test_names_and_rules_are_unique(demo):
    assert len({entry.rule for entry in FIGURES}) == len(FIGURES)
    names = targets(demo.config, demo.samples)
    assert len(set(names)) == len(names) > len(FIGURES)


def parameters(demo, config):
    """All that the rules are handed, by figure."""
    return {
        entry.name.format(**context.wildcards): (entry.look(config), entry.settings(context))
        for entry in FIGURES
        for context in contexts(entry, Context(config, demo.samples))
    }


def changed(demo, path, value):
    """Which figures are drawn again when one key of ``figures`` has another value."""
    data = demo.config.model_dump(mode="json")
    section = data
    *keys, last = path.split(".")
    for key in keys:
        section = section[key]
    assert section.get(last) != value
    section[last] = value
    before, after = (parameters(demo, config) for config in (demo.config, type(demo.config)(**data)))
    return {name for name in before if before[name] != after[name]}


def test_a_key_draws_again_what_depends_on_it(demo):
    assert changed(demo, "figures.label", "x") == set(targets(demo.config, demo.samples))
    assert changed(demo, "figures.kinematics.met.bins", 7) == {"kinematics/met"}
    assert changed(demo, "figures.formats", ["png"]) == set()
    processes = {
        name
        for name in targets(demo.config, demo.samples)
        if name.split("/")[0] in ("kinematics", "cutflow", "scores", "postfit", "sculpting", "variations")
    }
    name = next(iter(demo.samples.values())).process
    assert changed(demo, "figures.processes", {name: {"color": "#123456"}}) == processes
    label = {
        **demo.config.model_dump(mode="json")["figures"]["variants"],
        "gradient_boosting": {"label": "trees"},
    }
    everything = targets(demo.config, demo.samples)
    own = {"training", "scores", "limits", "postfit", "pulls", "sculpting", "closure", "variations"}
    of_variant = {
        name for name in everything if name.split("/")[0] in own and "gradient_boosting" in name.split("/")
    }
    of_all = {"roc", "rejection", "significance", "limits_of_all", "luminosity/1000"}
    assert changed(demo, "figures.variants", label) == of_variant | of_all
    weighed = ("kinematics", "cutflow", "significance", "limits", "limits_of_all", "postfit")
    luminosity = {name for name in everything if name.split("/")[0] in weighed}
    assert changed(demo, "luminosity_fb", 1) == luminosity
