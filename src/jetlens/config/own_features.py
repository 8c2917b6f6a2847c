"""Features of the user's own (``features.define``)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from jetlens.config.base import Section
from jetlens.errors import ConfigError
from jetlens.expressions import parse
from jetlens.expressions.feature import Feature, Level, Symmetry


def read_expression(text: str) -> str:
    """Refuse what is no expression."""
    try:
        parse(text)
    except ConfigError as error:
        raise ValueError(str(error)) from error
    return text


class SymmetryDefinition(Section):
    """What changes in a feature under a symmetry of augmentation; what is not named stays."""

    mirror: Literal[1, -1] = Field(1, description="factor under η → −η, z → −z")
    azimuth: str = Field(
        "",
        description="under a turn about the beam: angle, or 'cos x', 'sin x' of features that turn together",
    )
    turn: Literal["", "delta_eta", "delta_phi", "d0", "dz", "energy"] = Field(
        "", description="under a turn of a jet's constituents about its axis: of which quantity it is made"
    )
    form: Literal["value", "tanh", "log", "significance"] = Field(
        "value", description="what it is of that quantity"
    )


class FeatureDefinition(Section):
    """A feature of your own: a name for an expression, like those of docs/features.md."""

    of: Level = Field(description="what it is a number of: one constituent, one token, or the event")
    expression: str = Field(description="see docs/language.md")
    unit: str = Field("", description="unit, for the record")
    label: str = Field("", description="how it is written on an axis")
    meaning: str = Field("", description="one line for readers")
    fill: float | None = Field(
        None,
        description="value where it is missing, also as a token has no such field; null: no token, of events an error",
    )
    symmetry: Literal["invariant"] | SymmetryDefinition | None = Field(
        None, description="how it changes under symmetries; null: not known, and no augmentation is allowed"
    )

    _read = field_validator("expression")(read_expression)

    def unlabelled(self) -> FeatureDefinition:
        """Return it without what no number depends on."""
        return self.model_copy(update={"label": "", "meaning": ""})

    def feature(self, name: str) -> Feature:
        """Return the feature under this name."""
        symmetry = None
        if self.symmetry is not None:
            symmetry = Symmetry() if self.symmetry == "invariant" else Symmetry(**self.symmetry.model_dump())
        return Feature(name, self.expression, self.unit, self.label, self.meaning, self.fill, symmetry)
