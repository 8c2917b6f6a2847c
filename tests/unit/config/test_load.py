"""Configuration errors must name file, line, key, what was found and what is allowed."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from snakemake.utils import update_config

from jetlens.config.load import _on_top, load, validate
from jetlens.errors import ConfigError
from tests.conftest import ROOT

DEMO = (ROOT / "config" / "config.yaml").read_text(encoding="utf-8")


def message(tmp_path: Path, old: str, new: str) -> str:
    """The error of the demo configuration with one place changed."""
    assert DEMO.count(old) >= 1
    path = tmp_path / "mine.yaml"
    path.write_text(DEMO.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(path)
    return str(caught.value)


def line_of(text: str) -> int:
    return next(n for n, line in enumerate(DEMO.splitlines(), 1) if text in line)


def test_the_demo_configuration_is_valid() -> None:
    config = load(ROOT / "config" / "config.yaml")
    assert config.analysis == "demo"
    assert set(config.training.variants) <= set(config.models)


def test_a_misspelt_key_is_named_with_its_line_and_the_right_word(tmp_path: Path) -> None:
    text = message(tmp_path, "luminosity_fb:", "luminosity_bf:")
    assert (
        f"mine.yaml, line {line_of('luminosity_fb:')}: unknown key 'luminosity_bf'; did you mean 'luminosity_fb'?"
        in text
    )
    assert "key 'luminosity_fb' is missing" in text


def test_a_misspelt_key_deep_inside_a_stream(tmp_path: Path) -> None:
    text = message(tmp_path, "max_tokens: 50", "max_token: 50")
    assert (
        f"line {line_of('max_tokens: 50')}: unknown key 'features.streams.jet1.max_token'; did you mean 'max_tokens'?"
        in text
    )


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "luminosity_fb: 3000",
            "luminosity_fb: -3",
            "luminosity_fb: input should be greater than 0, found -3",
        ),
        ("luminosity_fb: 3000", "luminosity_fb: .inf", "luminosity_fb"),
        (
            "luminosity_fb: 3000",
            "luminosity_fb:",
            "luminosity_fb: input should be a valid number, found nothing",
        ),
        (
            "kind: constituents",
            "kind: constituent",
            "unknown kind 'constituent'; did you mean 'constituents'?",
        ),
        ("alignment: none", "alignment: sideways", "features.streams.jet1.alignment"),
        (
            "luminosity_fb: 3000",
            "luminosity_fb: 3000/fb",
            "found '3000/fb'; write the number alone, without a unit",
        ),
        ("epochs: 20", "epochs: true", "training.epochs: expected a number, found true"),
        (
            "epochs: 20",
            "epochs: ten",
            "training.epochs: input should be a valid integer, found 'ten'; write the number alone, without a unit or",
        ),
        (
            "warmup_epochs: 1\n",
            "warmup_epochs: 21\n",
            "training.warmup_epochs: 21 is more than the 20 epochs of",
        ),
        (
            "analysis: demo",
            "analysis: no",
            "found False; put it in quotes: YAML reads yes, no, on and off as",
        ),
        (
            "analysis: demo",
            "analysis: 2024",
            "analysis: input should be a valid string, found 2024; put it in quotes",
        ),
        ("formats: [pdf, png]", "formats: []", "figures.formats: expected at least 1 entry, found none"),
        ("formats: [pdf, png]", "formats: pdf", "found 'pdf'; write a list, as [a, b]"),
        ("test: [0, 1]", "test: [0, 2]", "fold 2 is in both test and validation"),
        ("test: [0, 1]", "test: [0, 17]", "fold 17 does not exist"),
        (
            "seeds: [1, 2]",
            "seeds: [1, -2]",
            "training.seeds[1]: input should be greater than or equal to 0, found -2",
        ),
        (
            "analysis: demo",
            "analysis: my demo",
            "analysis: expected a name of letters, digits and '_' that begins with a letter, found 'my demo'",
        ),
        (
            "  self_attention:  ",
            "  self-attention:  ",
            "models: key 'self-attention' is not a name of letters, digits",
        ),
        (
            '{"1000": 2.705}',
            '{"1 TeV": 2.705}',
            "inference.cross_sections_fb: key '1 TeV' is not a mass in GeV",
        ),
        (
            '{"1000": 2.705}',
            "{1000: 2.705}",
            "inference.cross_sections_fb: key 1000 is no text; put it in quotes",
        ),
        (
            "  categories: 1 ",
            "  background: {model: factorised, processes: [QCD], passes: [score > 0], of: [score]}\n  categories: 1 ",
            "inference.background.passes: expected at least 2 entries, found 1",
        ),
        (
            "  categories: 1 ",
            "  background: {model: abcd, tag: score > 0}\n  categories: 1 ",
            "unknown key 'inference.background.tag'; did you mean 'tagged'?",
        ),
        (
            "  label: Delphes simulation ",
            "  processes: {QCD 3b: {color: blue}}\n  label: x ",
            "figures.processes.QCD 3b.color: expected a colour as '#1f77b4', found 'blue'",
        ),
        ("min: 2}", "minimum: 2}", "unknown key 'skim.cuts[0].minimum'; did you mean 'min'?"),
        (
            'electrons: "(pt',
            'electron: "(pt',
            "no collection 'electron' is read; did you mean 'electrons'?",
        ),
    ],
)
def test_wrong_values(tmp_path: Path, old: str, new: str, expected: str) -> None:
    text = message(tmp_path, old, new)
    assert expected in text
    assert "mine.yaml" in text


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("max_objects: {jets: 10,", "max_objects: {jets: 100000000,", "max_objects.jets"),
        ("max_objects: {jets: 10,", "max_objects: {jets: 1e8,", "max_objects.jets"),
        ("max_tokens: 50", "max_tokens: 1000000", "jet1.max_tokens"),
        ("unit: GeV, bins: 20, min: 300", "unit: GeV, bins: 1000000, min: 300", "kinematics.pt_j1.bins"),
        ("bins: 20                     # cells", "bins: 1000000 # cells", "explanation.bins"),
        ("width: 32 ", "width: 1000000 ", "self_attention.width"),
        ("head: [64] ", "head: [64000000] ", "self_attention.head[0]"),
        ("heads: 2, feed_forward: 64}", "heads: 2, feed_forward: 10000000}", "encoder.feed_forward"),
        ("energy_tev: 14 ", "energy_tev: 14000 ", "figures.energy_tev"),
        ("dpi: 160", "dpi: 160000", "figures.dpi"),
        ("seeds: [1, 2]", "seeds: [1, 99999999999]", "training.seeds[1]"),
        ("learning_rate: 0.002 ", "learning_rate: 2 ", "training.learning_rate"),
        ("background_uncertainty: 0.1 ", "background_uncertainty: 10 ", "evaluation.background_uncertainty"),
    ],
)
def test_absurd_sizes(tmp_path: Path, old: str, new: str, key: str) -> None:
    text = message(tmp_path, old, new)
    lines = text.splitlines()  # an anchor is used in several places: each is named
    assert any(f"{key}: input should be " in line and ", found " in line for line in lines), text


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda c: c.update(skim=None), "skim: expected keys and values, found nothing"),
        (lambda c: c.update(skim=[]), "skim: expected keys and values, found a list"),
        (lambda c: c.update(training="fast"), "training: expected keys and values, found 'fast'"),
        (lambda c: c["models"].update(mine={"width": 3}), "models.mine: key 'kind' is missing"),
    ],
)
def test_sections_that_are_none(change: Any, expected: str) -> None:
    content = yaml.safe_load(DEMO)
    change(content)
    with pytest.raises(ConfigError) as caught:
        validate(content)
    assert expected in str(caught.value)
    assert "None" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("variants: [self_attention,", "variants: [self_atention,", "training.variants: unknown variant"),
        ("    stream: jet1\n", "    stream: jet9\n", "models.self_attention: features.streams has no stream"),
        ("folds: 12", "folds: 10", "features.split: fold 10 does not exist"),
        ("abs(fat_jets[1].eta)", "abs(fat_jets[1].etta)", "skim.cuts[2].quantity: 'abs"),
        ("[delta_eta, delta_phi,", "[delta_etta, delta_phi,", "features.streams.jet1: unknown feature"),
    ],
)
def test_checks_between_sections_name_a_line_of_the_key(
    tmp_path: Path, old: str, new: str, named: str
) -> None:
    text = message(tmp_path, old, new).splitlines()[0]
    assert named in text
    number = int(text.partition(", line ")[2].partition(":")[0])
    section = named.partition(":")[0].rpartition(".")[2].partition("[")[0]
    near = "\n".join(DEMO.splitlines()[max(0, number - 2) : number + 1])
    assert section in near or "quantity" in near, (number, section)


def test_truth_that_is_read_by_its_own_name_is_no_feature() -> None:
    content = yaml.safe_load(DEMO)
    content["reading"]["also"] = ["jets.Flavor"]
    own = {"of": "event", "symmetry": "invariant", "fill": 0, "expression": "jets[0].Flavor"}
    content["features"] |= {"define": {"flavour": own}, "event": ["flavour"]}
    with pytest.raises(ConfigError, match=r"made of what no detector measures \(jets\.Flavor\)"):
        validate(content)


@pytest.mark.parametrize("column", ["weight", "event_number"])
def test_what_tells_the_sample_is_no_feature(column: str) -> None:
    """Generator weights and ranges of event numbers differ between samples."""
    content = yaml.safe_load(DEMO)
    own = {"of": "event", "symmetry": "invariant", "expression": f"ht * {column}"}
    content["features"] |= {"define": {"told": own}, "event": ["told"]}
    with pytest.raises(
        ConfigError, match=rf"features\.event: made of what no detector measures \({column}\)"
    ):
        validate(content)
    content["features"]["event"] = ["log_ht"]
    content["features"]["define"]["told"]["of"] = "tokens"
    content["features"]["streams"]["kinematics"]["features"] = ["told"]
    with pytest.raises(
        ConfigError, match=rf"streams\.kinematics: made of what no detector measures \({column}\)"
    ):
        validate(content)


def test_what_is_to_be_read_and_does_not_exist() -> None:
    content = yaml.safe_load(DEMO)
    content["reading"]["also"] = ["Jet.Flavor"]
    with pytest.raises(ConfigError, match=r"reading\.also: .* has no 'Jet\.Flavor'; did you mean 'jets'"):
        validate(content)


def test_nothing_need_be_explained() -> None:
    content = yaml.safe_load(DEMO)
    del content["explanation"]
    assert validate(content).explanation.variants == []


def test_masses_are_written_as_in_the_sample_table() -> None:
    content = yaml.safe_load(DEMO)
    content["inference"]["cross_sections_fb"] = {"1000.0": 2.705}
    assert validate(content).inference.cross_sections_fb == {"1000": 2.705}


def test_tags_that_are_drawn_later_are_not_cut_on() -> None:
    content = yaml.safe_load(DEMO)
    content["reading"]["also"] = ["jets.Flavor"]
    content["inference"]["tag_weights"] = {}
    assert validate(content)
    content["define"] = {"b_jets": "jets[jets.b_tag]"}
    content["skim"]["cuts"].append({"name": "a b jet", "cut": "num(b_jets) > 0"})
    with pytest.raises(
        ConfigError, match=r"skim\.cuts\[8\]\.cut: asks for jets\.b_tag, which inference\.tag_w"
    ):
        validate(content)


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    path = tmp_path / "windows.yaml"
    path.write_text(DEMO, encoding="utf-8-sig")
    assert load(path).analysis == "demo"


def test_an_unknown_variant_is_an_error(tmp_path: Path) -> None:
    first = load(ROOT / "config" / "config.yaml").training.variants[0]
    text = message(tmp_path, f"variants: [{first}", f"variants: [{first}x")
    assert f"unknown variant '{first}x'; did you mean '{first}'?" in text


def test_a_variant_with_an_unknown_stream_is_an_error(tmp_path: Path) -> None:
    text = message(tmp_path, "    jet2:\n", "    jet3:\n")
    assert "no stream 'jet2'" in text


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("- a\n- b\n", "expected keys and values, found a list"),
        ("a: [1,\n", r"broken\.yaml, line 2, column 1: is not valid YAML"),
        (
            "a:\n\tb: 1\n",
            r"broken\.yaml, line 2, column 1: is not valid YAML: .*; indent with spaces, not tabs",
        ),
        ("", "expected keys and values, found nothing"),
        (
            "a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\n",
            r"broken\.yaml, line 5: key 'b\.c' is there twice, first in line 3",
        ),
        ("a: 1\nb: [{c: 1, c: 2}]\na: 2\n", r"line 3: key 'a' is there twice, first in line 1"),
        ("a: 1\nb 2\nc: 3\n", r"line 2, column 1: is not valid YAML: while scanning a simple key"),
        (
            "a: !!python/name:os.system x\n",
            r"line 1, column 4: is not valid YAML: could not determine a constructor",
        ),
        ("a:\n  <<: [1]\n", r"line 2, column 8: is not valid YAML"),
        ("b: [{c: 1, c: 2}]\n", r"line 1: key 'b\[0\]\.c' is there twice"),
    ],
)
def test_files_that_are_no_configuration(tmp_path: Path, content: str, expected: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=expected):
        load(path)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot be read: No such file"):
        load(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "  leading_jets: 2 ",
            "  leading_jets: 1 ",
            "features.streams.jet2.jet: constituents of fat jet 1 are never read, found reading.leading_jets: 1; "
            "set that to 2 or more",
        ),
        (
            "  leading_jets: 2 ",
            "  branches: {muons: null}\n  leading_jets: 2 ",
            "skim.objects: no collection 'muons' is read; allowed: electrons, fat_jets, jets",
        ),
        (
            "  leading_jets: 2 ",
            "  branches: {met: null}\n  leading_jets: 2 ",
            "figures.kinematics.met.quantity: 'met.pt', column 1: unknown name 'met'",
        ),
        (
            "  leading_jets: 2 ",
            "  jets: Jet\n  leading_jets: 2 ",
            "reading: 'jets' is now in 'branches': {jets: Jet}",
        ),
        (
            "  format: delphes ",
            "  format: delfi ",
            "unknown schema 'delfi'; allowed: delphes, nanoaod; a schema of your own is a path",
        ),
    ],
)
def test_what_is_never_read_cannot_be_used(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert expected in message(tmp_path, old, new)


def test_what_only_simulation_knows_is_no_feature_by_any_way() -> None:
    content = yaml.safe_load(DEMO)
    fields = {"flavour": {"branch": "{}.BTag", "truth": True}}
    content["reading"] = {"format": {"extends": "delphes", "collections": {"jets": {"fields": fields}}}}
    content["define"] = {"hidden": "sum(jets.flavour)"}
    own = {"of": "event", "symmetry": "invariant", "fill": 0}
    for text in ("sum(jets.flavour)", "hidden / ht", "num(jets[jets.flavour > 4])"):
        content["features"]["define"] = {"told": own | {"expression": text}}
        content["features"]["event"] = ["told"]
        with pytest.raises(ConfigError, match=r"features\.event: made of what no .* \(jets\.flavour\)"):
            validate(content)


def test_an_object_must_fulfil_a_condition() -> None:
    content = yaml.safe_load(DEMO)
    content["skim"]["objects"]["jets"] = "pt"
    with pytest.raises(
        ConfigError, match=r"skim\.objects\.jets: 'pt', column 1: found a number per object of jets"
    ):
        validate(content)


def test_own_features_that_are_none_or_do_not_say_how_they_turn() -> None:
    content = yaml.safe_load(DEMO)
    own = {"of": "constituents", "expression": "log(maximum(abs(d0), 1e-3))"}
    content["features"]["define"] = {"log_d0": own}
    content["features"]["streams"]["jet1"]["features"].append("log_d0")
    for change, expected in (
        ({}, "in features.streams.jet1, feature 'log_d0' declares no symmetry"),
        (
            {"symmetry": "invariant", "expression": "log(maximum(abs(d00), 1e-3))"},
            "unknown name 'd00'; did you mean 'd0'?",
        ),
        ({"symmetry": "invariant", "expression": "jets.pt"}, "expected one number per event"),
        ({"of": "event"}, "unknown feature of constituents 'log_d0'"),
    ):
        content["features"]["define"] = {"log_d0": own | change}
        with pytest.raises(ConfigError) as caught:
            validate(content)
        assert expected in str(caught.value)
    content["features"]["define"] = {"log_d0": own | {"symmetry": "invariant"}}
    assert validate(content).features.define
    content["features"]["define"]["eta"] = {"of": "tokens", "expression": "eta"}
    with pytest.raises(ConfigError, match="there is a feature of tokens of this name"):
        validate(content)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            'tokens: ["fat_jets[0]"',
            'tokens: ["fat_jet[0]"',
            "features.streams.kinematics: 'fat_jet[0]', column 1: unknown",
        ),
        (
            "{jets: 10,",
            "{jet: 10,",
            "features.streams.objects: 'jet', column 1: unknown name 'jet'; did you mean 'jets'?",
        ),
        (
            'tokens: ["fat_jets[0]"',
            'tokens: ["fat_jets"',
            "column 1: found a list of fat_jets; expected one object",
        ),
    ],
)
def test_tokens_that_are_none(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert expected in message(tmp_path, old, new)


@pytest.mark.parametrize(
    ("source", "quantity"),
    [
        ("muons", "num(muons)"),
        ("muons", "abs(muons[0].eta)"),
        ("muons", "min(abs(muons[:2].deltaphi(jets[0])))"),
        ("met", "abs(jets[0].deltaphi(met))"),
    ],
)
def test_a_cut_on_what_is_never_read(source: str, quantity: str) -> None:
    content = yaml.safe_load(DEMO)
    content["features"]["streams"]["objects"]["max_objects"] = {"jets": 4}
    content["figures"]["kinematics"] = {}
    content["skim"] = {"cuts": [{"name": "cut", "quantity": quantity, "min": 0}]}
    assert validate(content).skim.cuts
    content["reading"]["branches"] = {source: None}
    with pytest.raises(ConfigError, match=rf"skim.cuts\[0\].quantity: .*'{source}'"):
        validate(content)


def test_a_configuration_in_another_encoding(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes("analysis: demo\nsamples: Vorschläge.tsv\n".encode("latin-1"))
    with pytest.raises(
        ConfigError, match=r"latin\.yaml: is not UTF-8 text, found byte 0xe4 in line 2; save it as"
    ):
        load(path)


CONTENT = st.recursive(
    st.none() | st.integers() | st.lists(st.integers()),
    lambda inner: st.dictionaries(st.sampled_from("xyz"), inner),
)
SECTIONS = st.dictionaries(st.sampled_from("xyz"), CONTENT)


@given(SECTIONS, SECTIONS)
def test_a_file_goes_on_top_of_another_as_in_snakemake(below: dict[str, Any], above: dict[str, Any]) -> None:
    expected = copy.deepcopy(below)
    update_config(expected, copy.deepcopy(above))
    assert _on_top(below, above) == expected


def test_a_problem_is_in_the_file_whose_value_is_in_force(tmp_path: Path) -> None:
    """The upper file's list stands in place of the lower one's, which has the key that is missing in it."""
    cut = "{quantity: num(jets), min: 1}"
    for name, cuts in (("low", f"[{{name: a, {cut[1:]}]"), ("top", f"[{cut}]")):
        (tmp_path / f"{name}.yaml").write_text(f"skim:\n  cuts: {cuts}\n", encoding="utf-8")
    files = [tmp_path / "low.yaml", tmp_path / "top.yaml"]
    with pytest.raises(ConfigError) as raised:
        load(ROOT / "config/config.yaml", *files)
    assert str(raised.value).startswith(f"{files[1]}, line 2: key 'skim.cuts[0].name' is missing")
