"""Ten thousand expressions that nobody meant: none executes anything, none crashes."""

from __future__ import annotations

import contextlib
import random
import sys
import warnings
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jetlens.expressions import ExpressionError, Namespace, check, parse
from jetlens.expressions.evaluate import Evaluator
from jetlens.expressions.functions import FUNCTIONS, METHODS, PROPERTIES

_WATCHED = (
    "exec",
    "import",
    "open",
    "os.",
    "subprocess.",
    "socket.",
    "ctypes.",
    "shutil.",
    "marshal.",
    "pickle.",
)
_seen: list[str] = []
_watching = False


def _hook(event: str, _: Any) -> None:
    if _watching and event.startswith(_WATCHED):
        _seen.append(event)


sys.addaudithook(_hook)

HOSTILE = (
    *(
        "__import__('os').system('true')",
        "().__class__.__bases__[0].__subclasses__()",
        "eval('1')",
        "exec('x=1')",
    ),
    *(
        "open('/etc/passwd').read()",
        "(lambda: 1)()",
        "[x for x in ()]",
        "jets.__reduce__",
        "f'{jets}'",
        "\x00",
        "`ls`",
    ),
    *(
        "globals()['x']",
        "jets.pt.layout",
        "jets[0].behavior",
        "jets.tolist()",
        "yield 1",
        "await x",
        "*jets",
        "x := 1",
    ),
    *(
        "9**9**9",
        "1e308 * 1e308",
        "10**1000",
        "-" * 900 + "1",
        "(" * 300,
        "jets" + "[0]" * 200,
        "1_000j",
        "...",
        "'a' * 9",
    ),
    *(
        "jets.pt ** jets.pt ** jets.pt",
        "num(num(jets))",
        "1 if jets else 2",
        "print(1)",
        "breakpoint()",
        "0x" + "f" * 800,
    ),
)


def _random(rng: random.Random, depth: int) -> str:
    """An expression put together at random from the language's words, sometimes with something foreign."""
    if depth == 0 or rng.random() < 0.1:
        names = (
            "jets",
            "fat_jets",
            "muons",
            "met",
            "ht",
            "b_jets",
            "m_bb",
            "pt",
            "eta",
            "jets[0]",
            "fat_jets[1]",
            "jets.pt",
        )
        return rng.choice((*names, "2", "0.5", "-1", "True", "'a'", "1e400", rng.choice(HOSTILE)))
    one, two = _random(rng, depth - 1), _random(rng, depth - 1)
    member = rng.choice((*PROPERTIES[4], "b_tag", "constituents", "tau", "__dict__"))
    signs = ("+", "-", "*", "/", "**", "<", ">=", "==", "!=", "&", "|", "and", "%", "<<", "in", ",")
    return rng.choice(
        (
            f"({one} {rng.choice(signs)} {two})",
            f"({one}) {rng.choice(signs)} ({two})",
            f"{rng.choice(FUNCTIONS)}({one})",
            f"{rng.choice(FUNCTIONS)}({one}, {two})",
            f"{one}.{member}",
            f"{one}.{rng.choice((*METHODS, 'tolist'))}({two})",
            f"{one}[{two}]",
            f"{one}[{rng.choice((0, 1, -1, 5, ':2', '1:', '::2'))}]",
            f"{rng.choice('~-+!')}{one}",
        )
    )


NUMBERS = [
    "jets.pt",
    "jets.eta",
    "fat_jets.mass",
    "met.pt",
    "ht",
    "jets[0].pt",
    "num(jets)",
    "fat_jets[0].deltaR(jets[0])",
    "2",
    "0.5",
    "0",
    "-1",
    "m_bb",
    "jets.deltaR(fat_jets[0])",
    "jets.b_tag",
    "(jets.pt > 30)",
    "sum(fat_jets.constituents.pt)",
    "b_jets.pt",
    "muons.pt",
    "fat_jets.constituents.eta",
]
OBJECTS = [
    "jets",
    "fat_jets",
    "b_jets",
    "jets[jets.pt > 40]",
    "fat_jets[:2]",
    "jets[0]",
    "fat_jets[-1]",
    "(jets[0] + jets[1])",
    "sum(jets)",
    "jets[1:]",
    "muons",
    "jets[argmax(jets.mass)]",
    "fat_jets[0].constituents",
    "fat_jets.constituents",
]
PATTERNS = [
    "({0} {sign} {1})",
    "({0} > {1}) {logic} ({2} < {0})",
    "{reducer}({0})",
    "{two}({0}, {1})",
    "where({0} > 0, {1}, {2})",
    "-{0}",
    "clip({0}, 0, 5)",
    "{object}.{member}",
    "{object}.{method}({other})",
    "{object}[{0}]",
    "num({object})",
    "~({0} > {1})",
    "{object}[{other}.pt > {0}].pt",
    "{number}[{index}]",
    "({0})[:{index}]",
    "0 < {0} < {1}",
]


def _sensible(rng: random.Random, depth: int) -> str:
    """An expression of the right words in the right places; half of these are accepted, and must have values."""
    if depth == 0:
        return rng.choice(NUMBERS)
    words = {
        "sign": rng.choice(["+", "-", "*", "/", "**", "<", ">", "<=", ">=", "==", "!="]),
        "logic": rng.choice("&|"),
        "reducer": rng.choice(FUNCTIONS),
        "two": rng.choice(("hypot", "minimum", "maximum", "arctan2", "fill_none")),
        "object": rng.choice(OBJECTS),
        "other": rng.choice(OBJECTS),
        "member": rng.choice(PROPERTIES[4]),
        "method": rng.choice(list(METHODS)),
        "number": rng.choice(NUMBERS),
        "index": rng.randint(-2, 3),
    }
    return rng.choice(PATTERNS).format(*(_sensible(rng, depth - 1) for _ in range(3)), **words)


def test_ten_thousand_random_expressions(events: Any, names: Namespace) -> None:
    global _watching
    rng = random.Random(1)
    texts = [_sensible(rng, 1 + k % 3) for k in range(5_000)]
    texts += [*HOSTILE, *(_random(rng, 1 + k % 4) for k in range(5_000 - len(HOSTILE)))]
    accepted, refused = [], 0
    _seen.clear()
    _watching = True
    try:
        for text in texts:
            try:
                accepted.append(check(text, names))
            except ExpressionError:
                refused += 1
    finally:
        _watching = False
    assert not _seen
    assert len(accepted) + refused == 10_000
    different = list({checked.node.key: checked for checked in accepted}.values())
    assert len(different) > 200
    some = events[:12]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for checked in rng.sample(different, 100):
            values = Evaluator(some).values(checked)
            assert checked.type.constant or len(values) == len(some), checked.text


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=40) | st.text("jetspm.[]()<>&|~:0129+-*/ =\"'", max_size=40))
def test_any_text(text: str) -> None:
    with contextlib.suppress(ExpressionError):
        assert parse(text).text


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_expressions_are_refused(names: Namespace, text: str) -> None:
    with pytest.raises(ExpressionError):
        check(text, names, "cut")
