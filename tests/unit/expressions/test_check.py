"""What is refused, and in which words."""

from __future__ import annotations

import pytest

from jetlens.errors import ConfigError
from jetlens.expressions import ExpressionError, Namespace, check, define, parse


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("jets[0].ptt > 300", 9, "jets[0] has no 'ptt'; did you mean 'pt'?"),
        ("(jetss[0].pt > 3)", 2, "unknown name 'jetss'; did you mean 'jets'?"),
        ("nun(jets) > 3", 1, "unknown function 'nun'; did you mean 'num'?"),
        ("fat_jets[0].deltar(jets[0]) > 3", 13, "did you mean 'deltaR'?"),
        ("jets.pt > 30 & jets.b_tag", 11, "needs parentheses"),
        ("(jets.pt > 30) | jets.b_tag > 1", 1, "needs parentheses"),
        ("(met.pt > 3) and (ht > 2)", 1, "write & for 'and'"),
        ("not (met.pt > 3)", 1, "write ~ for 'not'"),
        ("(met.pt > 3) && (ht > 2)", 14, "write &"),
        ("met.pt = 3", 8, "write == to compare"),
        ("jets.pt > 30", 1, "found a boolean per object of jets; a cut is one boolean per event"),
        ("met.pt", 1, "found a number per event; a cut is one boolean per event"),
        ("1 < 2", 1, "compares two numbers"),
        ("met > 200", 1, "'met' is an object per event, which cannot be compared"),
        ("jets.pt > muons.pt", 1, "not the same objects"),
        ("any(jets[jets.pt > 30].pt > jets.pt)", 5, "not the same objects"),
        ("jets[muons.pt > 3].pt[0] > 1", 6, "write a number, a slice [:3] or a condition on jets"),
        ("jets.deltaR(fat_jets) > 1", 6, "not the same objects"),
        ("(jets[0] + met).pt > 1", 2, "no four-vector"),
        ("any(jets) ", 1, "any takes a condition"),
        ("max(jets[0].pt, 3) > 1", 1, "max takes 1 argument, found 2"),
        ("max(met.pt) > 1", 1, "of two numbers: maximum(a, b)"),
        ("jets[0].b_tag > 0", 1, "is a condition already"),
        ("clip(met.pt, 1) > 0", 1, "example: clip(value, low, high)"),
        ("x ^ 2 > 1", 1, "write ** for powers"),
        ("met.pt % 2 > 1", 1, "there is no %"),
        ("jets[0:5:2]", 1, "no step"),
        ("é + jets[0].ptt > 1", 1, "unknown name 'é'"),
        ("10.0 ** 400 * met.pt > 0", 1, "no number that can be calculated with"),
        ("", 1, "nothing is written"),
        ("met.pt > " + "1 + " * 400 + "1", 1000, "at most 1000 are read"),
        ("~" * 60 + "(met.pt > 1)", 41, "nested more than 40 deep"),
        ("met.pt > '3'", 10, "'3' is no number"),
        ("jets[0].__class__ > 1", 9, "has no '__class__'"),
        ("fat_jets[0].tau[5] > 1", 1, "there are tau[0] to tau[4]"),
        ("deltaR(jets[0]) > 1", 1, "unknown function"),
    ],
)
def test_mistakes_are_told_with_their_place(names: Namespace, text: str, column: int, words: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        check(text, names, "cut")
    assert words in str(caught.value)
    assert caught.value.column == column
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("count(jets)", "num(jets)"),
        ("count_b_tagged(jets)", "num(jets[jets.b_tag])"),
        ("abs_eta(fat_jets[0])", "abs(fat_jets[0].eta)"),
        ("pt(jets[0]+jets[1])", "(jets[0] + jets[1]).pt"),
        ("mass(fat_jets[0]+fat_jets[1])", "(fat_jets[0] + fat_jets[1]).mass"),
        ("abs_delta_eta(jets[0], jets[1])", "abs(jets[0].deltaeta(jets[1]))"),
        ("abs_delta_phi(jets[0], met)", "abs(jets[0].deltaphi(met))"),
        ("delta_r(jets[0]+jets[1], fat_jets[0])", "(jets[0] + jets[1]).deltaR(fat_jets[0])"),
        ("min_abs_delta_phi(jets[:3], met)", "min(abs(jets[:3].deltaphi(met)))"),
        ("event.met", "met.pt"),
        ("event.met_phi", "met.phi"),
        ("event.ht", "ht"),
    ],
)
def test_earlier_spellings_are_told_their_new_one(names: Namespace, old: str, new: str) -> None:
    with pytest.raises(ExpressionError, match="is now written") as caught:
        parse(f"{old} > 3")
    assert str(caught.value).endswith(f"is now written {new}")
    check(new, names, "number")


def test_columns_are_those_that_are_read(names: Namespace) -> None:
    for text, expected in {
        "num(jets)": {"jets.pt"},
        "jets[0].eta": {"jets.pt", "jets.eta"},
        "ht + met.pt": {"ht", "met.pt"},
        "num(b_jets)": {"jets.pt", "jets.b_tag"},
        "fat_jets[0].constituents[0].charge": {
            "fat_jets.pt",
            "fat_jets.constituents.pt",
            "fat_jets.constituents.charge",
        },
        "jets[0].deltaphi(met)": {"jets.pt", "jets.phi", "met.phi"},
        "(jets[0] + jets[1]).mass": {f"jets.{leaf}" for leaf in ("pt", "eta", "phi", "mass")},
    }.items():
        assert check(text, names).columns == expected, text
    about = check("pt > 0", names.about("fat_jets.constituents"))
    assert about.columns == {"fat_jets.constituents.pt"}


def test_definitions_may_use_each_other_but_not_in_a_circle(names: Namespace) -> None:
    further = define(names, {"b": "a[0].pt", "a": "b_jets[:2]"})
    assert str(check("b", further).type) == "a number per event"
    assert check("num(a)", further).columns == {"jets.pt", "jets.b_tag"}
    with pytest.raises(ConfigError, match=r"circle: (a → b → a|b → a → b)"):
        define(names, {"a": "b", "b": "jets[jets.pt > a]"})
    with pytest.raises(ConfigError, match="circle: a → a"):
        define(names, {"a": "a + 1"})
    with pytest.raises(ConfigError, match="'jets': this name is a collection"):
        define(names, {"jets": "jets[jets.pt > 30]"})
    with pytest.raises(ConfigError, match="'two words' is no name"):
        define(names, {"two words": "jets"})
    with pytest.raises(ExpressionError, match="unknown name 'c_jets'"):
        define(names, {"c": "c_jets"})
    doubling = {f"x{k}": f"x{k - 1} + x{k - 1}" if k else "met.pt" for k in range(100)}
    check("x99 > 1", define(names, doubling))
    with pytest.raises(ExpressionError, match="nested too deep"):
        define(names, {f"y{k}": f"y{k - 1} + 1" if k else "met.pt" for k in range(300)})


def test_what_is_expected(names: Namespace) -> None:
    assert check("fat_jets[0] + fat_jets[1]", names, "object").type.record
    assert check("jets[jets.b_tag]", names, "objects").type.axes == ("jets[jets.b_tag]",)
    for text, expect in (
        ("jets", "object"),
        ("jets[0]", "objects"),
        ("jets.pt", "number"),
        ("m_bb", "object"),
    ):
        with pytest.raises(ExpressionError, match="expected"):
            check(text, names, expect)  # type: ignore[arg-type]
