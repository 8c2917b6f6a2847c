"""The templates and the statistical model of one variant: ``inference/<variant>/``."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from jetlens.config.inference import SCORE, InferenceConfig, PruningConfig, score_of
from jetlens.features.normalisation import Normalisation
from jetlens.files import write_json
from jetlens.inference.backgrounds import closure_table
from jetlens.inference.filling import CUT, Hypotheses, View, fill_all, observed_counts
from jetlens.inference.filltables import bins_table, categories_table, variations_table, write_csv
from jetlens.inference.resampling import resampled_limits
from jetlens.inference.sculpting import sculpting
from jetlens.inference.selected import joined, read_selected, share_of_folds, weight_of_one
from jetlens.inference.simulation import SIGNAL, EventsFile, SampleFiles, Simulation
from jetlens.inference.systematics import COLUMNS, Systematic, effects_table
from jetlens.inference.templates import write_templates
from jetlens.inference.workspace import Workspace, build_workspace, patchset


def simulation_of(
    events: Sequence[Path],
    features: Sequence[Path],
    normalisation: Normalisation,
    samples: Sequence[Mapping[str, Any]],
    config: InferenceConfig,
    validation: Sequence[int],
    *,
    weights: Mapping[str, tuple[Path, Collection[str]]] | None = None,
    others: Sequence[Mapping[str, Any]] = (),
) -> Simulation:
    """Return the simulation of a variant from its files.

    Events that no network may score are left out; those that are stand for all of their sample: Σw of all selected
    events over Σw of those in the folds that the file has.

    Args:
        events: ``<sample>[@<variation>_<side>].parquet``.
        features: folders ``features/<sample>/<part>``.
        normalisation: expected events per generator weight.
        samples: ``name``, ``process``, ``role`` and ``mass_gev`` of each.
        config: the section.
        validation: folds on which cuts are chosen.
        weights: files of factors on weights, with the samples that they act on, by variation.
        others: samples that stand for others under a variation: ``variation``, ``sample``, ``other``, and ``rate``, by
            which the other's expected events are multiplied.
    """
    path_of = {path.stem: path for path in events}

    def file_of(name: str, factor: float) -> EventsFile:
        own = [folder for folder in features if folder.parent.name == name]
        folds = set(read_selected(path_of[name], ()).fold.tolist())
        factor *= normalisation.of_sample(name).scale
        used, chosen = (
            share_of_folds(own, part) for part in (folds - set(validation), folds & set(validation))
        )
        one = factor * weight_of_one(own)
        return EventsFile(path_of[name], factor * used, factor * chosen, event_weight=one)

    made = []
    for row in samples:
        name, process = str(row["name"]), str(row["process"])
        scale = config.scale.get(process, 1.0)
        signal = row["role"] == "signal"
        nominal = file_of(name, scale)
        varied = {
            stem.partition("@")[2]: replace(nominal, path=path)
            for stem, path in path_of.items()
            if stem.startswith(f"{name}@")
        }
        for other in (other for other in others if other["sample"] == name):
            file = file_of(other["other"], scale * other["rate"])
            varied[f"{other['variation']}_up"] = replace(file, independent=True)
        made.append(
            SampleFiles(name, SIGNAL.format(row["mass_gev"]) if signal else process, signal, nominal, varied)
        )
    return Simulation(made, config.observables, validation, weights or {})


def make_model(
    simulation: Simulation,
    output: Path,
    *,
    config: InferenceConfig,
    systematics: Sequence[Systematic],
    background_uncertainty: float,
    data: Sequence[Path] = (),
) -> None:
    """Fill the templates of a variant and write the statistical model.

    Writes ``templates.json``; ``workspace.json`` with the signal of the lightest mass, ``background.json`` without a
    signal and ``patchset.json`` that adds each of them to it; ``hypotheses.json``: per mass the regions, what μ = 1
    stands for in units of the sample's cross section (chosen so that limits on μ are of order one), remarks; and the
    tables ``bins.csv``, ``categories.csv``, ``systematics.csv``, ``closure.csv``, ``variations.csv``, and
    ``resampled.csv``.

    Args:
        simulation: of the variant.
        output: folder ``inference/<variant>``.
        config: the section.
        systematics: of the analysis.
        background_uncertainty: relative, for the choice of bins and cuts.
        data: events of the data, used if ``config.unblind``.

    Raises:
        NotComputableError: if a region has no background at all.
    """
    masses = [float(s.process.removeprefix("signal_")) for s in simulation.samples if s.signal]
    filled = fill_all(simulation, config, sorted(set(masses)), background_uncertainty)
    workspaces: dict[float, Workspace] = {}
    about: dict[str, Any] = {}
    for of in filled:
        counts = observed_counts(of, config, data) if config.unblind else None
        everything = [*systematics, *of.systematics]
        still = [f"even with weights scaled: {of.remark}"] if config.scale and of.remark else []
        for mass in of.masses:
            unit = _unit(of, mass, background_uncertainty)
            signal = SIGNAL.format(mass)
            regions = [region.scaled(signal, unit) for region in of.regions]
            known = [_for_signal(each, mass) for each in everything]
            workspaces[mass] = build_workspace(
                regions,
                signal,
                of.backgrounds,
                known,
                observed=counts,
                pruning=config.pruning,
                poi_bounds=(0.0, 20.0),
            )
            about[f"{mass:g}"] = {
                "signal": signal,
                "regions": workspaces[mass].regions,
                "unit": unit,
                "remark": "" if config.scale else of.remark,
                "lacking": of.remark,
                "notes": [*still, *sorted(set(workspaces[mass].notes))],
            }
    names = {mass: SIGNAL.format(mass) for mass in workspaces}
    base, patches = patchset(workspaces, names, analysis=output.name)
    write_templates(output / "templates.json", [region for of in filled for region in of.regions])
    write_json(output / "workspace.json", next(iter(workspaces.values())).spec)
    write_json(output / "background.json", base)
    write_json(output / "patchset.json", patches)
    write_json(output / "hypotheses.json", about)
    write_csv(output / "bins.csv", bins_table(filled))
    write_csv(output / "categories.csv", categories_table(filled))
    again = resampled_limits(simulation, config, sorted(set(masses)), background_uncertainty)
    write_csv(output / "resampled.csv", again)
    write_csv(output / "closure.csv", closure_table([row for of in filled for row in of.closure]))
    write_csv(output / "systematics.csv", _effects(filled, systematics, config.pruning))
    write_csv(output / "variations.csv", variations_table(filled))


def sculpting_of(simulation: Simulation, config: InferenceConfig) -> pd.DataFrame:
    """Return how cuts on a variant's score shape the backgrounds, see :func:`jetlens.inference.sculpting.sculpting`.

    Of several mass hypotheses with scores of their own the lightest is shown.
    """
    process_of, read = simulation.process_of(), simulation.nominal()
    masses = sorted(float(s.process.removeprefix("signal_")) for s in simulation.samples if s.signal)
    score = SCORE if SCORE in next(iter(read.values())).columns else score_of(masses[0])
    validation = simulation.nominal(validation=True)
    view = View(config, score, [validation[s.name] for s in simulation.samples if not s.signal])
    events = view(read)
    observable = view.observable if view.observable != score else next(iter(config.observables))
    backgrounds = {
        process: joined([each for name, each in events.items() if process_of[name] == process])
        for process in simulation.backgrounds()
    }
    seen = np.concatenate([each.columns[observable] for each in backgrounds.values()])
    edges = np.unique(np.quantile(seen[np.isfinite(seen)], np.linspace(0, 1, 9)))
    scores = {"score": score, "decorrelated": CUT} if config.decorrelate else {"score": score}
    signals = [events[s.name] for s in simulation.samples if s.signal]
    return sculpting(backgrounds, signals, scores, observable, edges)


def _for_signal(systematic: Systematic, mass: float) -> Systematic:
    """``signal`` among the processes of a systematic means the signal of every mass."""
    processes = tuple(SIGNAL.format(mass) if name == "signal" else name for name in systematic.processes)
    return replace(systematic, processes=processes)


def _unit(of: Hypotheses, mass: float, systematic: float) -> float:
    """The power of ten next to the expected limit on the strength, by the estimate that cuts are chosen by."""
    limit = of.estimated_limit(mass, systematic)
    return float(10.0 ** np.round(np.log10(limit))) if np.isfinite(limit) else 1.0


def _effects(
    filled: Sequence[Hypotheses], systematics: Sequence[Systematic], pruning: PruningConfig
) -> pd.DataFrame:
    rows = [
        row
        for of in filled
        for mass in of.masses
        for row in effects_table(
            [_for_signal(each, mass) for each in (*systematics, *of.systematics)], of.regions, pruning
        )
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS)).drop_duplicates(ignore_index=True)
