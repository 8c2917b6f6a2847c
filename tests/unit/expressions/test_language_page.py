"""Every example of docs/language.md is one."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from jetlens.expressions import ExpressionError, Namespace, check, define
from jetlens.expressions.evaluate import Evaluator
from jetlens.expressions.feature import about_constituents
from jetlens.expressions.functions import FUNCTIONS, METHODS, PROPERTIES
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "language.md").read_text(encoding="utf-8")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)


def test_expressions_of_the_page_are_evaluated(events: Any, names: Namespace) -> None:
    lines = [line for block in blocks("text") for line in block.splitlines()]
    assert len(lines) > 10
    for line in lines:
        about = re.match(r"about ([\w.]+): (.*)", line)
        if about is None:
            assert len(Evaluator(events).values(check(line, names))) == len(events)
        elif "constituents" in about[1]:
            check(about[2], about_constituents(names, "fat_jets"), "number")
        else:
            check(about[2], names.about(about[1]), "number")


def test_choices_of_the_table(events: Any, names: Namespace) -> None:
    table = PAGE.split("## Choosing objects")[1].split("##")[0]
    cells = [line.split(" | ")[0] for line in table.splitlines() if line.startswith("| `")]
    written = [text for cell in cells for text in re.findall(r"`(.*?)`", cell)]
    assert len(written) > 7
    for text in written:
        assert len(Evaluator(events).values(check(text, names))) == len(events), text


def test_definitions_of_the_page(events: Any, names: Namespace) -> None:
    block = blocks("yaml")[0]
    definitions = {
        name: text for name, text in yaml.safe_load(block).items() if name not in names.definitions
    }
    mask = Evaluator(events).mask(check("selected", define(names, definitions), "cut"))
    assert mask.shape == (len(events),)


def test_errors_of_the_page(names: Namespace) -> None:
    rows = re.findall(r"^\| `([^`]*)`[^|]* \| (column \d+: .*) \|$", PAGE, re.MULTILINE)
    assert len(rows) == 4
    for written, error in rows:
        with pytest.raises(ExpressionError) as caught:
            check(written, names, "cut")
        assert error.replace("\\|", "|") in str(caught.value)


def test_every_word_of_the_language_is_on_the_page() -> None:
    words = set(re.findall(r"\w+", PAGE))
    assert not {*FUNCTIONS, *METHODS, *PROPERTIES[4]} - words
