"""The section of variations: sides, opposites, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from jetlens.config.load import validate
from jetlens.config.variations import Move, ObjectVariation
from jetlens.errors import ConfigError
from tests.conftest import ROOT

DEMO: dict[str, Any] = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))


def objects(**content: Any) -> ObjectVariation:
    return ObjectVariation.model_validate({"kind": "objects", **content})


def test_the_opposite_of_a_scale_and_of_a_shift() -> None:
    moves = objects(scale={"jets": 1.02}, shift={"ht": "10 + pt"}).moves()
    assert moves["up"] == [Move("jets", "scale", "1.02"), Move("ht", "shift", "10 + pt")]
    assert moves["down"] == [Move("jets", "scale", "2 - (1.02)"), Move("ht", "shift", "-(10 + pt)")]


def test_a_smearing_has_no_opposite_unless_given() -> None:
    assert set(objects(scale={"jets": "1 + 0.1 * gauss3"}).moves()) == {"up"}
    down = objects(scale={"jets": "1 + 0.1 * gauss3"}, scale_down={"jets": "1"}).moves()["down"]
    assert down == [Move("jets", "scale", "1")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"kind": "objects"}, "moves nothing; give scale"),
        ({"kind": "objects", "scale": {"jets": "1 +"}}, "scale.jets: '1 +', column 1: cannot be read"),
        ({"kind": "objects", "scale": {"jets": 1}, "shift": {"jets": 1}}, "jets is scaled and shifted up"),
        ({"kind": "objects", "scale": {"jet": 1.1}}, "variations.v.scale.jet: 'jet' cannot be moved; did you mean"),
        ({"kind": "objects", "scale": {"weight": 1.1}}, "'weight' cannot be moved"),
        ({"kind": "objects", "scale": {"jets.mas": 1.1}}, "jets has no number 'mas'; did you mean 'mass'"),
        ({"kind": "objects", "scale": {"jets.b_tag": 1.1}}, "jets has no number 'b_tag'"),
        ({"kind": "objects", "shift": {"jets": 5}}, "name a column: jets.pt"),
        ({"kind": "objects", "scale": {"jets": "1 + ptt"}}, "variations.v.scale.jets: '1 + ptt', column 5: unknown"),
        ({"kind": "objects", "scale": {"jets": "jets.pt"}}, "one number"),
        (
            {"kind": "objects", "scale": {"jets": 1}, "scale_down": {"jets": "gauss"}},
            "variations.v.scale_down.jets: 'gauss', column 1: unknown name",
        ),
        ({"kind": "objects", "scale": {"fat_jets.constituents.d1": 1}}, "has no number 'd1'; allowed: charge, d0"),
        ({"kind": "objects", "scale": {"jets": 1}, "balance": "jts"}, "no collection 'jts' is read"),
        ({"kind": "weight", "up": "jets.pt"}, "variations.v.up: 'jets.pt', column 1: found a number per object"),
        ({"kind": "weight"}, "variations.v.up' is missing"),
        ({"kind": "objects", "scale": {"jets": 102}}, "v.scale.jets: expected a factor between 0 and 2, as down is 2"),
        ({"kind": "objects", "scale": {"jets": 3}, "scale_down": {"jets": 0}}, "v.scale_down.jets: expected a factor"),
        ({"kind": "rate", "size": 0}, "greater than 0"),
        ({"kind": "rate", "size": 6}, "less than or equal to 1, found 6"),
        ({"kind": "sample", "instead": {}}, "expected at least 1 entry"),
        ({"kind": "sample", "instead": {"a": "a"}}, "variations.v.instead.a: stands for itself"),
        ({"kind": "object"}, "unknown kind 'object'; did you mean 'objects'"),
    ],
)  # fmt: skip
def test_what_is_refused(content: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        validate(DEMO | {"variations": {"v": content}})
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_names_of_sides_are_taken() -> None:
    with pytest.raises(ConfigError, match="a name ends in neither _up nor _down"):
        validate(DEMO | {"variations": {"scale_up": {"kind": "rate", "size": 0.1}}})
