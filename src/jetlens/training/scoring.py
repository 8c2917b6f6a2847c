"""Applying a trained model to new event files: same selection, same features, same standardisation."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jetlens.config.samples import Sample
from jetlens.errors import FileError
from jetlens.features import build_features
from jetlens.files import atomic_path
from jetlens.skim import skim_file
from jetlens.skim.cutflow import read_cutflow
from jetlens.training.application import Application
from jetlens.training.presence import check_presence
from jetlens.training.shards import Shard
from jetlens.training.trained import TrainedBoosting, TrainedNetwork, load_model

ROWS = 4096
"""Events scored at a time."""


def score(
    model_directory: str | os.PathLike[str],
    files: Sequence[str],
    output: str | os.PathLike[str],
    *,
    threads: int = 1,
) -> int:
    """Score the events of new files that pass the selection the model was trained on.

    Selection, features and standardisation come from the model's folder. Written are, per selected event and in the
    order of the files: ``score`` (after the sigmoid) and ``logit``, float32; ``event_number``, int64; ``file_index``,
    int32, pointing into ``files``, the names as given.

    Args:
        model_directory: ``training/<variant>/seed<k>``.
        files: event files, paths or URLs.
        output: the ``.npz`` to write.
        threads: threads for one operation.

    Returns:
        The number of events scored.

    Raises:
        FileError: if the folder holds no model, does not say how its features were made, or a file does not fit.
    """
    model = load_model(model_directory, threads)
    content = model.manifest.get("application")
    if content is None:
        raise FileError(
            f"{model_directory}: its manifest does not say how the features were made; train it with the workflow"
        )
    application = Application.model_validate(content)
    scored = [_score_file(model, source, application) for source in files]
    logit = np.concatenate([np.zeros(0, np.float32), *(logits for logits, _ in scored)])
    numbers = np.concatenate([np.zeros(0, np.int64), *(events for _, events in scored)])
    index = np.repeat(np.arange(len(scored), dtype=np.int32), [len(logits) for logits, _ in scored])
    arrays: dict[str, NDArray[Any]] = {
        "score": sigmoid(logit),
        "logit": logit,
        "event_number": numbers,
        "file_index": index,
        "files": np.array(list(files), dtype=np.str_),
    }
    with atomic_path(output) as temporary, temporary.open("wb") as stream:
        np.savez(stream, allow_pickle=False, **arrays)
    return len(logit)


def sigmoid(logit: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return 1 / (1 + exp(−logit)) without overflow."""
    return np.asarray(np.exp(-np.logaddexp(0.0, -logit.astype(np.float64))), dtype=np.float32)


def _score_file(
    model: TrainedNetwork | TrainedBoosting, source: str, application: Application
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return logits and event numbers of one file's selected events; what lies between goes to a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="jetlens_score_") as name:
        parquet, cutflow, npz = (Path(name) / n for n in ("events.parquet", "cutflow.json", "features.npz"))
        # a weight is not asked for: any cross section and luminosity will do
        sample = Sample("application", "application", "background", {"events": source}, cross_section_pb=1.0)
        skim_file(
            source,
            parquet,
            cutflow,
            sample=sample.name,
            part="events",
            # a broken file among new ones is an error: nobody would see that it was left out
            reading=application.reading.model_copy(update={"broken_files": "fail"}),
            skim=application.skim,
        )
        check_presence(model.manifest, model.streams, read_cutflow(cutflow)["conventions"], source)
        build_features(
            parquet,
            [cutflow],
            npz,
            features=application.features,
            sample=sample,
            part="events",
            luminosity_fb=1.0,
        )
        shard = Shard(npz, model.streams)
        logits = [
            model.predict_arrays(shard.rows(start, min(start + ROWS, shard.events)), shard.metadata)
            for start in range(0, shard.events, ROWS)
        ]
        return np.concatenate([np.zeros(0, np.float32), *logits]), shard.per_event("event_number")
