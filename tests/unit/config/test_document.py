"""What is generated from the configuration's classes is in step with them."""

from jetlens.config.document import REFERENCE, SCHEMA, schema, with_reference
from tests.conftest import ROOT


def test_the_schema_is_in_step() -> None:
    assert (ROOT / SCHEMA).read_text(encoding="utf-8") == schema(), "run: make schemas"


def test_the_reference_is_in_step() -> None:
    text = (ROOT / REFERENCE).read_text(encoding="utf-8")
    assert with_reference(text) == text, "run: make schemas"
