"""What Snakemake would run after edits, several edits in one process: most of a dry run is its start.

Read from standard input: JSON with ``words``, the command line, and ``edits``, lists of {path: text of the file}. They
are written, planned with, and put back. Written: a list of {rule: number of jobs}, or of the message of a refusal.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import sys
from pathlib import Path

from snakemake.cli import main


def plan(words: list[str]) -> dict[str, int] | str:
    """Dry-run once."""
    text = io.StringIO()
    status = 0
    with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
        try:
            main(words)
        except SystemExit as stop:
            status = int(stop.code or 0)
    if status:
        return text.getvalue()
    # every variant is explained by a rule of its own, and every variation scored by one
    pattern = r"^(explain|score_varied|\w+?)(?:(?<=explain)_\w+|(?<=score_varied)_\w+)? +(\d+)$"
    counts = re.findall(pattern, text.getvalue(), flags=re.MULTILINE)
    return {name: int(number) for name, number in counts if name not in ("all", "analysis", "total")}


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    plans = []
    for edit in asked["edits"]:
        before = {path: Path(path).read_bytes() for path in edit}
        for path, content in edit.items():
            Path(path).write_text(content, encoding="utf-8")
        plans.append(plan(asked["words"]))
        for path, old in before.items():
            Path(path).write_bytes(old)
    json.dump(plans, sys.stdout)
