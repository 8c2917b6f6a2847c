"""Every configuration that is shipped must be valid as it stands, and do what it is there for."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import get_args

import pytest
import yaml
from snakemake.utils import update_config

from jetlens.config.load import load, validate
from jetlens.config.models import ModelOptions, stream_names
from jetlens.config.samples import read_samples
from jetlens.config.slices import SLICES, Context, settings_of
from jetlens.figures.table import FIGURES
from tests.conftest import ROOT

SHIPPED = sorted((ROOT / "config").glob("*.yaml"))
STANDALONE = [path for path in SHIPPED if "analysis" in yaml.safe_load(path.read_text(encoding="utf-8"))]
DEMONSTRATION = ROOT / "config" / "demonstration.yaml"
ADDITIONS = [path for path in SHIPPED if path not in (*STANDALONE, DEMONSTRATION)]


@pytest.mark.parametrize("path", STANDALONE, ids=lambda path: path.name)
def test_a_shipped_configuration_is_valid(path: Path) -> None:
    config = load(path)
    assert set(config.training.variants) <= set(config.models)


@pytest.mark.parametrize("path", ADDITIONS, ids=lambda path: path.name)
def test_additions_are_valid_on_top_of_the_demo(path: Path, tmp_path: Path) -> None:
    content = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))
    extra = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert set(extra) == {"models"}
    content["models"] |= extra["models"]
    content["training"]["variants"] = list(extra["models"])
    content["explanation"]["variants"] = []
    content["inference"]["variants"] = []
    content["samples"] = str(ROOT / content["samples"])
    joined = tmp_path / "joined.yaml"
    joined.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    assert set(extra["models"]) <= set(load(joined).models)


def test_the_demonstration_is_labelled_and_trains_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """On top of the paper's configuration; what is simulated, trained and evaluated is handed the same."""
    monkeypatch.chdir(ROOT)
    content, extra = (
        yaml.safe_load((ROOT / "config" / name).read_text(encoding="utf-8"))
        for name in ("paper.yaml", "demonstration.yaml")
    )
    paper = validate(copy.deepcopy(content))
    update_config(content, extra)
    config = validate(content)
    assert set(extra) == {"inference"}
    samples = read_samples(config.samples)
    assert set(config.inference.scale) <= {sample.process for sample in samples.values()}
    for rule, (stage, _) in SLICES.items():
        if stage in ("skim", "features", "training", "evaluation") and rule not in (
            "vary",
            "varied_features",
        ):
            for sample in samples.values():
                wildcards = {"part": next(iter(sample.files)), "sample": sample.name, "stream": "jet1"}
                wildcards |= {"variant": config.training.variants[0], "companion": ""}
                before, after = (
                    settings_of(rule, Context(each, samples, wildcards)) for each in (paper, config)
                )
                assert before == after, rule
    labelled = [entry for entry in FIGURES if any("inference/" in file for file in entry.inputs.values())]
    unscaled = {
        "figure_significance",
        "figure_sculpting",
        "figure_tag_closure",
    }  # of shares, or not of templates
    for entry in labelled:
        for wildcards in entry.jobs(config, samples)[:1]:
            drawn = entry.settings(Context(config, samples, wildcards))
            assert drawn.get("demonstration", False) is (entry.rule not in unscaled), entry.rule


def test_no_two_analyses_share_a_folder_of_results() -> None:
    names = [load(path).analysis for path in STANDALONE]
    assert len(set(names)) == len(names)


def test_the_full_analysis_trains_every_kind_and_differs_from_the_demo_in_nothing_else() -> None:
    demo, full = (load(ROOT / "config" / name) for name in ("config.yaml", "full.yaml"))
    kinds = {
        get_args(kind.model_fields["kind"].annotation)[0] for kind in get_args(get_args(ModelOptions)[0])
    }
    assert {full.models[name].kind for name in full.training.variants} == kinds
    assert len(full.training.seeds) >= 3
    assert demo.features.streams.items() <= full.features.streams.items()
    assert full.features.model_copy(update={"streams": demo.features.streams}) == demo.features
    for name in full.training.variants:
        if not name.endswith("_no_ip"):
            continue
        options = full.models[name].model_dump_json().replace("_no_ip", "")  # the same but for its streams
        assert options == full.models[name.removesuffix("_no_ip")].model_dump_json()
        read = [
            f for stream in stream_names(full.models[name]) for f in full.features.streams[stream].features
        ]
        assert not any("d0" in feature or "dz" in feature for feature in read)
    for key in ("samples", "luminosity_fb", "reading", "skim", "evaluation"):
        assert getattr(full, key) == getattr(demo, key), key
    for name in set(demo.models) & set(full.models):
        assert full.models[name] == demo.models[name], name
    chosen = {"variants", "seeds", "k_fold"}
    assert full.training.model_dump(exclude=chosen) == demo.training.model_dump(exclude=chosen)
