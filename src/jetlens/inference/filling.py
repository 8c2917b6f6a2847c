"""From events to the templates of a variant: categories, background model, fine bins, merged bins."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jetlens.config.inference import SCORE, BackgroundModel, InferenceConfig, SimulationModel, score_of
from jetlens.errors import ConfigError
from jetlens.inference.backgrounds import Estimate, estimate, in_region, process_names
from jetlens.inference.binning import Shortfall, describe, lacking, merged_edges, shortfalls
from jetlens.inference.categories import MEDIAN, Category, choose
from jetlens.inference.sculpting import Decorrelation
from jetlens.inference.selected import Selected, elsewhere, joined, passing, read_selected
from jetlens.inference.simulation import SIGNAL, Simulation
from jetlens.inference.systematics import Systematic
from jetlens.inference.templates import Filling, Region
from jetlens.inference.workspace import NotComputableError
from jetlens.statistics import typical_weight

Floats = NDArray[np.float64]
LOG = logging.getLogger(__name__)
CUT = "cut_score"
"""Column of the score that categories cut on: the network's own, or the decorrelated one."""


@dataclass(frozen=True)
class Hypotheses:
    """Masses whose events have one score, and their regions.

    Attributes:
        masses: of the signals [GeV].
        categories: by cuts on the score.
        regions: templates in merged bins.
        backgrounds: their processes.
        view: what all events went through, and the data go through.
        systematics: those of the background model.
        closure: tests of the background model.
        remark: what the simulation lacks; empty if it is enough.
    """

    masses: tuple[float, ...]
    categories: tuple[Category, ...]
    regions: list[Region]
    backgrounds: list[str]
    view: View
    systematics: list[Systematic] = field(default_factory=list)
    closure: list[dict[str, object]] = field(default_factory=list)
    remark: str = ""

    def estimated_limit(self, mass: float, systematic: float) -> float:
        """Return the expected limit on the strength of a signal by the estimate that cuts are chosen by.

        Infinite where there is no signal.

        Args:
            mass: of the signal [GeV].
            systematic: relative error of the background.
        """
        information = 0.0
        for region in self.regions:
            total, variance = region.total(self.backgrounds)
            spread = total + variance + (systematic * total) ** 2
            signal = region.values(SIGNAL.format(mass))
            information += float(
                np.divide(signal**2, spread, out=np.zeros_like(spread), where=spread > 0).sum()
            )
        return MEDIAN / float(np.sqrt(information)) if information > 0 else float("inf")


def fill_all(
    simulation: Simulation, config: InferenceConfig, masses: Sequence[float], systematic: float
) -> list[Hypotheses]:
    """Fill the templates of all mass hypotheses: together if they share a score, else one by one.

    Args:
        simulation: of the variant.
        config: the section.
        masses: of the signals [GeV].
        systematic: relative error of the background that bins and cuts are made for.

    Raises:
        ConfigError: if the events have no score of a mass, or none is in the fitted range.
    """
    columns = next(iter(simulation.nominal().values())).columns
    if SCORE in columns:
        return [_fill(simulation, config, SCORE, tuple(masses), systematic)]
    for mass in masses:
        if score_of(mass) not in columns:
            found = ", ".join(name for name in columns if name.startswith(SCORE))
            raise ConfigError(
                f"mass hypothesis {mass:g} GeV: events have no '{score_of(mass)}', found: {found}"
            )
    return [_fill(simulation, config, score_of(mass), (mass,), systematic) for mass in masses]


class View:
    """What all samples go through: selection, and the score that is cut on.

    Attributes:
        observable: column that is fitted.
    """

    def __init__(self, config: InferenceConfig, score: str, backgrounds: Sequence[Selected]) -> None:
        """Take the section, the column of the score, and validation events that a decorrelated score is made from."""
        self._config, self._score = config, score
        self.observable = score if config.fit.observable == SCORE else config.fit.observable
        self._decorrelation = None
        if config.decorrelate:
            together = joined([self._selected(events) for events in backgrounds])
            self._decorrelation = Decorrelation(together.columns[score], together.columns[self.observable])

    def __call__(self, samples: Mapping[str, Selected]) -> dict[str, Selected]:
        """Return the selected events by sample, with the column :data:`CUT`."""
        made = {}
        for name, events in samples.items():
            events = self._selected(events)
            score = events.columns[self._score]
            if self._decorrelation is not None:
                score = self._decorrelation(score, events.columns[self.observable])
            made[name] = replace(events, columns={**events.columns, CUT: score})
        return made

    def _selected(self, events: Selected) -> Selected:
        """Events of the selection that have what is fitted; ``score`` is that of the hypothesis."""
        named = replace(events, columns={**events.columns, SCORE: events.columns[self._score]})
        chosen = passing(named, self._config.select) & np.isfinite(named.columns[self.observable])
        return named.take(chosen)


def _fill(
    simulation: Simulation, config: InferenceConfig, score: str, masses: tuple[float, ...], systematic: float
) -> Hypotheses:
    process_of, model = simulation.process_of(), config.background
    signals = {SIGNAL.format(mass) for mass in masses}
    kept = {sample.name for sample in simulation.samples if not sample.signal or sample.process in signals}
    names = process_names(model, process_of)
    backgrounds = list(dict.fromkeys(names[s.name] for s in simulation.samples if not s.signal))
    read = simulation.nominal(validation=True)
    view = View(config, score, [read[s.name] for s in simulation.samples if not s.signal])
    validation = view({name: events for name, events in read.items() if name in kept})
    edges = _edges(
        config, [e for name, e in validation.items() if process_of[name] in signals], view.observable
    )
    source = simulation.nominal()
    nominal = view({name: events for name, events in source.items() if name in kept})
    _check_range(config, np.concatenate([events.columns[view.observable] for events in nominal.values()]))
    few = _for_cuts(model, validation, process_of)
    files = {sample.name: sample.nominal for sample in simulation.samples if sample.name in kept}
    # a process of which none passes is not absent for that
    one = {name: _one_more(nominal[name], source[name], file.event_weight) for name, file in files.items()}
    weights = _heaviest(one, names)
    in_validation = {
        name: weight * files[name].validation_factor / files[name].factor for name, weight in one.items()
    }
    several = {name: one[name] for name in _several(names, model, backgrounds)}
    # before the background model, which takes templates' events from elsewhere
    folds = [
        sum(len(events) for name, events in of.items() if names[name] not in signals)
        for of in (validation, nominal)
    ]
    share = folds[0] / max(folds[1], 1)
    categories = _categories(
        config,
        few,
        names,
        signals,
        view.observable,
        edges,
        systematic,
        share,
        _heaviest(in_validation, names),
        several,
    )
    prefix = f"m{masses[0]:g}_" if score != SCORE else ""
    fillings = [
        Filling(prefix + c.name, edges.tolist(), unit=config.fit.unit, event_weights=weights)
        for c in categories
    ]
    systematics: list[Systematic] = []
    closure: list[dict[str, object]] = []
    estimates = [_inside(model, nominal, process_of, category) for category in categories]
    others = {name: elsewhere([made.events[name] for made in estimates]) for name in estimates[0].events}
    for n, (filling, category, made) in enumerate(zip(fillings, categories, estimates, strict=True)):
        systematics += [
            replace(each, name=f"{each.name}_{prefix}{category.name}", regions=(prefix + category.name,))
            for each in made.systematics
        ]
        closure += [{"region": prefix + category.name, **row} for row in made.closure]
        for name, events in made.events.items():
            filling.add(names[name], name, events.events(view.observable), others[name][n])
    for variation, moved, independent in simulation.views(source):
        varied = view({name: events for name, events in moved.items() if name in kept})
        for filling, category in zip(fillings, categories, strict=True):
            inside = _inside(model, {**nominal, **varied}, process_of, category).events
            changed = set(varied)
            if not isinstance(model, SimulationModel) and changed & {
                n for n in names if names[n] == model.name
            }:
                changed |= {n for n in kept if names[n] == model.name}  # they share one rate
            for name in changed:
                filling.vary(
                    names[name],
                    name,
                    variation,
                    inside[name].events(view.observable),
                    independent=name in independent,
                )
    regions = []
    for filling in fillings:
        fine = filling.region()
        regions.append(fine.rebinned([float(e) for e in merged_edges(fine, backgrounds, systematic)]))
    missing = [each for region in regions for each in shortfalls(region, backgrounds)]
    for region, made in zip(regions, estimates, strict=True):
        empty = {name: (names[name], of) for name, of in several.items() if not len(made.events[name])}
        missing += _unseen(region, backgrounds, empty)
    remark = describe(missing, config.fit.unit) if missing else ""
    return Hypotheses(masses, categories, regions, backgrounds, view, systematics, closure, remark)


def _several(names: Mapping[str, str], model: BackgroundModel, backgrounds: Sequence[str]) -> list[str]:
    """Samples of backgrounds that have several; what one more event of an estimated process weighs, no sample tells."""
    estimated = None if isinstance(model, SimulationModel) else model.name
    return [
        name
        for name, process in names.items()
        if process in backgrounds and process != estimated and list(names.values()).count(process) > 1
    ]


def _one_more(events: Selected, before: Selected, least: float) -> float:
    """What one event more of a sample weighs: as much as those that pass the selection; of none, one of their rows.

    With tag weights the rows are patterns, of which many have the tags in events with true ones, one if any in others.
    """
    weight = events.event_weight() or typical_weight(before.weight)
    return weight if 0 < weight < np.inf else least


def _heaviest(weights: Mapping[str, float], names: Mapping[str, str]) -> dict[str, float]:
    """Return by process the largest of its samples' weights."""
    found: dict[str, float] = {}
    for name, weight in weights.items():
        found[names[name]] = max(weight, found.get(names[name], 0.0))
    return found


def _unseen(
    region: Region, backgrounds: Sequence[str], empty: Mapping[str, tuple[str, float]]
) -> list[Shortfall]:
    """Of samples without an event in a region, by their process, those of which one would matter: :func:`lacking`."""
    total = float(region.total(backgrounds)[0].sum())
    low, high = (float(region.edges[k]) for k in (0, -1))
    found = []
    for name, (process, one) in empty.items():
        needed = lacking(one, float(region.values(process).sum()), total)
        if needed > 1:
            found.append(Shortfall(f"{process} (sample {name})", low, high, 0.0, needed))
    return found


def _inside(
    model: BackgroundModel, samples: Mapping[str, Selected], process_of: Mapping[str, str], category: Category
) -> Estimate:
    chosen = {name: events.take(category.contains(events.columns[CUT])) for name, events in samples.items()}
    return estimate(model, chosen, process_of)


def _for_cuts(
    model: BackgroundModel, samples: Mapping[str, Selected], process_of: Mapping[str, str]
) -> dict[str, Selected]:
    """Validation events in the fitted region; as simulated, where they are too few for the background model."""
    try:
        return estimate(model, samples, process_of).events
    except NotComputableError as error:
        LOG.info("cuts are chosen on simulated backgrounds: %s", error)
        return {name: events.take(in_region(model, events)) for name, events in samples.items()}


def _check_range(config: InferenceConfig, values: Floats) -> None:
    """Refuse a fitted range in which nothing lies: all would count in an outer bin, as if it were measured there."""
    fit = config.fit
    if fit.observable == SCORE or not len(values) or np.any((values >= fit.min) & (values <= fit.max)):
        return
    raise ConfigError(
        f"inference.fit: no event has {fit.observable} from {fit.min:g} to {fit.max:g}, found {values.min():.4g} to "
        f"{values.max():.4g}; give min and max in its unit"
    )


def _edges(config: InferenceConfig, signals: Sequence[Selected], observable: str) -> Floats:
    """Fine bins: equally wide, or those of a score of equal signal."""
    fit = config.fit
    if fit.observable != SCORE:
        return np.linspace(fit.min, fit.max, fit.bins + 1)
    scores = np.concatenate([events.columns[observable] for events in signals])
    return np.unique(np.quantile(scores, np.linspace(0, 1, fit.bins + 1)))


def _categories(
    config: InferenceConfig,
    validation: Mapping[str, Selected],
    names: Mapping[str, str],
    signals: set[str],
    observable: str,
    edges: Floats,
    systematic: float,
    share: float,
    weights: Mapping[str, float],
    several: Mapping[str, float],
) -> tuple[Category, ...]:
    def together(process: str) -> Selected:
        return joined([events for name, events in validation.items() if names[name] == process])

    backgrounds = list(dict.fromkeys(names[name] for name in validation if names[name] not in signals))
    return choose(
        config.categories,
        [together(process) for process in sorted(signals)],
        {process: together(process) for process in backgrounds},
        CUT,
        observable,
        edges,
        systematic=systematic,
        share=share,
        event_weights=weights,
        parts=[(names[name], validation[name], weight) for name, weight in several.items()],
    )


def observed_counts(of: Hypotheses, config: InferenceConfig, data: Sequence[Path]) -> dict[str, list[float]]:
    """Return the data's events per bin of each region; only for an analysis that is unblinded.

    Args:
        of: whose categories and bins are used.
        config: the section.
        data: files of the data's events.
    """
    counts = {region.name: np.zeros(len(region.edges) - 1) for region in of.regions}
    for path in data:
        (events,) = of.view({"data": read_selected(path, config.observables)}).values()
        events = events.take(in_region(config.background, events))
        for region, category in zip(of.regions, of.categories, strict=True):
            x = events.columns[of.view.observable][category.contains(events.columns[CUT])]
            inside = np.clip(x, region.edges[0], np.nextafter(region.edges[-1], -np.inf))
            counts[region.name] += np.histogram(inside, region.edges)[0]
    return {name: values.tolist() for name, values in counts.items()}
