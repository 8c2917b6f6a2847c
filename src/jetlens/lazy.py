"""Names of a package that are loaded when they are asked for: most jobs need none of awkward, uproot and pyarrow."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def attributes(package: str, homes: Mapping[str, Sequence[str]]) -> Callable[[str], Any]:
    """Return a package's ``__getattr__`` (PEP 562).

    Args:
        package: its ``__name__``.
        homes: names by the module of the package that they are in.
    """
    home = {name: module for module, names in homes.items() for name in names}

    def get(name: str) -> Any:
        if name not in home:
            raise AttributeError(f"module '{package}' has no '{name}'")
        return getattr(importlib.import_module(f"{package}.{home[name]}"), name)

    return get
