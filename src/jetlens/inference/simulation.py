"""All samples of an analysis as one variant sees them, nominal and under each variation, as expected events."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from jetlens.inference.selected import Selected, read_selected
from jetlens.inference.weights import read_factors, sides_of

SIGNAL = "signal_{:g}"
"""Name of the signal of a mass [GeV] among the processes of templates."""


@dataclass(frozen=True)
class EventsFile:
    """Scored events, and what they stand for.

    Attributes:
        path: of the file.
        factor: expected events per weight of one, in the folds that templates are filled from.
        validation_factor: the same in the folds that cuts are chosen on.
        independent: whether they are of another simulation than the nominal events.
        event_weight: expected events that one selected event stands for at least, whatever its fold.
    """

    path: Path
    factor: float
    validation_factor: float
    independent: bool = False
    event_weight: float = 0.0


@dataclass(frozen=True)
class SampleFiles:
    """A sample of the simulation.

    Attributes:
        name: of the sample.
        process: of the templates: :data:`SIGNAL` of its mass for a signal.
        signal: whether it is one.
        nominal: its events.
        varied: its events under variations that need events of their own, by variation and side.
    """

    name: str
    process: str
    signal: bool
    nominal: EventsFile
    varied: Mapping[str, EventsFile]


@dataclass(frozen=True)
class Simulation:
    """The samples, and how their folds are used.

    Attributes:
        samples: by name.
        observables: columns that are read besides scores.
        validation: folds that cuts are chosen on; all others that a file has fill templates.
        weights: files of factors on weights, with the samples that they act on, by variation.
    """

    samples: Sequence[SampleFiles]
    observables: Collection[str]
    validation: Collection[int]
    weights: Mapping[str, tuple[Path, Collection[str]]] = field(default_factory=dict)

    def nominal(self, *, validation: bool = False) -> dict[str, Selected]:
        """Return expected events by sample, of the templates' folds or of the validation folds."""
        return {sample.name: self._read(sample.nominal, validation) for sample in self.samples}

    def views(self, nominal: Mapping[str, Selected]) -> Iterator[tuple[str, dict[str, Selected], set[str]]]:
        """Yield each variation's side, the samples that it moves, and those moved by other simulated events.

        One at a time is in memory.
        """
        for variation in dict.fromkeys(name for sample in self.samples for name in sample.varied):
            files = {s.name: s.varied[variation] for s in self.samples if variation in s.varied}
            moved = {name: self._read(file, False) for name, file in files.items()}
            yield variation, moved, {name for name, file in files.items() if file.independent}
        for variation, (path, samples) in self.weights.items():
            for side in sides_of(path):
                own = {name: nominal[name] for name in samples if name in nominal}
                yield (
                    f"{variation}_{side}",
                    {
                        name: events.times(read_factors(path, name, side, events.number, events.fold))
                        for name, events in own.items()
                    },
                    set(),
                )

    def process_of(self) -> dict[str, str]:
        """Return the process of each sample."""
        return {sample.name: sample.process for sample in self.samples}

    def backgrounds(self) -> list[str]:
        """Return the processes that are background."""
        return list(dict.fromkeys(sample.process for sample in self.samples if not sample.signal))

    def _read(self, file: EventsFile, validation: bool) -> Selected:
        events = read_selected(file.path, self.observables)
        chosen = np.isin(events.fold, list(self.validation))
        factor = file.validation_factor if validation else file.factor
        return events.take(chosen if validation else ~chosen).times(factor)
