"""Configuration of the reading of event files (``reading``)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from jetlens.config.base import Positive, Section


class ResolutionConfig(Section):
    """σ = constant ⊕ scattering·(1 + forward·η²)/pT: measurement, and multiple scattering in the material."""

    constant_um: float = Field(ge=0, description="at high pT [µm]")
    scattering_um_gev: float = Field(ge=0, description="falls with pT [µm·GeV]")
    forward: float = Field(0.0, ge=0, description="growth of the scattering with η²")


class ImpactParameterConfig(Section):
    """What is done to the tracks' impact parameters, before anything reads them.

    Delphes' stock cards store d0 and dz as the generator had them, which no detector sees, and which tell events apart
    better than any detector could. Such files are recognised: no errors, d0 exactly 0 for many tracks.
    """

    mode: Literal["auto", "smear", "as_is", "none"] = Field(
        "auto",
        description="auto: smear the generator's, leave measured ones; smear: the same, but refuse files with measured "
        "ones; as_is: leave all as they are; none: use none",
    )
    d0: ResolutionConfig = Field(
        default_factory=lambda: ResolutionConfig(constant_um=15, scattering_um_gev=100),
        description="resolution of the transverse one, where it is smeared",
    )
    dz: ResolutionConfig = Field(
        default_factory=lambda: ResolutionConfig(constant_um=60, scattering_um_gev=150),
        description="the same of the longitudinal one",
    )


class ReadingConfig(Section):
    """Which branches of the input hold what, and how much memory reading may take.

    Names are those of Delphes; where one is left at its default, a NanoAOD file is read under NanoAOD's own name.
    """

    format: Literal["auto", "delphes", "nanoaod"] = Field(
        "auto", description="file format; auto looks at the tree's name and branches"
    )
    tree: str | None = Field(None, description="name of the tree; null: Delphes or Events, highest cycle")
    fat_jets: str | None = Field(
        "FatJet", description="collection of large-radius jets (any jet branch will do); null: none"
    )
    jets: str | None = Field("Jet", description="collection of small-radius jets; null: none")
    electrons: str | None = Field("Electron", description="collection of electrons; null: none")
    muons: str | None = Field("Muon", description="collection of muons; null: none")
    missing_energy: str | None = Field(
        "MissingET", description="branch of the missing transverse momentum; null: none, it counts as zero"
    )
    weight_index: int | None = Field(
        None, ge=0, description="which of several event weights to use; null: the nominal one"
    )
    constituents: list[str] | None = Field(
        None,
        min_length=1,
        description="branches the fat jets' constituents are looked up in; null: found from the file",
    )
    leading_jets: int = Field(
        2, ge=0, le=100, description="constituents are resolved for this many leading fat jets"
    )
    memory_gb: Positive = Field(1.0, description="memory budget of one reading job; sets the size of a chunk")
    impact_parameters: ImpactParameterConfig = Field(
        default_factory=ImpactParameterConfig, description="d0 and dz of tracks"
    )
    unmatched: Literal["fail", "warn"] = Field(
        "fail", description="what to do where a constituent reference matches no object of its event"
    )
    check_closure: bool = Field(
        True,
        description="refuse files in which most fat jets, but not all, are the sum of their constituents",
    )
    broken_files: Literal["fail", "skip"] = Field(
        "fail", description="skip: leave unreadable files out and list them in the cutflow"
    )
