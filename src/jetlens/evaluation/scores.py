"""The score file ``evaluation/<variant>/scores.npz``: what every trained seed says about every test event.

For N test events, M validation events, S seeds, R rotations and K samples:

=========================  ================  ==========================================================
``logits``                 float64 (S, N)    one row per training seed, larger is more signal-like; on one
                                             scale over rotations, see :mod:`jetlens.evaluation.scale`
``ensemble``               float64 (N,)      mean of the networks' own logits over seeds, then on one scale
``seeds``                  int64 (S,)        training seeds, as the rows of ``logits``
``label``                  int8 (N,)         1 signal, 0 background
``weight``                 float64 (N,)      expected events at the analysis' luminosity; the events of a
                                             sample stand for the whole sample
``event_number``           int64 (N,)        as in the input file
``rotation``               uint8 (N,)        of the k-fold training whose networks scored the event
``sample``                 int16 (N,)        index into ``sample_names``
``sample_names``           str (K,)          names of the samples
``process_names``          str (K,)          process of each sample
``sample_expected``        float64 (K,)      expected events that pass the selection
``seed_offset``            float64 (S, R)    the scale: common logit = offset + slope · network's own logit
``seed_slope``             float64 (S, R)
``ensemble_offset``        float64 (R,)      the same for the mean over seeds
``ensemble_slope``         float64 (R,)
``validation_ensemble``    float64 (M,)      as ``ensemble``, of the events that each rotation validates on:
                                             cuts are chosen on them
``validation_label``       int8 (M,)
``validation_weight``      float64 (M,)      they too stand for their whole sample
``validation_sample``      int16 (M,)
``validation_rotation``    uint8 (M,)
=========================  ================  ==========================================================
"""

from __future__ import annotations

import os
import zipfile
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from jetlens.errors import FileError
from jetlens.evaluation.scale import Scale
from jetlens.files import atomic_path


@dataclass(frozen=True)
class Scores:
    """Content of a score file; shapes and types as in the module's table."""

    logits: NDArray[np.float64]
    ensemble: NDArray[np.float64]
    seeds: NDArray[np.int64]
    label: NDArray[np.int8]
    weight: NDArray[np.float64]
    event_number: NDArray[np.int64]
    rotation: NDArray[np.uint8]
    sample: NDArray[np.int16]
    sample_names: NDArray[np.str_]
    process_names: NDArray[np.str_]
    sample_expected: NDArray[np.float64]
    seed_offset: NDArray[np.float64]
    seed_slope: NDArray[np.float64]
    ensemble_offset: NDArray[np.float64]
    ensemble_slope: NDArray[np.float64]
    validation_ensemble: NDArray[np.float64]
    validation_label: NDArray[np.int8]
    validation_weight: NDArray[np.float64]
    validation_sample: NDArray[np.int16]
    validation_rotation: NDArray[np.uint8]

    def __len__(self) -> int:
        """Return the number of test events."""
        return len(self.label)

    @property
    def scale(self) -> Scale:
        """How a mean of logits over seeds of one rotation comes to the scale of ``ensemble``."""
        return Scale(self.ensemble_offset, self.ensemble_slope)

    def same_events(self, other: Scores) -> bool:
        """Whether both hold the same events in the same order."""
        return (
            len(self) == len(other)
            and bool(np.array_equal(self.event_number, other.event_number))
            and bool(np.array_equal(self.sample_names[self.sample], other.sample_names[other.sample]))
        )


def write_scores(path: str | os.PathLike[str], scores: Scores) -> None:
    """Write a score file, atomically.

    Raises:
        FileError: if a score is not finite: the training went wrong.
    """
    if not np.isfinite(scores.logits).all():
        bad = int((~np.isfinite(scores.logits)).any(axis=0).sum())
        raise FileError(
            f"{path}: {bad} of {len(scores)} events have a score that is not finite; the training diverged, "
            f"lower training.learning_rate"
        )
    arrays = {field.name: getattr(scores, field.name) for field in fields(Scores)}
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, **arrays)


def read_scores(path: str | os.PathLike[str]) -> Scores:
    """Read a score file; nothing is ever unpickled.

    Raises:
        FileError: if the file is missing, damaged or lacks an array.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            return Scores(**{field.name: archive[field.name] for field in fields(Scores)})
    except FileNotFoundError as error:
        raise FileError(f"{path}: does not exist; run the evaluation stage first") from error
    except KeyError as error:
        raise FileError(
            f"{path}: is no score file: {error.args[0]}; run the evaluation stage again"
        ) from error
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise FileError(f"{path}: is damaged: {error}; run the evaluation stage again") from error
