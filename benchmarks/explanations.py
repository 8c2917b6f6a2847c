"""All explainers on one table: agreement with leave-one-out, the logit that goes with what they mark, the verdict.

    python benchmarks/explanations.py results/<analysis> [results/<analysis> …]

Reads what the explanation stage wrote; for the table of the documentation run it with every method of
`explanation.methods`, all transformers in `explanation.variants`, `explanation.events: 500`, `test_events: 500` and
three `training.seeds`. Columns: Spearman's rank correlation with leave-one-out, mean over events of both classes; the
logit that events of a class lose with the first 20 % taken away, masked and replaced; the verdict.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pandas as pd

from jetlens.files import read_json

SHARE = "0.2"


def rows(path: Path) -> list[dict[str, Any]]:
    """Return the table of one variant."""
    content = read_json(path)
    agreement, tests = content["agreement"]["between_methods"], content["tests"]
    orders = next(iter(tests.values()))["replaced"]["orders"]
    table = []
    for name in orders:
        row: dict[str, Any] = {"variant": content["variant"], "order": name}
        row["with leave-one-out"] = pair(agreement.get(name, {}).get("leave_one_out"))
        for kind, ways in tests.items():
            for way, entry in ways.items():
                row[f"{kind}, {way}"] = pair(entry["orders"][name]["comprehensiveness"][SHARE])
        row["verdict"] = content["verdicts"].get(name, {}).get("verdict", "").partition(":")[0]
        table.append(row)
    return table


def pair(value: list[float] | None) -> str:
    """Return mean and error as text."""
    return "" if value is None else f"{value[0]:.2f} ± {value[1]:.2f}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", nargs="+", type=Path)
    folders = parser.parse_args().results
    found = [path for folder in folders for path in sorted(folder.glob("explanation/*/faithfulness.json"))]
    print(pd.DataFrame([row for path in found for row in rows(path)]).to_string(index=False))


if __name__ == "__main__":
    main()
