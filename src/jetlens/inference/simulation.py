"""All samples of an analysis as one variant sees them, nominal and under each variation, as expected events."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jetlens.inference.selected import Selected, read_selected

SIGNAL = "signal_{:g}"
"""Name of the signal of a mass [GeV] among the processes of templates."""


@dataclass(frozen=True)
class SampleFiles:
    """A sample of the simulation.

    Attributes:
        name: of the sample.
        process: of the templates: :data:`SIGNAL` of its mass for a signal.
        signal: whether it is one.
        nominal: file of its events.
        varied: files of its events under variations that need files of their own, by variation.
        factor: expected events per weight of one, in the folds that templates are filled from.
        validation_factor: the same in the folds that cuts are chosen on.
    """

    name: str
    process: str
    signal: bool
    nominal: Path
    varied: Mapping[str, Path]
    factor: float
    validation_factor: float


@dataclass(frozen=True)
class Simulation:
    """The samples, and how their folds are used.

    Attributes:
        samples: by name.
        observables: columns that are read besides scores.
        validation: folds that cuts are chosen on; all others that a file has fill templates.
    """

    samples: Sequence[SampleFiles]
    observables: Collection[str]
    validation: Collection[int]

    def nominal(self, *, validation: bool = False) -> dict[str, Selected]:
        """Return expected events by sample, of the templates' folds or of the validation folds."""
        return {sample.name: self._read(sample, sample.nominal, validation) for sample in self.samples}

    def variations(self, nominal: Mapping[str, Selected]) -> list[str]:
        """Return the names of all variations, of files and of weights."""
        names = [name for sample in self.samples for name in (*nominal[sample.name].weights, *sample.varied)]
        return list(dict.fromkeys(names))

    def views(self, nominal: Mapping[str, Selected]) -> Iterator[tuple[str, dict[str, Selected]]]:
        """Yield each variation and the samples that it moves; one at a time is in memory."""
        for variation in self.variations(nominal):
            moved = {}
            for sample in self.samples:
                if variation in sample.varied:
                    moved[sample.name] = self._read(sample, sample.varied[variation], False)
                elif variation in nominal[sample.name].weights:
                    moved[sample.name] = nominal[sample.name].varied(variation)
            yield variation, moved

    def process_of(self) -> dict[str, str]:
        """Return the process of each sample."""
        return {sample.name: sample.process for sample in self.samples}

    def backgrounds(self) -> list[str]:
        """Return the processes that are background."""
        return list(dict.fromkeys(sample.process for sample in self.samples if not sample.signal))

    def _read(self, sample: SampleFiles, path: Path, validation: bool) -> Selected:
        events = read_selected(path, self.observables)
        chosen = np.isin(events.fold, list(self.validation))
        factor = sample.validation_factor if validation else sample.factor
        return events.take(chosen if validation else ~chosen).times(factor)
