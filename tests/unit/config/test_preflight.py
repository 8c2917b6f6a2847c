"""What would end a run late is refused before it starts."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from jetlens.config.load import validate
from jetlens.config.preflight import preflight
from jetlens.config.reading import ReadingConfig
from jetlens.config.samples import Sample
from jetlens.config.skim import SkimConfig
from jetlens.config.slices import Context, settings_of
from jetlens.errors import ConfigError
from tests.conftest import ROOT

SAMPLE = Sample("s", "tt̄", "signal", {"a": "a.root"}, 1.0)


def changed(change: Any = None) -> Any:
    content = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))
    content["inference"]["variants"] = []
    if change:
        change(content)
    return validate(content)


def test_the_demo_passes() -> None:
    preflight(changed(), {"s": SAMPLE})


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            lambda c: c["figures"]["kinematics"]["met"].update(label="$E_T^{miss$"),
            "figures.kinematics.met.label: matplotlib cannot draw '$E_T^{miss$'",
        ),
        (
            lambda c: c["figures"]["kinematics"]["met"].update(label="$\\nosuchsymbol$"),
            "figures.kinematics.met.label: matplotlib cannot draw",
        ),
        (lambda c: c["figures"].update(label="$\\sqrt{s}"), "figures.label: '$\\sqrt{s}' has a $ without"),
        (lambda c: c["skim"]["cuts"][0].update(name="$\\geq$ 2 $\\frac{$"), "skim.cuts[0].name: matplotlib"),
    ],
)
def test_text_that_cannot_be_drawn(change: Any, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        preflight(changed(change), {"s": SAMPLE})
    assert expected in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_process_that_cannot_be_drawn() -> None:
    with pytest.raises(ConfigError, match=r"process of sample 's': matplotlib cannot draw"):
        preflight(changed(), {"s": replace(SAMPLE, process="$t\\bar{t$")})


def test_companions_that_are_not_there(tmp_path: Path) -> None:
    """And those that are there are inputs of the skim; a schema's file is part of what it is handed."""
    schema = tmp_path / "mine.yaml"
    schema.write_text((ROOT / "config" / "schemas" / "three_streams.yaml").read_text(encoding="utf-8"))
    config = changed()
    config = config.model_copy(
        update={"reading": ReadingConfig(format=str(schema)), "skim": SkimConfig(cuts=[])}
    )
    sample = replace(SAMPLE, files={"a": str(tmp_path / "sig_1.npz")})
    with pytest.raises(ConfigError) as caught:
        preflight(config, {"s": sample})
    assert [f"sig_{n}.npz: does not exist" in str(caught.value) for n in (1, 2, 3)] == [False, True, True]
    with pytest.raises(ConfigError, match=r"its name has no '_1\.'"):
        preflight(config, {"s": SAMPLE})
    handed = settings_of("skim", Context(config, {"s": sample}, {"sample": "s", "part": "a"}))
    text = schema.read_text(encoding="utf-8")
    schema.write_text(text.replace("mass: 0", "mass: 0.1"), encoding="utf-8")
    assert settings_of("skim", Context(config, {"s": sample}, {"sample": "s", "part": "a"})) != handed


def test_looks_of_processes_that_there_are_not() -> None:
    def change(content: Any) -> None:
        content["figures"]["processes"] = {"tt": {"color": "#123456"}, "tt̄": {"label": "$\\frac{$"}}

    with pytest.raises(ConfigError) as caught:
        preflight(changed(change), {"s": SAMPLE})
    first, second = sorted(str(caught.value).splitlines())
    assert first.startswith("figures.processes.tt̄.label: matplotlib cannot draw")
    assert second.startswith("figures.processes: no sample of config/samples.tsv has the process 'tt'")


def test_a_back_end_that_is_not_installed() -> None:
    if importlib.util.find_spec("torch") is not None:
        pytest.skip("every back end is installed here")
    config = changed(lambda c: c["training"].update(backend="torch"))
    with pytest.raises(
        ConfigError, match=r"training\.backend: 'torch' is not installed here, and 'self_att.*pip"
    ):
        preflight(config, {"s": SAMPLE})
    preflight(config, {"s": SAMPLE}, False)
    trees = changed(
        lambda c: (
            c["training"].update(backend="torch", variants=["gradient_boosting"]),
            c["explanation"].update(variants=[]),
        )
    )
    preflight(trees, {"s": SAMPLE})


BACKGROUND = Sample("b", "QCD", "background", {"a": "b.root"}, 1.0)


@pytest.mark.parametrize(
    ("section", "samples", "expected"),
    [
        ({}, [SAMPLE, BACKGROUND], "sample 's' has no mass_GeV, which limits are set against"),
        ({}, [replace(SAMPLE, mass_gev=1000.0)], "inference.samples: none of role background"),
        (
            {},
            [replace(SAMPLE, mass_gev=900.0), BACKGROUND],
            "inference.cross_sections_fb: no signal of config/samples.tsv has mass_GeV 1000; allowed: 900",
        ),
        (
            {"samples": ["s", "c"]},
            [SAMPLE, BACKGROUND],
            "inference.samples: 'c' is no sample of role signal or",
        ),
        (
            {"data": ["b"]},
            [SAMPLE, BACKGROUND],
            "inference.data: 'b' is no sample of role application; there is none",
        ),
        (
            {"scale": {"tt": 2.0}},
            [SAMPLE, BACKGROUND],
            "inference.scale: no fitted sample has the process 'tt'",
        ),
    ],
)
def test_what_limits_need(section: dict[str, Any], samples: list[Sample], expected: str) -> None:
    config = changed(lambda c: c["inference"].update(variants=["gradient_boosting"], **section))
    with pytest.raises(ConfigError) as caught:
        preflight(config, {sample.name: sample for sample in samples})
    assert expected in str(caught.value)


def test_a_message_about_a_key_has_its_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("a: 1\nfigures:\n  label: $x\n", encoding="utf-8")
    config = changed(lambda c: c["figures"].update(label="$x"))
    with pytest.raises(ConfigError, match=r"mine\.yaml, line 3: figures\.label: '\$x' has a \$ without"):
        preflight(config, {"s": SAMPLE}, sources=[path])


def test_a_file_of_corrections_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "tags.json"
    path.write_text("{}", encoding="utf-8")

    def change(content: Any) -> None:
        tags = {"corrections": str(path), "correction": "b", "inputs": ["pt"]}
        content["inference"] |= {"variants": ["gradient_boosting"], "tag_weights": tags}
        content["reading"]["also"] = ["jets.Flavor"]

    known = {"s": replace(SAMPLE, mass_gev=1000.0), "b": BACKGROUND}
    with pytest.raises(
        ConfigError, match=r"tag_weights\.corrections: .*is no readable correctionlib file"
    ) as error:
        preflight(changed(change), known)
    assert "\n" not in str(error.value)


def test_what_a_mass_hypothesis_needs() -> None:
    config = changed(lambda c: c["features"]["event"].append("log_mass_hypothesis"))
    applied = Sample("d", "Data", "application", {"a": "d.root"})
    with pytest.raises(ConfigError) as caught:
        preflight(config, {"s": SAMPLE, "d": applied})
    first, second = str(caught.value).splitlines()
    assert "sample 's' has no mass_GeV, which log_mass_hypothesis is made of" in first
    assert "sample 'd' has no mass_GeV, the hypothesis at which networks" in second
    preflight(config, {"s": replace(SAMPLE, mass_gev=1000.0), "d": replace(applied, mass_gev=900.0)})


@pytest.mark.parametrize(
    ("variation", "expected"),
    [
        (
            {"kind": "rate", "size": 0.1, "processes": ["QCDD"]},
            "no fitted sample has the process 'QCDD'; did you mean",
        ),
        ({"kind": "sample", "instead": {"bb": "b"}}, "variations.v.instead: 'bb' is no fitted sample"),
        (
            {"kind": "sample", "instead": {"b": "d"}},
            "variations.v.instead.b: 'd' is no sample of role signal or",
        ),
        ({"kind": "sample", "instead": {"b": "s"}}, "variations.v.instead.b: 's' is signal, 'b' background"),
        (
            {"kind": "sample", "instead": {"c": "b"}},
            "variations: nothing of role background is left to train on; b only stand for other samples",
        ),
    ],
)
def test_what_variations_name(variation: dict[str, Any], expected: str) -> None:
    config = changed(
        lambda c: (
            c["inference"].update(variants=["gradient_boosting"]),
            c.update(variations={"v": variation}),
        )
    )
    other = replace(SAMPLE, name="s2", mass_gev=1000.0)
    known = {sample.name: sample for sample in (replace(SAMPLE, mass_gev=1000.0), other, BACKGROUND)}
    with pytest.raises(ConfigError) as caught:
        preflight(config, known)
    assert expected in str(caught.value)
