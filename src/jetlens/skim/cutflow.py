"""The cutflow of an analysis: raw and weighted yields after each cut, with their statistical errors.

With events i, generator weights w_i, sums over all generated events (Σ) and over those that pass (Σ'):

* efficiency ε = Σ'w / Σw. Its error is that of a ratio of a subset to the whole, passing and failing weights being
  independent: σ_ε² = [ (1 − ε)² Σ'w² + ε² (Σw² − Σ'w²) ] / (Σw)²; with unit weights the binomial ε(1 − ε)/N.
* yield Y = σ·L·ε at cross section σ and luminosity L. Its error is that of a Poisson count of weighted events,
  σ_Y = σ·L·√(Σ'w²) / Σw, which for unit weights is Y/√n.
"""

from __future__ import annotations

import csv
import io
import math
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jetlens.config.samples import Sample
from jetlens.errors import FileError, NoEventsError
from jetlens.files import read_json, write_text

COLUMNS = (
    *("sample", "process", "cut", "events", "efficiency", "efficiency_error"),
    *("sum_weights", "yield", "yield_error"),
)


@dataclass(frozen=True)
class CutflowLine:
    """One cut of one sample; columns as in :data:`COLUMNS`, ``expected`` is the yield [events]."""

    sample: str
    process: str
    cut: str
    events: int
    efficiency: float
    efficiency_error: float
    sum_weights: float
    expected: float
    expected_error: float


def read_cutflow(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a part's cutflow.

    Raises:
        FileError: if it is missing or not one.
    """
    try:
        content = read_json(path)
        if not content["cuts"] or "sample" not in content:
            raise KeyError("cuts")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FileError(f"{path}: is no cutflow of the skim stage; make it again") from error
    return dict(content)


def generated_weight(cutflows: Sequence[dict[str, Any]], sample: Sample) -> float:
    """Sum of weights of all generated events of a sample: the one denominator of its normalisation.

    Where the table says how many events were generated (files skimmed before), the mean weight of those in the files
    stands for the mean weight of all.

    Raises:
        NoEventsError: if there are no events, or their weights add up to nothing.
        FileError: if the table says how many events were generated, and fewer than the files hold, or a file was
            skipped: the events lost with it would count as rejected.
    """
    skipped = [flow for flow in cutflows if flow.get("skipped")]
    if skipped and sample.events is not None:
        raise FileError(
            f"sample '{sample.name}': the table says {sample.events:.0f} events were generated, but "
            f"{len(skipped)} of its {len(cutflows)} files were skipped as damaged, the first being part "
            f"'{skipped[0]['part']}', so its yield would come out too low: repair them, or take these files and their "
            "share of 'events' out of the table"
        )
    events = sum(int(flow["cuts"][0]["events"]) for flow in cutflows)
    total = sum(float(flow["cuts"][0]["sum_weights"]) for flow in cutflows)
    if events == 0:
        raise NoEventsError(f"sample '{sample.name}': its files hold no event at all")
    if total <= 0:
        raise NoEventsError(
            f"sample '{sample.name}': the weights of its {events} events add up to {total}, not above 0"
        )
    if sample.events is not None and sample.events < events:
        raise FileError(
            f"sample '{sample.name}': the table says {sample.events:.0f} events were generated, its files hold {events}"
        )
    return total if sample.events is None else total / events * sample.events


def efficiency_error(efficiency: float, squared: float, whole_squared: float, total: float) -> float:
    """Return the statistical error of an efficiency, as told at the top of this module.

    Args:
        efficiency: ε.
        squared: Σ'w² of the events that pass.
        whole_squared: Σw² of all.
        total: Σw of all.
    """
    variance = (1 - efficiency) ** 2 * squared + efficiency**2 * max(whole_squared - squared, 0.0)
    return math.sqrt(variance) / total


def cutflow_lines(flows: Sequence[dict[str, Any]], sample: Sample, luminosity_fb: float) -> list[CutflowLine]:
    """Merge the parts of one sample.

    Args:
        flows: contents of its cutflow files.
        sample: its line in the table.
        luminosity_fb: integrated luminosity [1/fb].

    Raises:
        NoEventsError: if the sample holds no event.
        FileError: if the parts have different cuts.
    """
    names = [cut["name"] for cut in flows[0]["cuts"]]
    if any([cut["name"] for cut in flow["cuts"]] != names for flow in flows):
        raise FileError(
            f"sample '{sample.name}': its parts were skimmed with different cuts; skim them again"
        )
    total = generated_weight(flows, sample)
    expected = sample.produced(luminosity_fb)
    sums = [
        [
            sum(flow["cuts"][k][key] for flow in flows)
            for key in ("events", "sum_weights", "sum_weights_squared")
        ]
        for k in range(len(names))
    ]
    scale = total / sums[0][1]
    whole_squared = sums[0][2] * scale
    lines = []
    for name, (events, weights, squared) in zip(names, sums, strict=True):
        efficiency = weights / total
        lines.append(
            CutflowLine(
                sample=sample.name,
                process=sample.process,
                cut=name,
                events=events,
                efficiency=efficiency,
                efficiency_error=efficiency_error(efficiency, squared, whole_squared, total),
                sum_weights=weights,
                expected=expected * efficiency,
                expected_error=expected * math.sqrt(squared) / total,
            )
        )
    return lines


def check_selected(sample: str, cuts: Sequence[dict[str, Any]]) -> None:
    """Refuse a sample of which no event is selected.

    Args:
        sample: its name.
        cuts: lines of its cutflow, all parts together.

    Raises:
        NoEventsError: naming the cut that removed the last event.
    """
    if cuts[-1]["events"]:
        return
    emptied = next(k for k, cut in enumerate(cuts) if not cut["events"])
    before = f"{cuts[emptied - 1]['events']} events before it" if emptied else "the files are empty"
    raise NoEventsError(
        f"sample '{sample}': no event is selected; the cut '{cuts[emptied]['name']}' removes the last one ({before})"
    )


def write_cutflow_table(
    cutflow_jsons: Sequence[Path],
    samples: Sequence[Sample],
    luminosity_fb: float,
    output_csv: Path,
    cuts: Sequence[str] | None = None,
) -> None:
    """Write the cutflow of all samples, one row per sample and cut; columns in :data:`COLUMNS`.

    Args:
        cutflow_jsons: the cutflows of all parts of all samples.
        samples: their lines in the table, in the order wanted.
        luminosity_fb: integrated luminosity [1/fb].
        output_csv: the file to write.
        cuts: names of the cuts, in order; None: as the cutflows call them.

    Raises:
        NoEventsError: if a sample holds no event.
        FileError: if a cutflow is missing, unreadable or does not fit the others.

    What does not show in the table goes to the log (standard error): skipped files and unmatched references.
    """
    flows = [read_cutflow(path) for path in cutflow_jsons]
    for warning in (text for flow in flows for text in warnings_of(flow)):
        print(f"jetlens: warning: {warning}", file=sys.stderr, flush=True)
    lines: list[CutflowLine] = []
    for sample in samples:
        own = [flow for flow in flows if flow["sample"] == sample.name]
        if not own:
            raise FileError(f"sample '{sample.name}': has no cutflow; run the skim stage for it")
        lines += _named(cutflow_lines(own, sample, luminosity_fb), cuts)
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for line in lines:
        numbers = (
            line.efficiency,
            line.efficiency_error,
            line.sum_weights,
            line.expected,
            line.expected_error,
        )
        table.writerow([line.sample, line.process, line.cut, line.events, *(f"{x:.8g}" for x in numbers)])
    write_text(output_csv, text.getvalue())
    print(format_cutflow(lines), file=sys.stderr, flush=True)


def _named(lines: list[CutflowLine], cuts: Sequence[str] | None) -> list[CutflowLine]:
    """Call the lines after the first as the configuration calls its cuts."""
    if cuts is None:
        return lines
    if len(lines) != len(cuts) + 1:
        raise FileError(
            f"sample '{lines[0].sample}': its cutflow has {len(lines) - 1} cuts, the configuration {len(cuts)}; "
            "skim it again"
        )
    return [lines[0], *(replace(line, cut=name) for line, name in zip(lines[1:], cuts, strict=True))]


def warnings_of(flow: dict[str, Any]) -> list[str]:
    """What the user should know of a part, one line each."""
    part = f"sample '{flow['sample']}', part '{flow['part']}'"
    texts = []
    if flow.get("skipped"):
        texts.append(f"{part}: skipped, {flow['skipped']}")
    found = flow.get("constituents", {})
    if found.get("unmatched"):
        texts.append(
            f"{part}: {found['unmatched']} of {found['references']} constituent references match no object and are "
            "left out (reading.unmatched: warn)"
        )
    return texts


def format_cutflow(lines: Sequence[CutflowLine]) -> str:
    """Return the cutflow as text for a terminal: raw events, efficiency and yield with errors, per sample and cut."""
    width = max((len(line.cut) for line in lines), default=0)
    text = []
    for number, line in enumerate(lines):
        if number == 0 or lines[number - 1].sample != line.sample:
            text.append(f"{line.sample} ({line.process})")
        percent, error = 100 * line.efficiency, 100 * line.efficiency_error
        text.append(
            f"  {line.cut:{width}s} {line.events:>9d}  {percent:7.2f} ± {error:5.2f} %"
            f"  {line.expected:12.5g} ± {line.expected_error:.2g} events"
        )
    return "\n".join(text)
