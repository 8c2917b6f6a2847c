"""From one event file to one skim file and its cutflow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from jetlens.config.reading import ReadingConfig
from jetlens.config.skim import ALL_EVENTS, SkimConfig
from jetlens.errors import DamagedFileError
from jetlens.events import Chunk, EventReader, Jagged, open_events
from jetlens.events.integrity import verify_checksum
from jetlens.events.jagged import Mask
from jetlens.files import atomic_path, write_json
from jetlens.skim.cuts import passing, select_objects
from jetlens.skim.parquet import release_memory, schema, to_table, write_facts


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


def skim_file(
    source: str,
    parquet: Path,
    cutflow: Path,
    *,
    sample: str,
    part: str,
    reading: ReadingConfig,
    skim: SkimConfig,
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

    Raises:
        FileError: if the file is damaged and ``reading.broken_files`` is ``fail``; whatever that says, if it is not
            there or lacks what the configuration asks for, which the other files of a sample would lack as well.
    """
    tally = _Tally([ALL_EVENTS, *(cut.name for cut in skim.cuts)])
    content: dict[str, Any] = {"sample": sample, "part": part, "source": source}
    try:
        content["checksum_verified"] = verify_checksum(source)
        with open_events(source, reading, sample) as reader, atomic_path(parquet) as temporary:
            counted = _stream(reader, temporary, tally, reading, skim)
            conventions, skipped = reader.conventions, None
    except DamagedFileError as error:
        if reading.broken_files == "fail":
            raise
        tally = _Tally(tally.names)
        counted, conventions, skipped = {"references": 0, "matched": 0, "unmatched": 0}, {}, str(error)
        with atomic_path(parquet) as temporary, pq.ParquetWriter(temporary, schema()):
            pass
    content |= {
        "cuts": tally.lines(),
        "constituents": counted,
        "conventions": conventions,
        "skipped": skipped,
    }
    write_json(cutflow, content)
    release_memory()


def _stream(
    reader: EventReader, path: Path, tally: _Tally, reading: ReadingConfig, skim: SkimConfig
) -> dict[str, int]:
    """Write the selected events of all chunks; returns how many references there were and how many matched."""
    references = matched = 0
    treatment = reader.impact_parameters if reading.fat_jets and reading.leading_jets else None
    with pq.ParquetWriter(path, schema(), compression="zstd") as writer:
        for whole in reader.chunks():
            chunk = select_objects(whole, skim.objects)
            everything = np.ones(len(chunk), dtype=bool)
            masks = [everything, *passing(chunk, skim.cuts)]
            tally.add(chunk.weight, masks)
            if not masks[-1].any():
                continue
            selected = take_events(chunk, masks[-1])
            leading = selected.collections["fat_jets"].leading(reading.leading_jets)
            if len(leading["row"]):
                found = chunk.constituents(leading["row"])
                references, matched = references + found.references, matched + found.matched
                writer.write_table(to_table(selected, found.jets, leading.counts))
            else:
                writer.write_table(to_table(selected, _no_constituents(), leading.counts))
        write_facts(writer, reader.conventions, treatment)
    return {"references": references, "matched": matched, "unmatched": references - matched}


def take_events(chunk: Chunk, mask: Mask) -> Chunk:
    """Keep the events where ``mask``, bool (N,), is true."""
    return replace(
        chunk,
        **{name: getattr(chunk, name)[mask] for name in ("number", "weight", "met", "met_phi", "ht")},
        collections={name: objects.take_events(mask) for name, objects in chunk.collections.items()},
    )


def _no_constituents() -> Jagged:
    names = schema().field("fat_jet_constituents").type.value_type.value_type
    return Jagged(np.zeros(1, dtype=np.int64), {field.name: np.zeros(0, dtype=np.float32) for field in names})
