"""What the section of limits refuses before anything runs."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from jetlens.config.inference import OWN_COLUMNS, InferenceConfig


@pytest.mark.parametrize(
    ("change", "words"),
    [
        *(
            ({"observables": {"mass_jj": "x", name: "x"}}, "choose another name")
            for name in (*OWN_COLUMNS, "score_m800")
        ),
        ({"unblind": True}, "leave unblind: false"),
        ({"fit": {"observable": "mas_jj"}}, "did you mean 'mass_jj'"),
        ({"select": "tags >= 2"}, "tags"),
    ],
)
def test_what_cannot_be_is_told(change: dict[str, Any], words: str) -> None:
    content = {"variants": ["one"], "observables": {"mass_jj": "x"}}
    InferenceConfig.model_validate(content)
    with pytest.raises(ValidationError, match=words):
        InferenceConfig.model_validate(content | change)
