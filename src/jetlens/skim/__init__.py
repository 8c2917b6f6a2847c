"""From event files to selected events with resolved jet constituents, and the cutflow."""

from jetlens.skim.parquet import read_skim
from jetlens.skim.skim import Target, skim_file, vary_file

__all__ = ["Target", "read_skim", "skim_file", "vary_file"]
