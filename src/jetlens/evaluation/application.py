"""What trained variants say of application samples: how many events pass cuts that were set on the test events."""

from __future__ import annotations

import csv
import io
import math
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jetlens.config.samples import Sample
from jetlens.errors import FileError
from jetlens.evaluation.metrics import roc_curve
from jetlens.evaluation.scores import Scores, read_scores
from jetlens.evaluation.stage import SIGNAL_EFFICIENCIES
from jetlens.files import write_text
from jetlens.skim.cutflow import efficiency_error, generated_weight
from jetlens.statistics import clopper_pearson, gamma_interval, typical_weight

COLUMNS = (
    *("variant", "sample", "process", "signal_efficiency", "logit_cut"),
    *("generated_events", "selected_events", "passing_events"),
    *("efficiency", "efficiency_error", "efficiency_low", "efficiency_high"),
    *("yield", "yield_error", "yield_low", "yield_high"),
)
SUMS = ("generated_events", "generated_weight", "generated_weight_squared")
"""Arrays of an application's score file with one entry per event file."""


@dataclass(frozen=True)
class Applied:
    """The selected events of an application sample, all parts together.

    Attributes:
        logit: (R, N) mean over seeds of each rotation's networks, on one scale: what the evaluation cuts on. With
            k-fold training the test events of each rotation are scored by its own networks alone, whose spread a mean
            over all rotations would not have.
        weight: (N,) generator weights.
        generated: sums over all generated events, by the names in :data:`SUMS`.
    """

    logit: NDArray[np.float64]
    weight: NDArray[np.float64]
    generated: dict[str, float]


def read_application(files: Sequence[Path], scores: Scores) -> Applied:
    """Read the score files of one sample's parts, as :func:`jetlens.trained.score` wrote them.

    Args:
        files: of the parts.
        scores: of the variant's evaluation, for the scale of its rotations.

    Raises:
        FileError: if a file is missing, damaged or no such file.
    """
    parts = []
    for path in files:
        try:
            with np.load(path, allow_pickle=False) as archive:
                logits, rotation = archive["logits"].astype(np.float64), archive["rotation"]
                logit = np.stack(
                    [
                        scores.scale.apply(logits[rotation == r].mean(axis=0), np.array([r]))
                        for r in np.unique(rotation)
                    ]
                )
                parts.append((logit, archive["weight"], {name: float(archive[name].sum()) for name in SUMS}))
        except (OSError, ValueError, EOFError, KeyError, IndexError, zipfile.BadZipFile) as error:
            raise FileError(
                f"{path}: is no score file of an application ({error}); score it again"
            ) from error
    return Applied(
        np.concatenate([logit for logit, _, _ in parts], axis=1),
        np.concatenate([weight for _, weight, _ in parts]),
        {name: sum(sums[name] for _, _, sums in parts) for name in SUMS},
    )


def summarise_applications(
    evaluations: Sequence[Path],
    applied: Mapping[str, Mapping[str, Sequence[Path]]],
    samples: Sequence[Sample],
    output_csv: Path,
    *,
    luminosity_fb: float,
) -> None:
    """Write one line per variant, application sample and working point.

    A working point is the tightest cut on the mean logit that keeps 30, 50 or 70 % of the selected test signal by its
    σ·L weight (rejections in ``summary.csv`` are of single seeds, each with a cut of its own). The
    efficiency counts from all generated events; errors are statistical, as in :mod:`jetlens.skim.cutflow`, and empty
    where nothing passes; ``_low`` and ``_high`` are the ends of 68 % intervals that hold for few events, and for none:
    Clopper and Pearson's of the efficiency, Garwood's of the yield, of effective events where weights differ. With
    k-fold training, what passes is the mean over rotations. Yields are empty where the table gives no cross section.

    Args:
        evaluations: folders ``evaluation/<variant>``.
        applied: per variant and sample the files that :func:`jetlens.trained.score` wrote.
        samples: the application samples.
        output_csv: table to write.
        luminosity_fb: integrated luminosity [1/fb].

    Raises:
        FileError: if a file is missing or damaged, or a sample holds more events than the table says were generated.
        NoEventsError: if a sample's files hold no event, or their weights do not add up to more than 0.
    """
    rows: list[Sequence[str]] = [COLUMNS]
    for folder in evaluations:
        scores = read_scores(folder / "scores.npz")
        cuts = working_points(scores)
        for sample in samples:
            events = read_application(applied[folder.name][sample.name], scores)
            lines = _lines(events, cuts, sample, luminosity_fb)
            rows += [(folder.name, sample.name, sample.process, *cells) for cells in lines]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    write_text(output_csv, text.getvalue())


def working_points(scores: Scores) -> dict[float, float]:
    """Return the tightest cuts on the mean logit that keep 30, 50 and 70 % of the test signal's σ·L weight."""
    curve = roc_curve(scores.ensemble, scores.label, scores.weight)
    return {each: float(curve.threshold[curve.tightest(each)]) for each in SIGNAL_EFFICIENCIES}


def _lines(
    events: Applied, cuts: Mapping[float, float], sample: Sample, luminosity_fb: float
) -> Iterator[list[str]]:
    number, total, squared = (events.generated[name] for name in SUMS)
    whole = generated_weight([{"cuts": [{"events": number, "sum_weights": total}]}], sample)
    for signal_efficiency, cut in cuts.items():
        share = (events.logit >= cut).mean(axis=0)  # of the rotations in which an event passes
        efficiency = float((events.weight * share).sum()) / whole
        of_passing = float((events.weight**2 * share).sum())
        error = efficiency_error(efficiency, of_passing, squared * whole / total, whole)
        one, passing = typical_weight(events.weight) if len(share) else squared / total, efficiency * whole
        ends = [float(end) / whole for end in gamma_interval(passing, of_passing, one)]
        one = of_passing / passing if passing > 0 else one
        shares = clopper_pearson(max(passing, 0.0) / one, whole / one)
        cells = [f"{signal_efficiency:.2f}", f"{cut:.6g}"]
        cells += [f"{number:.0f}", str(len(share)), f"{share.sum():.6g}", f"{efficiency:.6g}"]
        cells += [f"{error:.3g}" if share.any() else "", *(f"{end:.4g}" for end in shares)]
        if sample.cross_section_pb is None:
            cells += [""] * 4
        else:
            produced = sample.produced(luminosity_fb)
            cells.append(f"{produced * efficiency:.6g}")
            cells.append(f"{produced * math.sqrt(of_passing) / whole:.3g}" if share.any() else "")
            cells += [f"{produced * end:.4g}" for end in ends]
        yield cells
