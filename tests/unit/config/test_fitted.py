"""Which samples are trained on, which are fitted, and which only stand for others."""

from dataclasses import replace
from typing import Any

import pytest

from jetlens.config import Config
from jetlens.config.fitted import fitted_samples, normalised_samples, scored_samples, trained_samples
from jetlens.config.load import load
from jetlens.config.samples import Sample
from jetlens.config.slices import Context, settings_of
from tests.conftest import ROOT

TABLE = {
    name: Sample(name, process, role, {"p": f"{name}.root"}, 1.0, mass_gev=mass)  # type: ignore[arg-type]
    for name, process, role, mass in (
        ("s", "H", "signal", 1000.0),
        ("qcd", "QCD", "background", None),
        ("ttbar", "tt̄", "background", None),
        ("herwig", "tt̄", "background", None),
        ("d", "Data", "application", None),
    )
}


def config_of(variations: dict[str, Any], limits: bool = True) -> Config:
    content = load(ROOT / "config" / "config.yaml").model_dump()
    content["variations"] = variations
    content["inference"]["variants"] = content["training"]["variants"][:1] if limits else []
    return Config.model_validate(content)


@pytest.mark.parametrize("limits", [True, False])
def test_another_generators_sample_is_for_its_variation_alone(limits: bool) -> None:
    config = config_of({"generator": {"kind": "sample", "instead": {"ttbar": "herwig"}}}, limits)
    assert set(trained_samples(config, TABLE)) == {"s", "qcd", "ttbar"}
    assert set(fitted_samples(config, TABLE)) == {"s", "qcd", "ttbar"}
    assert set(scored_samples(config, TABLE)) == {"s", "qcd", "ttbar", "herwig"}
    # it is selected and normalised for limits alone
    assert ("herwig" in normalised_samples(config, TABLE)) is limits

    def names(rule: str) -> set[str]:
        return {row["name"] for row in settings_of(rule, Context(config, TABLE))["samples"]}

    assert names("classes") == names("cutflow") == {"s", "qcd", "ttbar"}
    assert ("herwig" in names("normalisation")) is limits


def test_without_the_variation_it_is_a_sample_like_any_other() -> None:
    config = config_of({})
    assert set(trained_samples(config, TABLE)) == {"s", "qcd", "ttbar", "herwig"}


def test_its_mass_is_no_hypothesis_of_background() -> None:
    table = TABLE | {"s2": replace(TABLE["s"], name="s2", mass_gev=800.0)}
    content = config_of({"generator": {"kind": "sample", "instead": {"s": "s2"}}}).model_dump()
    content["features"]["event"] = [*content["features"]["event"], "log_mass_hypothesis"]
    context = Context(Config.model_validate(content), table, {"sample": "qcd", "part": "p"})
    assert settings_of("event_features", context)["recipe"]["hypotheses"] == [1000.0]
