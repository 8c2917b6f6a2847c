import html
import re

import pytest

from jetlens.explanation.believed import page
from jetlens.explanation.verdict import verdicts


@pytest.fixture
def tests():
    order = {
        "deletion": {"minus_matched": [1.0, 0.1], "minus_pt": [0.5, 0.4]},
        "comprehensiveness": {"0.2": [1.25, 0.1]},
        "sufficiency": {"0.2": [-0.75, float("nan")]},
    }
    ways = {way: {"orders": {"m": order}, "all_removed": [2.0, 0.2]} for way in ("masked", "replaced")}
    row = {
        "pt": [0.3, 0.01],
        "number": [0.2, 0.01],
        "methods": {"m": {"share": [0.6, 0.02], "minus_pt": [0.3, 0.03]}},
    }
    content = {
        "tests": {"signal": ways},
        "seeds": [1, 2],
        "events": {"signal": 10},
        "masked_judged_by": "companion",
        "lies_on": {"signal": {"displaced tracks": row}},
        "agreement": {
            "between_seeds": {"m": [0.8, 0.02]},
            "between_methods": {"m": {}},
            "with_pt": {"m": None},
        },
        "random_weights": {"m": [{"randomised": 1.0, "rank_correlation": [0.05, 0.05]}]},
        "random_labels": {
            "m": {"permuted": [0.12, 0.11], "less": [0.68, 0.11], "trainings": [0.0, 0.1, 0.26]}
        },
    }
    return content | {"verdicts": verdicts(content)}


def test_the_page_shows_every_criterion_number_and_threshold(tests):
    text = page("<net>", tests)
    assert "&lt;net&gt;" in text
    for criterion in tests["verdicts"]["m"]["criteria"]:
        assert html.escape(criterion["question"]) in text
        assert criterion["found"] in text
    for number in (
        "1.25 ± 0.10",
        "−0.75",
        "2.00 ± 0.20",
        "0.60 ± 0.02",
        "0.30 ± 0.03",
        "0.80 ± 0.02",
        "0.12 ± 0.11",
    ):
        assert f">{number}<" in text or f" {number} " in text
    assert "nan" not in text.lower()
    assert "2 standard errors" in text
    assert "5 of 7" in text  # pT order is not beaten
    assert "companions of the networks" in text


def test_the_page_needs_nothing_else(tests):
    assert not re.search(r"(src|href)=|http|@import|url\(", page("net", tests))


def test_what_is_not_known_leaves_its_cell_empty(tests):
    tests["lies_on"] = {}
    tests["agreement"]["between_seeds"]["m"] = [None, None]
    assert "None" not in page("net", tests)


def test_what_was_not_asked_is_said(tests):
    tests["random_labels"] = {}
    assert page("net", tests | {"verdicts": verdicts(tests)}).count(">not asked<") == 2


def test_who_judges_is_said(tests):
    assert "never seen jets without" in page("net", tests | {"masked_judged_by": "itself"})
