"""From one event file to one skim file and its cutflow."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from jetlens.config.reading import ReadingConfig
from jetlens.config.skim import ALL_EVENTS, SkimConfig
from jetlens.errors import DamagedFileError
from jetlens.events.eventfile import EventFile
from jetlens.events.integrity import verify_checksum
from jetlens.events.layout import arrow_schema, to_table
from jetlens.events.selection import select_columns
from jetlens.expressions import Checked, Namespace, check, define
from jetlens.expressions.evaluate import Evaluator
from jetlens.files import atomic_path, write_json
from jetlens.skim.parquet import released_memory, write_facts
from jetlens.skim.selection import Mask, Selection


class _Tally:
    """Events, Σw and Σw² after each line of the cutflow."""

    def __init__(self, names: list[str]) -> None:
        self.names = names
        self.sums = np.zeros((len(names), 3))

    def add(self, weight: NDArray[np.float64], masks: list[Mask]) -> None:
        for line, mask in enumerate(masks):
            kept = weight[mask]
            self.sums[line] += len(kept), kept.sum(), (kept**2).sum()

    def lines(self) -> list[dict[str, Any]]:
        return [
            {"name": name, "events": int(n), "sum_weights": float(w), "sum_weights_squared": float(w2)}
            for name, (n, w, w2) in zip(self.names, self.sums, strict=True)
        ]


@released_memory()
def skim_file(
    source: str,
    parquet: Path,
    cutflow: Path,
    *,
    sample: str,
    part: str,
    reading: ReadingConfig,
    skim: SkimConfig,
    definitions: Mapping[str, str] | None = None,
    where: str = "",
) -> None:
    """Select the events of one file and resolve the constituents of their leading fat jets.

    The file is read in chunks that fit ``reading.memory_gb``; each chunk becomes a row group. A file of which no event
    passes gives an empty, valid skim file: other parts of the sample may have some.

    Args:
        source: the event file, a path or URL.
        parquet: the skim file to write, see :mod:`jetlens.skim.parquet`.
        cutflow: the JSON file to write: ``sample``, ``part``, ``source``, ``cuts`` (a list of ``name``, ``events``,
            ``sum_weights``, ``sum_weights_squared``, the first being all events), ``constituents`` (``references``,
            ``matched``, ``unmatched``), ``conventions``, ``skipped`` (why the file was left out, or null),
            ``checksum_verified`` (whether a file ``SHA256SUMS`` beside the source has its checksum, and it is right).
        sample: name of the sample.
        part: name of the part.
        reading: what the branches are called.
        skim: objects and cuts.
        definitions: names that their expressions may use, each an expression.
        where: which of the file's events belong to the sample, an expression; empty for all.

    Raises:
        FileError: if the file is damaged and ``reading.broken_files`` is ``fail``; whatever that says, if it is not
            there or lacks what the configuration asks for, which the other files of a sample would lack as well.
    """
    tally = _Tally([ALL_EVENTS, *(cut.name for cut in skim.cuts)])
    content: dict[str, Any] = {"sample": sample, "part": part, "source": source}
    try:
        content["checksum_verified"] = verify_checksum(source)
        with reading.open(source, sample) as events, atomic_path(parquet) as temporary:
            names = _names(events, definitions or {})
            belongs = check(where, names, "cut") if where else None
            counted = _stream(events, temporary, tally, Selection.checked(skim, names), belongs)
            if belongs is None and (generated := events.generated) is not None:
                tally.sums[0] = generated["events"], generated["weights"], generated["weights_squared"]
                events.assume("generated events", "as the file records them, with those left out before")
            conventions, skipped = events.assumed, None
    except DamagedFileError as error:
        if reading.broken_files == "fail":
            raise
        tally = _Tally(tally.names)
        counted, conventions, skipped = {"references": 0, "matched": 0, "unmatched": 0}, {}, str(error)
        schema = reading.event_schema()
        layout = arrow_schema(schema, select_columns(schema, None, reading.also))
        with atomic_path(parquet) as temporary, pq.ParquetWriter(temporary, layout) as writer:
            write_facts(writer, {}, None)
    content |= {
        "cuts": tally.lines(),
        "constituents": counted,
        "conventions": conventions,
        "skipped": skipped,
    }
    write_json(cutflow, content)


def _names(file: EventFile, definitions: Mapping[str, str]) -> Namespace:
    return define(Namespace.from_columns(file.kinds()), definitions)


def _stream(
    file: EventFile, path: Path, tally: _Tally, selection: Selection, belongs: Checked | None
) -> dict[str, int]:
    """Write the selected events of all batches; returns how many references there were and how many matched."""
    references = matched = 0
    layout = arrow_schema(file.schema, file.selection)
    treatment = file.impact_parameters
    with pq.ParquetWriter(path, layout, compression="zstd", use_dictionary=False) as writer:
        for batch in file.batches():
            whole = batch.events
            if belongs is not None:
                whole = whole[Evaluator(whole).mask(belongs)]
            events = selection.select_objects(whole)
            everything = np.ones(len(events), dtype=bool)
            masks = [everything, *selection.passing(events)]
            tally.add(np.asarray(events.weight), masks)
            if not masks[-1].any():
                continue
            complete, found = batch.resolve(events[masks[-1]])
            references += sum(one.references for one in found.values())
            matched += sum(one.matched for one in found.values())
            writer.write_table(to_table(complete, layout))
        write_facts(writer, file.filled, treatment)
    return {"references": references, "matched": matched, "unmatched": references - matched}
