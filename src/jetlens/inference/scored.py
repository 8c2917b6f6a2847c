"""The scored events that templates are filled from: ``inference/events/<variant>/<sample>[@<variation>].parquet``.

A row per selected event, whose columns are:

====================  =======  =======================================================================================
``event``             int64    of its file and event number, :func:`jetlens.hashing.identities`: one event, whatever the
                               variation and its rows
``event_number``      int64    as in the input file
``fold``              uint8    of the physical sample, whatever the variation
``weight``            float64  the generator's: expected events once ``features/normalisation.json`` has scaled them
``score``             float64  mean logit over seeds, on the common scale of all rotations; of classifiers that read the
                               mass hypothesis ``score_m<mass>`` in its place, one per hypothesis
each observable       float64  of ``inference.observables``; NaN where the event lacks what it needs
====================  =======  =======================================================================================

An event is scored by the networks of one rotation, which were not trained on its fold, and is left out where there are
none: with k-fold training by those that test it, otherwise by those that validate on it. Locked folds, once unlocked,
and data of folds that no simulated event is scored in, take turns in the rotations: a mean over all of them would tell
signal from background better than the networks that cuts are chosen for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from jetlens.config.inference import SCORE, score_of
from jetlens.errors import FileError
from jetlens.evaluation.scale import Scale
from jetlens.evaluation.scores import read_scores
from jetlens.expressions import check, define
from jetlens.expressions.evaluate import Evaluator
from jetlens.expressions.feature import MASS_FEATURE
from jetlens.features.featurefile import Part
from jetlens.features.skims import skimmed
from jetlens.files import atomic_path
from jetlens.hashing import identities
from jetlens.trained.ensemble import folds_by_rotation

Floats = NDArray[np.float64]
Columns = dict[str, NDArray[Any]]


class PartFiles(NamedTuple):
    """What is known of the events of one part: the folder of its feature files, and its skim file."""

    features: Path
    skim: Path


class Scorer:
    """All networks of a variant, each applied to those events only that it never saw.

    Args:
        models: folders ``training/<variant>/seed<k>``, one per seed and rotation.
        scores: ``evaluation/<variant>/scores.npz``, for the scale of the rotations.
        unlock: whether locked folds are scored.
        data: whether these are events that no training can have seen: then all are scored.
        masses: hypotheses [GeV], for classifiers that read them.

    Attributes:
        columns: names of the scores.

    Raises:
        FileError: if a file cannot be used, or models do not belong together.
    """

    def __init__(
        self,
        models: Sequence[Path],
        scores: Path,
        *,
        unlock: bool = False,
        data: bool = False,
        masses: Sequence[float] = (),
    ) -> None:
        """Load the networks."""
        from jetlens.trained import load_model  # brings a whole back end with it

        self.models = [load_model(folder) for folder in models]
        self._scale: Scale = read_scores(scores).scale
        self.streams = self.models[0].streams
        manifests = [model.manifest for model in self.models]
        self.rotations = rotations_of_folds(manifests, unlock=unlock, data=data)
        features = list(self.models[0].manifest["features"]["event"]["features"])
        reads = MASS_FEATURE in features and self.models[0].options.use_event
        self._mass_column = features.index(MASS_FEATURE) if reads else None
        self._masses = list(masses) if reads else []
        self.columns = [score_of(mass) for mass in self._masses] or [SCORE]

    def scores(self, inputs: Columns, metadata: Any, fold: NDArray[np.uint8]) -> dict[str, Floats]:
        """Return the scores by column, under each mass hypothesis if the classifier reads it; see :meth:`__call__`."""
        if self._mass_column is None:
            return {SCORE: self(inputs, metadata, fold)}
        found, event = {}, inputs["event"].copy()
        for mass in self._masses:
            event[:, self._mass_column] = np.log(mass)
            found[score_of(mass)] = self({**inputs, "event": event}, metadata, fold)
        return found

    def __call__(self, inputs: Columns, metadata: Any, fold: NDArray[np.uint8]) -> Floats:
        """Return the scores (N,) of events whose folds are all among ``rotations``.

        Args:
            inputs: arrays by input's name, N events each.
            metadata: of their part.
            fold: (N,).
        """
        score = np.empty(len(fold))
        for rotation in {self.rotations[int(k)] for k in np.unique(fold)}:
            own = np.isin(fold, [k for k, of in self.rotations.items() if of == rotation])
            score[own] = self._of_rotation(rotation, {k: array[own] for k, array in inputs.items()}, metadata)
        return score

    def _of_rotation(self, rotation: int, inputs: Columns, metadata: Any) -> Floats:
        logits = [
            model.predict_arrays(inputs, metadata).astype(np.float64)
            for model in self.models
            if int(model.manifest["rotation"]) == rotation
        ]
        mean = np.mean(logits, axis=0)
        return self._scale.apply(mean, np.full(len(mean), rotation, dtype=np.uint8))


def rotations_of_folds(
    manifests: Sequence[Mapping[str, Any]], *, unlock: bool = False, data: bool = False
) -> dict[int, int]:
    """Return the rotation whose networks score each fold's events; a fold that all have trained on is not there.

    Args:
        manifests: of all models of a variant.
        unlock: whether locked folds are scored.
        data: whether all folds are.

    Raises:
        FileError: if the models do not make up a whole k-fold training, or one of those to be used was trained on the
            fold.
    """
    found = {fold: r for r, test in folds_by_rotation(list(map(dict, manifests))).items() for fold in test}
    by_rotation = {int(entry["rotation"]): entry["folds"] for entry in manifests}
    for rotation, folds in sorted(by_rotation.items()):
        for fold in folds["validation"]:
            found.setdefault(int(fold), rotation)
    if unlock:
        locked = manifests[0]["features"]["locked_folds"]
        found |= {int(fold): int(fold) % len(by_rotation) for fold in locked}
    for entry in manifests:
        own = {fold for fold, of in found.items() if int(entry["rotation"]) == of}
        if seen := own & set(entry["folds"]["training"]):
            raise FileError(
                f"'{entry['variant']}', rotation {entry['rotation']}: was trained on fold {min(seen)}, whose events it "
                "would score; run the training stage again"
            )
    if data:
        found = {fold: found.get(fold, fold % len(by_rotation)) for fold in range(256)}
    return dict(sorted(found.items()))


def write_events(
    parts: Iterable[PartFiles],
    output: Path,
    *,
    scorer: Scorer,
    observables: Mapping[str, str],
    definitions: Mapping[str, str] | None = None,
) -> int:
    """Write the scored events of one sample, batch by batch: memory does not grow with their number.

    Args:
        parts: of the sample.
        output: the parquet file to write.
        scorer: of the variant.
        observables: expression by name.
        definitions: names that expressions may use.

    Returns:
        the number of rows.

    Raises:
        ConfigError: if an expression does not fit these events.
        FileError: if a file is missing or damaged.
    """
    schema = pa.schema(
        [("event", pa.int64()), ("event_number", pa.int64()), ("fold", pa.uint8())]
        + [(name, pa.float64()) for name in ("weight", *scorer.columns, *observables)]
    )
    rows = 0
    with atomic_path(output) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        for part in parts:
            for columns in _batches(part, scorer, observables, definitions or {}):
                writer.write_table(pa.table({name: columns[name] for name in schema.names}, schema))
                rows += len(columns["fold"])
    pa.default_memory_pool().release_unused()
    return rows


def _batches(
    files: PartFiles, scorer: Scorer, observables: Mapping[str, str], definitions: Mapping[str, str]
) -> Iterator[Columns]:
    """Yield the columns of a part's events, those that may be scored."""
    part = Part(files.features, scorer.streams)
    per_event = {name: part.per_event(name) for name in ("event_number", "fold", "weight")}
    per_event["event"] = identities(part.metadata.part, per_event["event_number"])
    with skimmed(files.skim) as skim:
        if skim.number != part.events:
            raise FileError(
                f"{files.features}: has {part.events} events, its skim file {skim.number}; make the features again"
            )
        names = define(skim.names, definitions)
        checked = {name: check(text, names, "number") for name, text in observables.items()}
        wanted = {column for one in checked.values() for column in one.columns} | {"event_number"}
        start = 0
        for events in skim.batches(wanted):
            stop = start + len(events)
            columns = {name: values[start:stop] for name, values in per_event.items()}
            may = np.isin(columns["fold"], list(scorer.rotations))
            inputs = {name: array[may] for name, array in part.rows(start, stop).items()}
            columns = {name: values[may] for name, values in columns.items()}
            evaluator = Evaluator(events[may])
            columns |= {name: evaluator.numbers(one) for name, one in checked.items()}
            yield {**columns, **scorer.scores(inputs, part.metadata, columns["fold"])}
            start = stop
