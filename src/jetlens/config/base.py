"""The base of all configuration sections."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Section(BaseModel):
    """A section of the configuration: unknown keys are errors, and null is a value, never the default."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _truth_is_no_number(cls, content: Any) -> Any:
        """Refuse true and false where a number is meant: Python would take them for 1 and 0."""
        for name, field in cls.model_fields.items():
            value = content.get(name) if isinstance(content, dict) else None
            kind = str(field.annotation)
            if isinstance(value, bool) and re.search(r"\b(int|float)\b", kind) and "bool" not in kind:
                raise ValueError(f"{name}: expected a number, found {str(value).lower()}")
        return content


Fraction = Annotated[float, Field(gt=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]
PositiveInt = Annotated[int, Field(gt=0)]
Units = Annotated[int, Field(gt=0, le=65_536)]
"""Of a layer."""
Seed = Annotated[int, Field(ge=0, lt=2**32)]
NAME = r"^[A-Za-z][A-Za-z0-9_]*$"
MASS = r"^[0-9]+(\.[0-9]+)?$"
COLOUR = r"^#[0-9a-fA-F]{6}$"
PATTERNS = {
    NAME: "a name of letters, digits and '_' that begins with a letter",
    MASS: 'a mass in GeV, in quotes and without a unit: "1000"',
    COLOUR: "a colour as '#1f77b4'",
}
"""What each pattern of a text means, in words."""
Name = Annotated[str, Field(pattern=NAME)]
MassText = Annotated[str, Field(pattern=MASS)]
