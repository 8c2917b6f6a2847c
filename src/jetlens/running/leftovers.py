"""Results that the configuration no longer makes, such as figures of a variant that was taken out: they are told."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

REPORTED = ("application", "evaluation", "explanation", "figures", "inference")
"""Folders that a reader takes results from; what else is there may be wanted again, and is dear to make."""
WHOLE = "hepdata"
"""Folder that is written whole, in place of what was there, where one of its files is an output."""
NAMED = 3


def leftovers(results: Path, outputs: Collection[str]) -> list[Path]:
    """Return reported files that are no output of any step, nor in a folder that is one; sorted.

    Args:
        results: folder of the analysis.
        outputs: of all steps of the configuration, done or not.
    """
    made = {Path(output) for output in outputs}
    made |= {path.parent for path in made if path.parent.name == WHOLE}
    files = (path for name in REPORTED for path in sorted((results / name).rglob("*")) if path.is_file())
    return [path for path in files if made.isdisjoint((path, *path.parents))]


def told(results: Path, outputs: Collection[str]) -> str:
    """Return a line that says what is left over, nothing if nothing is."""
    found = leftovers(results, outputs)
    if not found:
        return ""
    few = ", ".join(str(path.relative_to(results)) for path in found[:NAMED])
    more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
    return f"jetlens: {results} also has files of an earlier configuration: {few}{more}; delete them if not wanted"
