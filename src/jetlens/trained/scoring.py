"""Applying trained models to new event files: same selection, same features, same standardisation.

Written is one ``.npz`` of plain arrays, for N selected events of F files and M models:

============================  =============  ===========================================================
``logit``                     float32 (N,)   mean of the models' logits
``score``                     float32 (N,)   the same after the sigmoid
``logits``                    float32 (M,N)  of each model
``models``                    str (M,)       names of their folders, ``seed<k>`` or ``seed<k>_rotation<r>``
``rotation``                  uint8 (M,)     of the test folds, with k-fold training; otherwise 0
``event_number``              int64 (N,)     as in the file
``file_index``                int32 (N,)     which of ``files`` the event is from
``weight``                    float64 (N,)   generator weight of the event
``files``                     str (F,)       as given
``generated_events``          int64 (F,)     all events of each file, before any selection
``generated_weight``          float64 (F,)   sum of their generator weights: an event stands for
                                             σ·L·weight / Σ generated_weight expected events
``generated_weight_squared``  float64 (F,)   sum of the squares of these weights
``mass_hypothesis``           float64 (H,)   at which models that read it have scored [GeV]; of others H is 0
============================  =============  ===========================================================

At several hypotheses ``logit_m<mass>``, ``score_m<mass>`` and ``logits_m<mass>`` stand in place of the first three.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jetlens.config.inference import of_mass
from jetlens.errors import FileError
from jetlens.expressions.feature import MASS_FEATURE
from jetlens.features.build import build_features
from jetlens.features.featurefile import Part
from jetlens.files import atomic_path
from jetlens.skim import skim_file
from jetlens.skim.cutflow import read_cutflow, warnings_of
from jetlens.trained.ensemble import check_alike, folds_by_rotation
from jetlens.trained.model import TrainedNetwork, TrainedTrees, load_model
from jetlens.trained.presence import check_presence
from jetlens.trained.recipe import Recipe

ROWS = 4096
"""Events scored at a time."""

Folder = str | os.PathLike[str]
Models = Sequence[TrainedNetwork | TrainedTrees]


@dataclass(frozen=True)
class _Scored:
    """The selected events of one file: logits (H, M, N), whatever else there is of each event, and of all."""

    logits: NDArray[np.float32]
    event_number: NDArray[np.int64]
    weight: NDArray[np.float64]
    generated: dict[str, float]


def score(
    models: Folder | Sequence[Folder],
    files: Sequence[str],
    output: Folder,
    *,
    threads: int = 1,
    mass: float | Sequence[float] | None = None,
) -> int:
    """Score the events of new files that pass the selection the models were trained on.

    Selection, features and standardisation come from the models' folders. What is written, the module's table tells.

    Args:
        models: ``training/<variant>/seed<k>``, or several such folders, or ``training/<variant>`` for all models in
            it. The logits of several are averaged.
        files: event files, paths or URLs.
        output: the ``.npz`` to write.
        threads: threads for one operation.
        mass: hypothesis, or several [GeV], for models that read it; not used by others.

    Returns:
        The number of events scored.

    Raises:
        FileError: if a folder holds no model or does not say how its features were made, the models were trained
            differently or do not make up a whole k-fold training, or a file does not fit; or models read the mass
            hypothesis, and none is given.
    """
    folders = _folders(models)
    loaded = [load_model(folder, threads) for folder in folders]
    recipe = recipe_of(loaded, folders)
    masses = _hypotheses(mass) if reads_hypothesis(loaded) else []
    if reads_hypothesis(loaded) and not masses:
        raise FileError(
            f"{folders[0]}: the model reads {MASS_FEATURE}, and new files come without a hypothesis; give one [GeV]: "
            "--mass 1000, or for an application sample mass_GeV in the sample table"
        )
    scored = [_score_file(loaded, source, recipe, masses) for source in files]
    index = np.repeat(np.arange(len(scored), dtype=np.int32), [len(file.event_number) for file in scored])
    arrays = {
        **_scores(scored, len(loaded), masses),
        "models": np.array([folder.name for folder in folders], dtype=np.str_),
        "rotation": np.array([model.manifest.get("rotation", 0) for model in loaded], dtype=np.uint8),
        "event_number": np.concatenate([np.zeros(0, np.int64), *(file.event_number for file in scored)]),
        "file_index": index,
        "weight": np.concatenate([np.zeros(0), *(file.weight for file in scored)]),
        "files": np.array(list(files), dtype=np.str_),
        "generated_events": np.array([file.generated["events"] for file in scored], dtype=np.int64),
        "generated_weight": np.array([file.generated["sum_weights"] for file in scored]),
        "mass_hypothesis": np.array(masses, dtype=np.float64),
        "generated_weight_squared": np.array([file.generated["sum_weights_squared"] for file in scored]),
    }
    with atomic_path(output) as temporary, temporary.open("wb") as stream:
        np.savez(stream, allow_pickle=False, **arrays)
    return len(index)


def _hypotheses(mass: float | Sequence[float] | None) -> list[float]:
    """Return each mass once, in the order given."""
    if mass is None:
        return []
    return list(dict.fromkeys([float(mass)] if isinstance(mass, int | float) else map(float, mass)))


def _scores(scored: Sequence[_Scored], models: int, masses: Sequence[float]) -> dict[str, NDArray[Any]]:
    """Return the models' logits, their mean, and the score: of one hypothesis or none, or by hypothesis."""
    empty = np.zeros((max(len(masses), 1), models, 0), np.float32)
    every = np.concatenate([empty, *(file.logits for file in scored)], axis=2)
    arrays: dict[str, NDArray[Any]] = {}
    for n, logits in enumerate(every):
        logit = logits.mean(axis=0, dtype=np.float64).astype(np.float32)
        for name, array in (("score", sigmoid(logit)), ("logit", logit), ("logits", logits)):
            arrays[of_mass(name, masses[n]) if len(masses) > 1 else name] = array
    return arrays


def sigmoid(logit: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return 1 / (1 + exp(−logit)) without overflow."""
    return np.asarray(np.exp(-np.logaddexp(0.0, -logit.astype(np.float64))), dtype=np.float32)


def _folders(models: Folder | Sequence[Folder]) -> list[Path]:
    """Return the folders of single models; that of a variant stands for all models in it."""
    if not isinstance(models, str | os.PathLike):
        return [Path(folder) for folder in models]
    folder = Path(models)
    inside = sorted(path.parent for path in folder.glob("seed*/manifest.json"))
    return inside if inside and not (folder / "manifest.json").exists() else [folder]


def recipe_of(models: Models, folders: Sequence[Path]) -> Recipe:
    """Return how the features of all models were made."""
    manifests = [model.manifest for model in models]
    if len(models) > 1:
        check_alike(manifests, folders)
        folds_by_rotation(manifests)
    content = manifests[0].get("recipe")
    if content is None:
        raise FileError(
            f"{folders[0]}: its manifest does not say how the features were made; train it with the workflow"
        )
    return Recipe.model_validate(content)


def reads_hypothesis(models: Models) -> bool:
    """Tell whether the models, which are of one variant, read the mass hypothesis."""
    features = models[0].manifest["features"]["event"]["features"]
    return MASS_FEATURE in features and bool(models[0].options.use_event)


class Prepared(NamedTuple):
    """The folder of a new file's features, the file of its selected events, and its cutflow."""

    features: Path
    skim: Path
    cutflow: dict[str, Any]


@contextlib.contextmanager
def prepared(models: Models, source: str, recipe: Recipe, mass: float | None = None) -> Iterator[Prepared]:
    """Select one new file's events and make their features, at a mass [GeV]; both are gone after the block.

    Raises:
        FileError: if the file does not fit what the models were trained on.
    """
    with tempfile.TemporaryDirectory(prefix="jetlens_score_") as name:
        parquet, cutflow, folder = (Path(name) / n for n in ("events.parquet", "cutflow.json", "features"))
        about = {"sample": "application", "part": source, "definitions": recipe.define}
        # a broken file among new ones is an error: nobody would see that it was left out
        reading = recipe.reading.model_copy(update={"broken_files": "fail"})
        skim_file(source, parquet, cutflow, reading=reading, skim=recipe.skim, **about)  # type: ignore[arg-type]
        flow = read_cutflow(cutflow)
        for warning in warnings_of(flow):
            print(f"jetlens: warning: {warning}", file=sys.stderr, flush=True)
        streams = sorted({name for model in models for name in model.streams})
        wanted = recipe.features.model_copy(
            update={"streams": {name: recipe.features.streams[name] for name in streams}}
        )
        # no class is known of these events, and none is asked for; a hypothesis that no model reads may be any
        build_features(parquet, folder, features=wanted, label=0, mass=mass or 1.0, **about)  # type: ignore[arg-type]
        metadata = Part(folder, streams).metadata
        for model in models:
            check_presence(model.manifest, model.streams, metadata, source)
        yield Prepared(folder, parquet, flow)


def _score_file(models: Models, source: str, recipe: Recipe, masses: Sequence[float]) -> _Scored:
    with prepared(models, source, recipe, next(iter(masses), None)) as file:
        part = Part(file.features, sorted({name for model in models for name in model.streams}))
        numbers, weights = part.per_event("event_number"), part.per_event("weight")
        hypotheses: Sequence[float | None] = masses or [None]
        logits = np.stack([_logits(models, part, mass) for mass in hypotheses])
        return _Scored(logits, numbers, weights, file.cutflow["cuts"][0])


def _logits(models: Models, part: Part, mass: float | None) -> NDArray[np.float32]:
    """Return (M, N) logits, some rows at a time, at a mass hypothesis of models that read it."""
    logits = np.empty((len(models), part.events), np.float32)
    for start in range(0, part.events, ROWS):
        end = min(start + ROWS, part.events)
        arrays = part.rows(start, end)
        if mass is not None:
            arrays["event"] = at_hypothesis(arrays["event"], part.metadata.event.features, mass)
        for row, model in zip(logits, models, strict=True):
            row[start:end] = model.predict_arrays(arrays, part.metadata)
    return logits


def at_hypothesis(event: NDArray[Any], features: Sequence[str], mass: float) -> NDArray[Any]:
    """Return event vectors (N, E) with the mass hypothesis [GeV] in the place of the one that they have."""
    event = event.copy()
    event[:, list(features).index(MASS_FEATURE)] = np.log(mass)
    return event
