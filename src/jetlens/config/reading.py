"""Configuration of the reading of event files (``reading``)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator

from jetlens.config.base import Positive, Section
from jetlens.errors import ConfigError, did_you_mean
from jetlens.events.impact_parameters import D0, DZ, Resolution
from jetlens.events.schemas import SHIPPED, load_schema, schema_content

if TYPE_CHECKING:
    from jetlens.events.eventfile import EventFile, ReadOptions
    from jetlens.events.schema import Schema

_MOVED = ("fat_jets", "jets", "electrons", "muons", "missing_energy")


class ResolutionConfig(Section):
    """σ = constant ⊕ scattering·(1 + forward·η²)/pT: measurement, and multiple scattering in the material."""

    constant_um: float = Field(ge=0, description="at high pT [µm]")
    scattering_um_gev: float = Field(ge=0, description="falls with pT [µm·GeV]")
    forward: float = Field(0.0, ge=0, description="growth of the scattering with η²")

    @classmethod
    def like(cls, resolution: Resolution) -> ResolutionConfig:
        """Say the same in a configuration."""
        return cls(
            constant_um=resolution.constant,
            scattering_um_gev=resolution.scattering,
            forward=resolution.forward,
        )

    def resolution(self) -> Resolution:
        """Return what is smeared with."""
        return Resolution(self.constant_um, self.scattering_um_gev, self.forward)


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
        default_factory=lambda: ResolutionConfig.like(D0),
        description="resolution of the transverse one, where it is smeared",
    )
    dz: ResolutionConfig = Field(
        default_factory=lambda: ResolutionConfig.like(DZ), description="the same of the longitudinal one"
    )


class ReadingConfig(Section):
    """What the files are made of, which of their branches hold what, and how much memory reading may take."""

    format: str | dict[str, Any] = Field(
        "auto",
        description="what the columns of the files mean: auto (Delphes or NanoAOD, whichever it is), delphes, nanoaod, "
        "a schema file such as config/schemas/jetclass.yaml, or a schema in place; `extends` adds fields and "
        "collections to one of these",
    )
    tree: str | None = Field(
        None, description="name of the tree, group or table; null: the schema's, highest cycle"
    )
    branches: dict[str, str | None] = Field(
        default_factory=dict,
        description="branches that a collection, or met, is read from instead of the schema's: {fat_jets: JetPUPPIAK8, "
        "muons: null}; null: leave it out",
    )
    also: list[str] = Field(
        default_factory=list,
        description="columns to be read and stored beyond the schema's usual ones: a collection (photons, tracks), or "
        "a field by the file's own name (jets.btagPNetB)",
    )
    weight_index: int | None = Field(
        None, ge=0, description="which of several event weights to use (Delphes); null: the nominal one"
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

    @model_validator(mode="before")
    @classmethod
    def _branches_have_moved(cls, content: Any) -> Any:
        for name in _MOVED if isinstance(content, dict) else ():
            if name in content:
                new = {"missing_energy": "met"}.get(name, name)
                raise ValueError(f"'{name}' is now in 'branches': {{{new}: {content[name] or 'null'}}}")
        return content

    @model_validator(mode="after")
    def _the_schema_is_one(self) -> ReadingConfig:
        if self.format == "auto":
            for name in SHIPPED:
                schema = load_schema(name)
                self._check_branches([*schema.collections, "met"])
            return self
        try:
            schema = load_schema(self.format)
        except ConfigError as error:
            raise ValueError(f"format: {error}") from error
        self._check_branches([*schema.collections, *(["met"] if schema.met else [])])
        return self

    def _check_branches(self, known: list[str]) -> None:
        for name in self.branches:
            if name not in known:
                raise ValueError(f"branches: the format has no '{name}'{did_you_mean(name, known)}")

    def in_place(self) -> ReadingConfig:
        """Return the same with a schema's content in the place of its file's name: what results depend on."""
        if self.format in ("auto", *SHIPPED):
            return self
        return self.model_copy(update={"format": schema_content(self.format)})

    def event_schema(self, auto: str = "delphes") -> Schema:
        """Return what the files' columns mean, branches renamed as the configuration says.

        Args:
            auto: which of the shipped schemas ``auto`` stands for.
        """
        changes: dict[str, Any] = {"collections": {}}
        for key, branch in self.branches.items():
            value = None if branch is None else {"branch": branch}
            (changes if key == "met" else changes["collections"])[key] = value
        if self.weight_index is not None:
            weight = {"branch": "Weight.Weight", "take": self.weight_index, "fill": None}
            changes["scalars"] = {"weight": weight}
        return load_schema({"extends": auto if self.format == "auto" else self.format, **changes})

    def options(self, sample: str = "") -> ReadOptions:
        """Return how to read; ``sample`` is the physical sample's name, which smearing depends on."""
        from jetlens.events.eventfile import ReadOptions
        from jetlens.events.tracks import ImpactOptions

        impact = self.impact_parameters
        return ReadOptions(
            leading=self.leading_jets,
            memory_gb=self.memory_gb,
            unmatched=self.unmatched,
            check_closure=self.check_closure,
            branches=tuple(self.constituents) if self.constituents else None,
            explicit=frozenset(name for name, branch in self.branches.items() if branch is not None),
            impact=ImpactOptions(impact.mode, impact.d0.resolution(), impact.dz.resolution(), sample),
        )

    def open(self, path: str, sample: str = "", columns: Iterable[str] | None = None) -> EventFile:
        """Open an event file; use it in a ``with`` statement.

        Args:
            path: the file, a path or a URL.
            sample: name of the physical sample.
            columns: what is needed, see :func:`jetlens.events.open_events`; None for what is stored.

        Raises:
            FileError: if the file is unreadable or truncated, or lacks what is needed.
        """
        from jetlens.events.eventfile import open_any, open_events

        options = self.options(sample)
        if self.format != "auto":
            schema = self.event_schema()
            return open_events(path, schema, columns, also=self.also, tree=self.tree, options=options)
        source, name = open_any(path, self.tree)
        return open_events(source, self.event_schema(name), columns, also=self.also, options=options)
