"""Configuration of the reading of event files (``reading``)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from jetlens.config.base import Positive, Section


class ReadingConfig(Section):
    """Which branches of the input hold what, and how much memory reading may take."""

    format: Literal["auto", "delphes", "nanoaod"] = Field(
        "auto", description="file format; auto looks at the tree's name and branches"
    )
    tree: str | None = Field(None, description="name of the tree; null: Delphes or Events, highest cycle")
    fat_jets: str = Field("FatJet", description="collection of large-radius jets (any jet branch will do)")
    jets: str = Field("Jet", description="collection of small-radius jets")
    electrons: str = Field("Electron", description="collection of electrons")
    muons: str = Field("Muon", description="collection of muons")
    missing_energy: str = Field("MissingET", description="branch of the missing transverse momentum")
    constituents: list[str] | None = Field(
        None,
        description="branches the fat jets' constituents are looked up in; null: found from the file",
    )
    leading_jets: int = Field(2, ge=1, description="constituents are resolved for this many leading fat jets")
    memory_gb: Positive = Field(1.0, description="memory budget of one reading job; sets the size of a chunk")
    unmatched: Literal["fail", "warn"] = Field(
        "fail", description="what to do where a constituent reference matches no object of its event"
    )
    broken_files: Literal["fail", "skip"] = Field(
        "fail", description="skip: leave unreadable files out and list them in the cutflow"
    )
