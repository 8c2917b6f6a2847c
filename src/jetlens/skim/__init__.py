"""From event files to selected events with resolved jet constituents, and the cutflow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jetlens import lazy

if TYPE_CHECKING:
    from jetlens.skim.parquet import read_skim
    from jetlens.skim.skim import Target, skim_file, vary_file

__all__ = ["Target", "read_skim", "skim_file", "vary_file"]

__getattr__ = lazy.attributes(
    __name__, {"parquet": ("read_skim",), "skim": ("Target", "skim_file", "vary_file")}
)
