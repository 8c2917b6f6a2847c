"""Configuration of the inference stage: templates of scores and observables, background models, limits."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from jetlens.config.base import Fraction, MassText, Name, Positive, PositiveInt, Section, Seed
from jetlens.errors import ConfigError, did_you_mean
from jetlens.expressions import Namespace, check

SCORE = "score"
"""Name of a classifier's output among the observables: the logit, on the common scale of all rotations."""


def of_mass(name: str, mass: float) -> str:
    """Return the name of a column under a mass hypothesis [GeV]: ``logit_m1000``."""
    return f"{name}_m{mass:g}"


def score_of(mass: float) -> str:
    """Return the column of the score under a mass hypothesis [GeV]."""
    return of_mass(SCORE, mass)


OWN_COLUMNS = ("event", "event_number", "fold", "weight")
"""Columns that every event has in ``inference/events``, whatever its observables."""
FLAVOURS = ("light", "c", "b")
"""Of tagged objects."""
DEMONSTRATION = "demonstration: weights scaled"
"""What figures and tables say whose events were scaled."""


class FittedConfig(Section):
    """The fitted distribution, in fine bins: they are merged until the simulation fills them."""

    observable: Name = Field(
        "mass_jj",
        description="one of inference.observables, or `score`, in bins of equal signal: min and max are not used then",
    )
    label: str = Field("$m(J_1 J_2)$", description="axis label, matplotlib's mathtext allowed")
    unit: str = Field("GeV", description="unit, empty for pure numbers")
    bins: PositiveInt = Field(40, le=1_000, description="number of fine bins")
    min: float = Field(400, description="lower edge; what lies below counts in the first bin")
    max: float = Field(2400, description="upper edge; what lies above counts in the last bin")

    @model_validator(mode="after")
    def _is_a_range(self) -> FittedConfig:
        if self.min >= self.max:
            raise ValueError(f"min {self.min} is not below max {self.max}")
        return self


class SimulationModel(Section):
    """Backgrounds as simulated."""

    model: Literal["simulation"] = "simulation"


class AbcdModel(Section):
    """Processes estimated from events that fail a tag, a window, or both; others as simulated."""

    model: Literal["abcd"]
    name: Name = Field("multijet", description="name of the estimated process")
    processes: list[str] = Field(
        min_length=1, description="processes estimated so, by their name in the sample table"
    )
    tagged: str = Field(description="first condition, on observables and score: (n_tags >= 3)")
    window: str = Field(
        description="second condition, independent of the first: (mass_j1 > 90) & (mass_j1 < 150)"
    )
    sideband: str = Field(
        description="what stands for the window in the closure test, such as a wider one, whatever lies in the window "
        "left out; its non-closure is the uncertainty of the estimate"
    )


class FactorisedModel(Section):
    """Processes whose jets pass independently: each event counts with the product of its jets' pass rates."""

    model: Literal["factorised"]
    name: Name = Field("multijet", description="name of the estimated process")
    processes: list[str] = Field(
        min_length=1, description="processes estimated so, by their name in the sample table"
    )
    passes: list[str] = Field(
        min_length=2, description="one condition per jet, on observables: [tags_j1 >= 1, tags_j2 >= 1]"
    )
    of: list[Name] = Field(
        min_length=2, description="the observable, jet by jet, on which its pass rate depends: [pt_j1, pt_j2]"
    )
    bins: PositiveInt = Field(4, le=100, description="bins of these observables, of equal numbers of events")

    @model_validator(mode="after")
    def _one_each(self) -> FactorisedModel:
        if len(self.passes) != len(self.of):
            raise ValueError(
                f"{len(self.passes)} conditions in passes, {len(self.of)} observables in of; give one per jet"
            )
        return self


BackgroundModel = Annotated[SimulationModel | AbcdModel | FactorisedModel, Field(discriminator="model")]


class TagWeightsConfig(Section):
    """Events count with the probability of their tags (truth tagging), for tags that leave no simulated events.

    Efficiencies are by true flavour and transverse momentum. As tags are inputs of classifiers, patterns of tags are
    drawn, each with features and scores of its own. Only the named field is drawn: others that tell of tags, as those
    of fat jets, stay as simulated and are to be left out of features. No cut of the skim may be on tags.
    """

    collection: Name = Field("jets", description="what is tagged")
    tag: Name = Field("b_tag", description="field with the tag: drawn anew")
    flavour: Name = Field(
        "Flavor",
        description="field with the true flavour, by the file's own name and among reading.also: jets.Flavor; 5: b, "
        "4: c, all others light",
    )
    pt_edges: list[Positive] = Field(
        default_factory=lambda: [30.0, 50.0, 80.0, 120.0, 200.0, 400.0],
        description="inner edges of the bins of transverse momentum that efficiencies are measured in [GeV]",
    )
    corrections: str | None = Field(
        None,
        description="correctionlib JSON with the efficiencies; null: measured on the selected events of each sample, "
        "in bins with fewer than ten objects on those of all",
    )
    correction: str | None = Field(None, description="name of the correction in it")
    inputs: list[str] = Field(
        default_factory=list,
        description="what the correction takes, in its order, expressions about one object: [Flavor, abs(eta), pt]",
    )
    patterns: PositiveInt = Field(20, ge=2, le=1_000, description="patterns of tags drawn per event")
    seed: Seed = Field(1, description="seed of the draws")

    @property
    def bins(self) -> int:
        """Number of bins of efficiencies: of flavours times those of transverse momentum."""
        return len(FLAVOURS) * (len(self.pt_edges) + 1)

    @model_validator(mode="after")
    def _is_complete(self) -> TagWeightsConfig:
        given = (self.corrections is not None, self.correction is not None, bool(self.inputs))
        if any(given) and not all(given):
            raise ValueError("corrections, correction and inputs go together; give all of them, or none")
        if sorted(set(self.pt_edges)) != self.pt_edges:
            raise ValueError(f"pt_edges: expected rising numbers, found {self.pt_edges}")
        return self


class PruningConfig(Section):
    """What a variation must do to a process in a region to be more than noise; each is said in systematics.csv."""

    rate_sigma: float = Field(
        1.0,
        ge=0,
        le=10,
        description="a change of the rate is left out if it is less than this many of its own statistical errors, "
        "those of the difference to the nominal events; 0: all are kept",
    )
    rate_size: float = Field(
        0.005, ge=0, lt=1, description="a relative change of the rate is left out if it is smaller than this"
    )
    shape_level: Fraction = Field(
        0.05,
        description="a shape is left out if bins that only fluctuate would differ as much with a larger probability",
    )


class InferenceConfig(Section):
    """From scores to limits; without variants nothing is done."""

    variants: list[Name] = Field(
        default_factory=list,
        description="classifiers that limits are set with, each by itself; none: no limits",
    )
    samples: list[str] = Field(
        default_factory=list,
        description="samples that templates are made from; none: all signals and backgrounds",
    )
    observables: dict[Name, str] = Field(
        default_factory=lambda: {"mass_jj": "(fat_jets[0] + fat_jets[1]).mass"},
        description="numbers per event that are kept beside the score, each an expression",
    )
    select: str = Field(
        "", description="condition on observables and score for the fit, empty for all: (mass_j1 > 90)"
    )
    fit: FittedConfig = Field(default_factory=FittedConfig)
    categories: int = Field(
        1,
        ge=0,
        le=3,
        description="regions by cuts on the score, chosen on the validation folds for the expected limit; 0: no cut",
    )
    decorrelate: bool = Field(
        False,
        description="cut on the score relative to its quantiles at the event's fitted observable (quantile regression "
        "on the validation folds' background), so that cuts do not shape it",
    )
    background: BackgroundModel = Field(default_factory=SimulationModel)
    pruning: PruningConfig = Field(default_factory=PruningConfig)
    tag_weights: TagWeightsConfig | None = Field(
        None, description="count events with the probability of their tags; null: by the tags that they have"
    )
    scale: dict[str, Positive] = Field(
        default_factory=dict,
        description="factors for the expected events of processes: a demonstration, and labelled so in figures",
    )
    cross_sections_fb: dict[MassText, Positive] = Field(
        default_factory=dict,
        description="σ·B that the signal samples of a mass [GeV] stand for, before generator cuts [fb]; default: "
        "the sample table's",
    )
    theory_fb: dict[MassText, Positive] = Field(
        default_factory=dict, description="predicted σ·B by mass [fb], a line in the figure of limits"
    )
    luminosities_fb: list[Positive] = Field(
        default_factory=lambda: [300.0, 1000.0, 3000.0],
        description="luminosities at which the expected significance is given [1/fb]",
    )
    level: Fraction = Field(0.95, description="confidence level of limits")
    toys: int = Field(
        0,
        ge=0,
        le=1_000_000,
        description="pseudo-experiments per point and hypothesis where a region expects fewer than ten events; "
        "0: asymptotic formulae everywhere, with a note",
    )
    seed: Seed = Field(1, description="seed of the toys")
    replicas: int = Field(
        50,
        ge=0,
        le=10_000,
        description="how often events are drawn with replacement, for the error of limits by the simulation; 0: none",
    )
    data: list[str] = Field(
        default_factory=list,
        description="application samples that are the data; used with `unblind: true` only",
    )
    unblind: bool = Field(False, description="look at the data in the fitted regions")
    reaction: str = Field(
        "P P --> HIGGS --> HIGGS HIGGS", description="the signal in HEPData's notation, for its record"
    )

    @field_validator("cross_sections_fb", "theory_fb")
    @classmethod
    def _masses_are_written_alike(cls, by_mass: dict[str, float]) -> dict[str, float]:
        """Write "1000.0" as the sample table's masses are."""
        return {f"{float(mass):g}": value for mass, value in by_mass.items()}

    @model_validator(mode="after")
    def _names_are_known(self) -> InferenceConfig:
        if not self.variants:
            return self
        for name in self.observables:
            if name in OWN_COLUMNS or name.startswith(SCORE):
                raise ValueError(
                    f"observables.{name}: is a column of every scored event; choose another name"
                )
        known = {*self.observables, SCORE}
        if self.fit.observable not in known:
            raise ValueError(
                f"fit.observable: '{self.fit.observable}' is none{did_you_mean(self.fit.observable, known)}"
            )
        if self.unblind and not self.data:
            raise ValueError(
                "unblind: true, but no sample is named as data; name application samples in data"
            )
        names = Namespace(scalars=dict.fromkeys(known, "number"))
        for key, (text, expect) in self.conditions.items():
            try:
                check(text, names, expect)
            except ConfigError as error:
                raise ValueError(f"{key}: {error}") from error
        return self

    @property
    def conditions(self) -> dict[str, tuple[str, Literal["cut", "number"]]]:
        """Every expression on observables, by its key, and what it must give."""
        found: dict[str, tuple[str, Literal["cut", "number"]]] = {}
        if self.select:
            found["select"] = self.select, "cut"
        model = self.background
        if isinstance(model, AbcdModel):
            found |= {
                f"background.{key}": (getattr(model, key), "cut") for key in ("tagged", "window", "sideband")
            }
        if isinstance(model, FactorisedModel):
            found |= {f"background.passes[{n}]": (text, "cut") for n, text in enumerate(model.passes)}
            found |= {f"background.of[{n}]": (text, "number") for n, text in enumerate(model.of)}
        return found
