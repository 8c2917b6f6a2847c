"""``features/classes.json``: which class the events of each sample are of, and their mass hypothesis."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field

from jetlens.config.samples import CLASSES, Sample, class_of
from jetlens.errors import FileError
from jetlens.features.featurefile import Part
from jetlens.files import read_json, write_json


class OfSamples(BaseModel):
    """Content of a file that says something of every sample."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
    holds: ClassVar[str]

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Self:
        """Read the file.

        Raises:
            FileError: if it is missing or damaged.
        """
        try:
            return cls.model_validate(read_json(path))
        except (OSError, ValueError) as error:
            raise FileError(f"{path}: does not hold {cls.holds}; run the features stage") from error

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the file, atomically."""
        write_json(path, self.model_dump(mode="json", by_alias=True))


class SampleClass(BaseModel):
    """Class of a sample, and the mass hypothesis [GeV] where its events have one that is trained on."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    number: int = Field(alias="class")
    mass_gev: float | None = None


class Classes(OfSamples):
    """Content of the file."""

    holds: ClassVar[str] = "the samples' classes"

    classes: list[str]
    samples: dict[str, SampleClass]

    @classmethod
    def of(cls, samples: Iterable[Sample]) -> Classes:
        """Make it from the sample table."""
        return cls(
            classes=list(CLASSES),
            samples={sample.name: SampleClass(number=class_of(sample)) for sample in samples},
        )

    def check(self, parts: Iterable[Part]) -> None:
        """Refuse feature files whose events are of another class than their sample.

        Raises:
            FileError: naming the folder, and both classes.
        """
        for part in parts:
            entry = self.samples.get(part.metadata.sample)
            found = set(part.per_event("label").tolist())
            if entry is None or not found <= {entry.number}:
                expected = "in no class" if entry is None else f"of class {entry.number}"
                raise FileError(
                    f"{part.path}: its events are of class {sorted(found)}, the sample is {expected}; "
                    "run the features stage again"
                )
