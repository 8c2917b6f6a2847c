from __future__ import annotations

import re

import yaml

from jetlens.config.features import FeaturesConfig
from jetlens.expressions.document import features_page
from tests.conftest import ROOT


def test_the_page_of_features_is_that_of_the_table() -> None:
    assert (ROOT / "docs" / "features.md").read_text(encoding="utf-8") == features_page()


def test_the_example_is_a_configuration() -> None:
    content = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", features_page(), re.DOTALL)[0])["features"]
    stream = {"kind": "constituents", "features": ["log_d0"]}
    config = FeaturesConfig.model_validate({**content, "streams": {"a": stream}, "event": ["lead_share"]})
    assert config.stream_recipe("a").features[0].unit == "ln mm"
