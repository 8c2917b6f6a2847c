"""``index.html``: selection, yields, classifiers, explanations, limits, configuration and manifest on one page.

The page is ``page.html`` beside this module, filled by Jinja: nothing in it is fetched from anywhere, so it can be
mailed. Figures are embedded as PNG, the numbers drawn in them as CSV.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jinja2
import pandas as pd
import yaml
from docutils.core import publish_parts  # type: ignore[import-untyped]
from markupsafe import Markup

from jetlens.files import read_json, write_text
from jetlens.report.tables import TABLES, measured, read_table

CATEGORIES = ("Selection", "Classifiers", "Explanation", "Inference")
LARGEST_CSV = 400_000
"""Bytes of a figure's numbers up to which the page holds them; larger ones are named."""


def write_page(output: Path, folder: Path, *, shown: Mapping[str, Any], captions: Path) -> None:
    """Write the page of results of a finished analysis.

    Args:
        output: the page.
        folder: ``results/<analysis>``, with ``manifest.json``.
        shown: what :func:`jetlens.report.contents` returns.
        captions: folder of the tables' captions, reStructuredText, that Snakemake's report shares.
    """
    manifest = read_json(folder / "manifest.json")
    config = manifest["config"]
    sections = [
        {
            "name": category,
            "tables": _tables(category, folder, shown["variants"], config, captions),
            "figures": [
                _figure(entry, folder) for entry in shown["figures"] if entry["category"] == category
            ],
        }
        for category in CATEGORIES
    ]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    page = environment.get_template("page.html").render(
        manifest=manifest,
        config=config,
        configuration=yaml.safe_dump(config, allow_unicode=True, sort_keys=False),
        samples=shown["samples"],
        sections=[section for section in sections if section["tables"] or section["figures"]],
        findings=_findings(folder, shown["variants"], demonstration=bool(config["inference"]["scale"])),
        verdicts=_verdicts(folder, shown["variants"]),
        pages=_pages(folder, shown["variants"]),
    )
    write_text(output, page)


def html_of(text: str) -> Markup:
    """Return reStructuredText as HTML."""
    settings = {"report_level": 5, "file_insertion_enabled": False, "raw_enabled": False}
    parts = publish_parts(text, writer="html5", settings_overrides=settings)
    return Markup(parts["body"])


def _tables(
    category: str, folder: Path, names: Mapping[str, str], config: Mapping[str, Any], captions: Path
) -> list[dict[str, Any]]:
    settings = {
        "evaluation": config["evaluation"],
        "background_uncertainty": config["evaluation"]["background_uncertainty"],
    }
    seen = SimpleNamespace(params=SimpleNamespace(settings=settings), config=config)
    found = []
    for entry in TABLES:
        if entry.category == category and (folder / entry.file).exists():
            caption = jinja2.Template((captions / f"{entry.caption}.rst").read_text(encoding="utf-8"))
            about = {"file": entry.file, "title": entry.title, "folded": entry.folded}
            table = read_table(entry, folder, names)
            found.append({**about, "caption": html_of(caption.render(snakemake=seen)), "table": table})
    return found


def _figure(entry: Mapping[str, str], folder: Path) -> dict[str, Any]:
    """Return a figure with its caption, and as data URLs its picture and its numbers."""
    picture, numbers = (folder / "figures" / f"{entry['name']}.{suffix}" for suffix in ("png", "csv"))
    small = numbers.stat().st_size <= LARGEST_CSV
    width, height = _size(picture) if picture.exists() else (1, 1)
    return {
        **entry,
        "caption": html_of(entry["caption"]),
        "wide": width > 1.5 * height,
        "picture": _data_url(picture, "image/png") if picture.exists() else None,
        "numbers": _data_url(numbers, "text/csv") if small else None,
        "download": entry["name"].replace("/", "_") + ".csv",
    }


def _size(picture: Path) -> tuple[int, int]:
    """Return width and height of a PNG [pixels], from its header."""
    with picture.open("rb") as stream:
        width, height = struct.unpack(">II", stream.read(24)[16:])
    return width, height


def _data_url(path: Path, kind: str) -> Markup:
    return Markup(f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode('ascii')}")


def _findings(folder: Path, names: Mapping[str, str], *, demonstration: bool) -> list[str]:
    """Return the results in sentences: who classifies best, by how much, and the limits."""
    tables = {entry.file: entry for entry in TABLES}
    raw = _records(folder / "evaluation/summary.csv")
    best = max(raw, key=lambda row: float(row["auc"]))
    name = names.get(best["variant"], best["variant"])
    found = [f"Largest AUC: {name}, {measured(best['auc'], best['auc_error'])}."]
    found += _rivals(best["variant"], _records(folder / "evaluation/comparison.csv"), names)
    if (folder / "inference/limits.csv").exists():
        limits = read_table(tables["inference/limits.csv"], folder, names)
        for row in limits.to_dict("records"):
            text = f"{row['classifier']}, {row['mass [GeV]']} GeV: "
            text = f"Demonstration with scaled weights, {text}" if demonstration else text
            limit = f"expected limit on σ·B {row.get('expected [fb]')} fb (±1σ{row.get('±1σ')})"
            found.append(text + (limit if row.get("expected [fb]") else row.get("remark", "no limit")))
    return found


def _rivals(best: str, rows: Sequence[Mapping[str, str]], names: Mapping[str, str]) -> list[str]:
    """Return which classifiers cannot be told apart from the best one."""
    pairs = [(row, row["second"] if row["first"] == best else row["first"]) for row in rows
             if best in (row["first"], row["second"])]  # fmt: skip
    close = [names.get(other, other) for row, other in pairs if float(row["p_value_holm"] or 1) > 0.05]
    if not pairs:
        return []
    if not close:
        return [
            "Its difference to each other classifier is significant (p < 0.05, corrected for all comparisons)."
        ]
    return [f"Not distinguishable from it (p > 0.05, corrected for all comparisons): {', '.join(close)}."]


def _records(path: Path) -> list[dict[str, str]]:
    return pd.read_csv(path, dtype=str, keep_default_na=False).to_dict("records")  # type: ignore[return-value]


def _verdicts(folder: Path, names: Mapping[str, str]) -> list[dict[str, str]]:
    """Return by variant and method what the tests of explanations say."""
    found = []
    for path in sorted(folder.glob("explanation/*/faithfulness.json")):
        variant = path.parent.name
        for method, entry in read_json(path)["verdicts"].items():
            found.append(
                {
                    "classifier": names.get(variant, variant),
                    "method": method.replace("_", " "),
                    "verdict": entry["verdict"],
                }
            )
    return found


def _pages(folder: Path, names: Mapping[str, str]) -> list[dict[str, str]]:
    """Return the pages that lie beside this one."""
    found = sorted(path.relative_to(folder) for path in folder.glob("explanation/*/*.html"))
    return [
        {
            "path": str(path),
            "text": f"{path.stem.replace('_', ' ')}, {names.get(path.parts[1], path.parts[1])}",
        }
        for path in found
    ]
