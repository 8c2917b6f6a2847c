"""What the section of limits refuses before anything runs."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from jetlens.config.inference import OWN_COLUMNS, InferenceConfig
from jetlens.config.load import validate
from jetlens.errors import ConfigError
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("change", "words"),
    [
        *(
            ({"observables": {"mass_jj": "x", name: "x"}}, "choose another name")
            for name in (*OWN_COLUMNS, "score_m800")
        ),
        ({"unblind": True}, "no sample is named as data"),
        ({"fit": {"observable": "mas_jj"}}, "did you mean 'mass_jj'"),
        ({"select": "tags >= 2"}, "tags"),
    ],
)
def test_what_cannot_be_is_told(change: dict[str, Any], words: str) -> None:
    content = {"variants": ["one"], "observables": {"mass_jj": "x"}}
    InferenceConfig.model_validate(content)
    with pytest.raises(ValidationError, match=words):
        InferenceConfig.model_validate(content | change)


@pytest.mark.parametrize(
    ("tags", "also", "words"),
    [
        (
            {},
            [],
            "inference.tag_weights.flavour: 'Flavor' of jets is not read; add 'jets.Flavor' to reading.also",
        ),
        ({"tag": "b_tagg"}, ["jets.Flavor"], "jets have no tag 'b_tagg'; did you mean 'b_tag'"),
        ({"collection": "jet"}, [], "no collection 'jet' is read; did you mean 'jets'"),
        ({"correction": "e"}, [], "corrections, correction and inputs go together"),
        ({"pt_edges": [50, 30]}, [], "expected rising numbers"),
        ({"patterns": 1}, [], "greater than or equal to 2"),
    ],
)
def test_what_tag_weights_need(tags: dict[str, Any], also: list[str], words: str) -> None:
    content = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))
    content["reading"]["also"] = also
    content["inference"]["tag_weights"] = tags
    with pytest.raises(ConfigError) as error:
        validate(content)
    assert words in str(error.value)


def test_the_true_flavour_is_no_feature() -> None:
    content = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))
    content["reading"]["also"] = ["jets.Flavor"]
    content["features"]["define"] = {"cheat": {"of": "event", "expression": "num(jets[jets.Flavor == 5])"}}
    content["features"]["event"] = ["cheat"]
    content["training"]["augmentation"] = []
    with pytest.raises(
        ConfigError, match=r"features\.event: made of what no detector measures \(jets\.Flavor\)"
    ):
        validate(content)
    content["features"] |= {"define": {}, "event": ["log_ht"]}
    content["variations"] = {"b": {"kind": "weight", "up": "prod(where(jets.Flavor == 5, 1.02, 1))"}}
    validate(content)
