"""From one event file to one skim file and its cutflow."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from jetlens.config.reading import ReadingConfig
from jetlens.config.skim import ALL_EVENTS, SkimConfig
from jetlens.config.variations import Move
from jetlens.errors import DamagedFileError
from jetlens.events.batch import Batch
from jetlens.events.eventfile import EventFile
from jetlens.events.integrity import verify_checksum
from jetlens.events.layout import arrow_schema, to_table
from jetlens.events.selection import select_columns
from jetlens.expressions import Checked, Namespace, check, define
from jetlens.expressions.evaluate import Evaluator
from jetlens.files import atomic_path, write_json
from jetlens.skim.parquet import released_memory, write_facts
from jetlens.skim.selection import Mask, Selection
from jetlens.skim.variations import Varied


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


class Target(NamedTuple):
    """Files of one selection of the events: as they are, or as a variation moves them."""

    parquet: Path
    cutflow: Path
    moves: Sequence[Move] | None = None


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
    target = Target(parquet, cutflow)
    _skim(source, [target], sample, part, reading, skim, definitions or {}, where)


@released_memory()
def vary_file(
    source: str,
    targets: Sequence[Target],
    *,
    variation: str,
    balance: str | None = None,
    sample: str,
    part: str,
    reading: ReadingConfig,
    skim: SkimConfig,
    definitions: Mapping[str, str] | None = None,
    where: str = "",
) -> None:
    """Select the events of one file as both sides of a variation of objects would have them, reading it once.

    Besides what :func:`skim_file` takes:

    Args:
        source: the event file, a path or URL.
        targets: the sides, with what they move.
        variation: its name, which random numbers depend on, as they do on the physical sample and the part.
        balance: collection whose change of transverse momentum the missing momentum takes up.
        sample: name of the physical sample.
        part: name of the part.
        reading: what the branches are called.
        skim: objects and cuts.
        definitions: names that expressions may use.
        where: which of the file's events belong to the sample, as they are before they are moved.

    Raises:
        FileError: as :func:`skim_file` does.
    """
    # moved jets are no sums of their constituents; that they were, the nominal selection has made sure of
    unchecked = reading.model_copy(update={"check_closure": False})
    key = f"{sample}:{part}:{variation}"  # events of two files may have one number
    _skim(source, targets, sample, part, unchecked, skim, definitions or {}, where, key, balance)


def _skim(
    source: str,
    targets: Sequence[Target],
    sample: str,
    part: str,
    reading: ReadingConfig,
    skim: SkimConfig,
    definitions: Mapping[str, str],
    where: str,
    key: str = "",
    balance: str | None = None,
) -> None:
    cuts = [ALL_EVENTS, *(cut.name for cut in skim.cuts)]
    tallies = [_Tally(cuts) for _ in targets]
    content: dict[str, Any] = {"sample": sample, "part": part, "source": source}
    try:
        content["checksum_verified"] = verify_checksum(source)
        with reading.open(source, sample) as events, contextlib.ExitStack() as files:
            names = _names(events, definitions)
            belongs = check(where, names, "cut") if where else None
            sides = [Varied(t.moves, names, key, balance) if t.moves is not None else None for t in targets]
            paths = [files.enter_context(atomic_path(target.parquet)) for target in targets]
            counted = _stream(events, paths, tallies, Selection.checked(skim, names), belongs, sides)
            if belongs is None and (generated := events.generated) is not None:
                for tally in tallies:
                    tally.sums[0] = generated["events"], generated["weights"], generated["weights_squared"]
                events.assume("generated events", "as the file records them, with those left out before")
            conventions, skipped = events.assumed, None
    except DamagedFileError as error:
        if reading.broken_files == "fail":
            raise
        tallies = [_Tally(cuts) for _ in targets]
        counted = [{"references": 0, "matched": 0, "unmatched": 0} for _ in targets]
        conventions, skipped = {}, str(error)
        schema = reading.event_schema()
        layout = arrow_schema(schema, select_columns(schema, None, reading.also))
        for target in targets:
            with atomic_path(target.parquet) as temporary, pq.ParquetWriter(temporary, layout) as writer:
                write_facts(writer, {}, None)
    content |= {"conventions": conventions, "skipped": skipped}
    for target, tally, found in zip(targets, tallies, counted, strict=True):
        write_json(target.cutflow, content | {"cuts": tally.lines(), "constituents": found})


def _names(file: EventFile, definitions: Mapping[str, str]) -> Namespace:
    return define(Namespace.from_columns(file.kinds()), definitions)


def _stream(
    file: EventFile,
    paths: Sequence[Path],
    tallies: Sequence[_Tally],
    selection: Selection,
    belongs: Checked | None,
    sides: Sequence[Varied | None],
) -> list[dict[str, int]]:
    """Write the selected events of all batches; returns how many references there were and how many matched."""
    counted = [{"references": 0, "matched": 0, "unmatched": 0} for _ in paths]
    layout = arrow_schema(file.schema, file.selection)
    treatment = file.impact_parameters
    with contextlib.ExitStack() as files:
        writers = [
            files.enter_context(pq.ParquetWriter(path, layout, compression="zstd", use_dictionary=False))
            for path in paths
        ]
        for batch in file.batches():
            whole = batch.events
            if belongs is not None:
                whole = whole[Evaluator(whole).mask(belongs)]
            for writer, tally, side, sums in zip(writers, tallies, sides, counted, strict=True):
                table = _selected(batch, whole, tally, selection, side, sums)
                if table is not None:
                    writer.write_table(to_table(table, layout))
        for writer in writers:
            write_facts(writer, file.filled, treatment)
    for sums in counted:
        sums["unmatched"] = sums["references"] - sums["matched"]
    return counted


def _selected(
    batch: Batch, whole: Any, tally: _Tally, selection: Selection, side: Varied | None, sums: dict[str, int]
) -> Any:
    """Events of a batch that pass, with their constituents; None if there are none."""
    events = selection.select_objects(whole if side is None else side.objects(whole))
    masks = [np.ones(len(events), dtype=bool), *selection.passing(events)]
    tally.add(np.asarray(events.weight), masks)
    if not masks[-1].any():
        return None
    complete, found = batch.resolve(events[masks[-1]])
    sums["references"] += sum(one.references for one in found.values())
    sums["matched"] += sum(one.matched for one in found.values())
    return complete if side is None else side.constituents(complete)
