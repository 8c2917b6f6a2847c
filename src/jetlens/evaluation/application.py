"""What trained variants say of application samples: how many events pass the cuts that the evaluation set."""

from __future__ import annotations

import csv
import io
import math
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jetlens.config.samples import Sample
from jetlens.errors import FileError
from jetlens.evaluation.metrics import roc_curve
from jetlens.evaluation.scores import Scores, read_scores
from jetlens.evaluation.stage import SIGNAL_EFFICIENCIES
from jetlens.files import write_text

COLUMNS = (
    *("variant", "sample", "process", "signal_efficiency", "logit_cut"),
    *("generated_events", "selected_events", "passing_events"),
    *("efficiency", "efficiency_error", "yield", "yield_error"),
)
SUMS = ("generated_events", "generated_weight", "generated_weight_squared")
"""Arrays of an application's score file with one entry per event file."""


def summarise_applications(
    evaluations: Sequence[Path],
    applied: Mapping[str, Mapping[str, Sequence[Path]]],
    samples: Sequence[Sample],
    output_csv: Path,
    *,
    luminosity_fb: float,
) -> None:
    """Write one line per variant, application sample and working point.

    A working point is the tightest cut on the mean logit that keeps 30, 50 or 70 % of the selected test signal. The
    efficiency counts from all generated events; errors are statistical, as in :mod:`jetlens.skim.cutflow`. Yields are
    empty where the table gives no cross section.

    Args:
        evaluations: folders ``evaluation/<variant>``.
        applied: per variant and sample the files that :func:`jetlens.training.score` wrote.
        samples: the application samples.
        output_csv: table to write.
        luminosity_fb: integrated luminosity [1/fb].

    Raises:
        FileError: if a file is missing or damaged, or a sample holds more events than the table says were generated.
    """
    rows: list[Sequence[str]] = [COLUMNS]
    for folder in evaluations:
        cuts = working_points(read_scores(folder / "scores.npz"))
        for sample in samples:
            events = read_application(applied[folder.name][sample.name])
            lines = _lines(events, cuts, sample, luminosity_fb)
            rows += [(folder.name, sample.name, sample.process, *cells) for cells in lines]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    write_text(output_csv, text.getvalue())


def working_points(scores: Scores) -> dict[float, float]:
    """Return the tightest cuts on the mean logit that keep 30, 50 and 70 % of the test signal's σ·L weight."""
    curve = roc_curve(scores.ensemble, scores.label, scores.weight)
    return {
        efficiency: float(curve.threshold[int(np.argmax(curve.signal >= efficiency * (1 - 1e-12)))])
        for efficiency in SIGNAL_EFFICIENCIES
    }


def read_application(files: Sequence[Path]) -> dict[str, NDArray[Any]]:
    """Read score files of one sample's parts: ``logit`` and ``weight`` (N,), and the sums over generated events.

    Raises:
        FileError: if a file is missing, damaged or no such file.
    """
    parts = []
    for path in files:
        try:
            with np.load(path, allow_pickle=False) as archive:
                parts.append({name: archive[name] for name in ("logit", "weight", *SUMS)})
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
            raise FileError(
                f"{path}: is no score file of an application ({error}); score it again"
            ) from error
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return joined | {name: joined[name].sum() for name in SUMS}


def _lines(
    events: Mapping[str, NDArray[Any]], cuts: Mapping[float, float], sample: Sample, luminosity_fb: float
) -> Iterator[list[str]]:
    found, total = int(events["generated_events"]), float(events["generated_weight"])
    squared = float(events["generated_weight_squared"])
    if sample.events is not None:  # files skimmed before: the mean weight stands for that of all
        if sample.events < found:
            raise FileError(
                f"sample '{sample.name}': the table says {sample.events:.0f} events were generated, its files "
                f"hold {found}"
            )
        total, squared = total / found * sample.events, squared / found * sample.events
    if not total > 0:
        raise FileError(
            f"sample '{sample.name}': the weights of its {found} events add up to {total}, not above 0"
        )
    for signal_efficiency, cut in cuts.items():
        passes = events["logit"] >= cut
        weight = events["weight"][passes]
        efficiency, of_passing = float(weight.sum()) / total, float((weight**2).sum())
        variance = (1 - efficiency) ** 2 * of_passing + efficiency**2 * max(squared - of_passing, 0.0)
        cells = [
            f"{signal_efficiency:.2f}",
            f"{cut:.6g}",
            str(found),
            str(len(passes)),
            str(int(passes.sum())),
        ]
        cells += [f"{efficiency:.6g}", f"{math.sqrt(variance) / total:.3g}"]
        if sample.cross_section_pb is None:
            cells += ["", ""]
        else:
            produced = sample.produced(luminosity_fb)
            cells += [f"{produced * efficiency:.6g}", f"{produced * math.sqrt(of_passing) / total:.3g}"]
        yield cells
