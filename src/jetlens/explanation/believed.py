"""The page of a variant that asks whether its explanations can be believed: every number of the tests, and a verdict.

The page needs nothing else. All of it is computed from what ``faithfulness.json`` holds.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jetlens.config.explanation import title_of
from jetlens.explanation.randomised import RANDOMISED
from jetlens.explanation.verdict import AGREE, FORGOTTEN, SIGMAS

SHARE = "0.2"
"""Share of the constituents taken away or left alone in the tables."""
NAMES = {"pt": "pT order", "d0": "|d0| order", "best": "greedy search, best", "worst": "greedy search, worst"}
WORDS = {True: ("yes", "good"), False: ("no", "bad"), None: ("?", "open")}
STYLE = (
    "body{font-family:sans-serif;max-width:68em;margin:2em auto;padding:0 1em;color:#222;line-height:1.45}"
    "table{border-collapse:collapse;margin:.6em 0 1.4em}td,th{border:1px solid #ccc;padding:.25em .6em;text-align:left}"
    "th{background:#f3f3f3}td.n{text-align:right;white-space:nowrap}tr.rule td{background:#f7f7f7;color:#555}"
    ".good{background:#dcefdc}.bad{background:#f6d9d5}.open{background:#eee}"
    "p.caption{color:#555;margin:.2em 0}h1,h3{overflow-wrap:anywhere}"
    "@media(max-width:40em){table{display:block;overflow-x:auto}h1{font-size:1.4em}}"
)
JUDGES = {
    "companion": "judged by companions of the networks, trained on with 0 to 100 % of the constituents dropped",
    "itself": "judged by the networks themselves, which have never seen jets without some of their constituents: "
    "believe these less than those where constituents are replaced",
}


def page(variant: str, tests: Mapping[str, Any]) -> str:
    """Return the page as HTML.

    Args:
        variant: its name.
        tests: content of ``faithfulness.json``, verdicts included.
    """
    title = f"Can the explanations of {variant} be believed?"
    counts = ", ".join(f"{number} {kind}" for kind, number in tests["events"].items())
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        f"<p>{counts} test events, {len(tests['seeds'])} training(s). Errors are standard errors over events. "
        f"Masked constituents are {JUDGES[tests['masked_judged_by']]}; replaced ones make room for those of "
        "other real jets, of the same rank in pT.</p>",
        "<h2>In short</h2>",
        _short(tests),
        _thresholds(),
        "<h2>What goes with the constituents that are marked</h2>",
        *_removals(tests["tests"]),
        "<h2>Where the relevance lies</h2>",
        *_places(tests.get("lies_on", {})),
        "<h2>Who agrees with whom</h2>",
        _agreement(tests["agreement"], tests["random_labels"]),
        "<h2>The questions, one by one</h2>",
        *_questions(tests["verdicts"]),
    ]
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{html.escape(title)}</title>"
        f"<style>{STYLE}</style>{''.join(parts)}</html>\n"
    )


def _short(tests: Mapping[str, Any]) -> str:
    rows = []
    for method, entry in tests["verdicts"].items():
        asked = [c["passed"] for c in entry["criteria"] if c["passed"] is not None]
        kind = "good" if asked and all(asked) else "open" if not asked else "bad" if not any(asked) else ""
        cells = [
            _cell(_name(method)),
            _cell(entry["verdict"], kind),
            _cell(f"{sum(asked)} of {len(asked)}", "n"),
        ]
        rows.append((cells, ""))
    return _table(("method", "verdict", "questions passed"), rows)


def _thresholds() -> str:
    return (
        "<p>Thresholds: an order beats another if the logit it takes away, averaged over the curve, is more by "
        f"over {SIGMAS:g} standard errors of the difference, event by event (of few events by Student's factor "
        f"more). Trainings agree from a mean rank correlation of {AGREE:g} on. With random weights its mean over "
        f"{RANDOMISED} networks must lie within ±{FORGOTTEN:g}. A method that never beats chance among "
        "constituents of equal pT cannot be believed; one that fails more than half of all tests hardly; one that "
        "passes everything can, as a ranking; in between: with care. Networks trained on permuted labels must get "
        f"explanations that agree with those of true labels less than two seeds do, by over {SIGMAS:g} standard "
        "errors over trainings (Student's factor more); not asked without explanation.permuted_labels. An explanation "
        "that is true to the network makes no network right.</p>"
    )


def _removals(tests: Mapping[str, Any]) -> Iterable[str]:
    """One table of the logit lost per class: 20 % taken away, or alone left, both ways."""
    for kind, ways in tests.items():
        columns = [(way, label) for label in ("comprehensiveness", "sufficiency") for way in ways]
        orders = next(iter(ways.values()))["orders"]
        rows = []
        for name in orders:
            own = [ways[way]["orders"].get(name) for way, _ in columns]
            cells = [
                _cell(_pair(entry[label][SHARE]) if entry else "", "n")
                for entry, (_, label) in zip(own, columns, strict=True)
            ]
            rule = name in NAMES or "matched in pt" in name
            rows.append(([_cell(_name(name)), *cells], "rule" if rule else ""))
        header = [f"first {100 * float(SHARE):g} % {_verb(label)}, {way}" for way, label in columns]
        everything = ", ".join(f"{_pair(entry['all_removed'])} ({way})" for way, entry in ways.items())
        yield _table(
            ("order", *header),
            rows,
            f"{kind}: logit lost in favour of the class. More is better where constituents are taken away, less where "
            f"they are left alone. With all of them away: {everything}. Grey: yardsticks; the "
            "greedy search is one for the first training, whose order all others share.",
        )


def _places(places: Mapping[str, Any]) -> Iterable[str]:
    for kind, groups in places.items():
        rows = []
        for method in next(iter(groups.values()))["methods"]:
            cells = [_cell(_name(method))]
            for group in groups.values():
                found = group["methods"][method]
                cells += [_cell(_pair(found[key]), "n") for key in ("share", "minus_pt")]
            rows.append((cells, ""))
        for key, name in (("pt", "pT"), ("number", "number of constituents")):
            cells = [_cell(name)]
            for group in groups.values():
                cells += [_cell(_pair(group[key]), "n"), _cell("")]
            rows.append((cells, "rule"))
        header = [text for group in groups for text in (group, "less the share of pT")]
        yield _table(("share of", *header), rows, f"{kind}: of what speaks for the class")


def _agreement(agreement: Mapping[str, Any], labels: Mapping[str, Any]) -> str:
    methods = list(agreement["between_seeds"])
    between = agreement.get("between_methods", {})
    rows = []
    for method in methods:
        cells = [_cell(_name(method)), _cell(_pair(agreement["between_seeds"][method]), "n")]
        cells.append(_cell(_pair(labels[method]["permuted"]) if labels else "not asked", "n"))
        cells.append(_cell(_pair(agreement.get("with_pt", {}).get(method)), "n"))
        cells += [_cell(_pair(between.get(method, {}).get(other)), "n") for other in methods]
        rows.append((cells, ""))
    header = ("method", "between trainings", "with permuted labels", "with pT", *map(_name, methods))
    return _table(header, rows, "mean rank correlation over events")


def _questions(verdicts: Mapping[str, Any]) -> Iterable[str]:
    for method, entry in verdicts.items():
        rows = []
        for criterion in entry["criteria"]:
            word, kind = WORDS[criterion["passed"]]
            rows.append(
                ([_cell(criterion["question"]), _cell(criterion["found"], "n"), _cell(word, kind)], "")
            )
        yield f"<h3>{html.escape(_name(method))}</h3><p><b>{html.escape(entry['verdict'])}</b></p>"
        yield _table(("question", "found", ""), rows)


def _table(header: Sequence[str], rows: Sequence[tuple[Sequence[str], str]], caption: str = "") -> str:
    """Return a table; rows are cells and a class."""
    top = "".join(f"<th>{html.escape(text)}</th>" for text in header)
    body = "".join(f'<tr class="{kind}">{"".join(cells)}</tr>' for cells, kind in rows)
    above = f'<p class="caption">{html.escape(caption)}</p>' if caption else ""
    return f"{above}<table><tr>{top}</tr>{body}</table>"


def _cell(text: str, kind: str = "") -> str:
    return f'<td class="{kind}">{html.escape(text)}</td>'


def _pair(value: Sequence[float | None] | None) -> str:
    """Return mean and error as text, empty where there is none."""
    if value is None or value[0] is None or value[0] != value[0]:
        return ""
    error = "" if value[1] is None or value[1] != value[1] else f" ± {value[1]:.2f}"
    return f"{value[0]:.2f}{error}".replace("-", "−")


def _name(order: str) -> str:
    return NAMES.get(order, title_of(order).replace("matched in pt", "shuffled at equal pT"))


def _verb(label: str) -> str:
    return "taken away" if label == "comprehensiveness" else "alone left"
