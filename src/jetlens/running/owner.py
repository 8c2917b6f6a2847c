"""Whose results a folder holds: two configurations with one ``analysis:`` name must not overwrite each other unnoticed.

``results/<analysis>/configuration.json`` names the configuration files of the last run. A file that was moved, removed,
or given another ``analysis:`` no longer lays claim to the folder; one that was edited is the same file.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from jetlens.config.load import read_yaml
from jetlens.errors import ConfigError
from jetlens.files import read_json, write_json

FILE = "configuration.json"
TAKE_OVER = "take_over"
"""Key of Snakemake's ``--config`` that says that overwriting is meant; no key of a configuration file."""

Source = str | os.PathLike[str]


def check_owner(results: Path, sources: Sequence[Source], analysis: str) -> None:
    """Refuse a configuration whose results would go where another one's are.

    Args:
        results: the folder of results.
        sources: the configuration files, in the order in which they are merged.
        analysis: the ``analysis`` name that both would have.

    Raises:
        ConfigError: naming both.
    """
    try:
        before = [str(path) for path in read_json(results / FILE)["files"]]
    except (OSError, ValueError, KeyError, TypeError):
        return
    now = _real(sources)
    if not now or now == before or not _claims(before, analysis):
        return
    raise ConfigError(
        f"{', '.join(now)}: 'analysis: {analysis}' is also the name in {', '.join(before)}, whose results are in "
        f"{results} and would be overwritten; rename one, or add --config {TAKE_OVER}=true if that is meant"
    )


def claim(results: Path, sources: Sequence[Source]) -> None:
    """Write down whose results a run makes."""
    if sources:
        write_json(results / FILE, {"files": _real(sources)})


def _real(sources: Sequence[Source]) -> list[str]:
    return [os.path.realpath(source) for source in sources]


def _claims(sources: Sequence[str], analysis: str) -> bool:
    """Whether these files are still there, and still of that name."""
    try:
        contents = [read_yaml(source) for source in sources]
    except ConfigError:
        return False
    names = [
        content["analysis"] for content in contents if isinstance(content, dict) and "analysis" in content
    ]
    return names[-1:] == [analysis]
