"""Which of the configuration's definitions an expression uses: a rule is handed these, and no others."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def definitions_used(texts: Iterable[str], definitions: Mapping[str, str]) -> dict[str, str]:
    """Return the definitions that some expressions use, directly or through others.

    Args:
        texts: the expressions.
        definitions: expressions by name.
    """
    used: set[str] = set()
    pending = [word for text in texts for word in _WORD.findall(text)]
    while pending:
        word = pending.pop()
        if word in definitions and word not in used:
            used.add(word)
            pending += _WORD.findall(definitions[word])
    return {name: text for name, text in definitions.items() if name in used}
