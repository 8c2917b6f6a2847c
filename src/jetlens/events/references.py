"""From Delphes' references to the objects they point to.

A jet's constituents are a ``TRefArray``: unique ids of other objects *of the same event*. The target carries its id in
``<Branch>.fUniqueID``. Only the low 24 bits of both are the object's number; the high byte tells the process that
numbered it and differs between the two after ``hadd`` (ROOT reference guide, ``TRef`` and ``TProcessID``). Numbers are
unique within an event only, and small: so they are looked up in a table, not by sorting.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from jetlens.errors import DamagedFileError
from jetlens.events.arrays import Column, Index, ranges

ID_BITS = np.uint32(0xFFFFFF)
UNMATCHED = -1
_HEADER = 16  # byte count (4), version (2), TObject: version (2), unique id (4), bits (4)
_REFERENCED = 0x10  # TObject::kIsReferenced: two more bytes follow the bits
_FIXED = 10  # fSize (4), fLowerBound (4), process id (2)
TABLE_SLOTS = 64
"""A table with more slots per candidate than this is not worth its memory: sort and search instead."""


@dataclass(frozen=True)
class Resolved:
    """Which object each reference points to.

    Attributes:
        rows: int64 (references,), rows into the candidates' joined columns; −1 where nothing matches.
        duplicates: how many candidates carry an id that an earlier candidate of the same event has.
    """

    rows: Index
    duplicates: int


@dataclass(frozen=True)
class Candidates:
    """Objects of one branch that references may point to.

    Attributes:
        offsets: int64 (N + 1,), per event.
        ids: uint32 (offsets[-1],).
        columns: whatever else was read of them.
    """

    offsets: Index
    ids: NDArray[np.uint32]
    columns: Mapping[str, Column] = field(default_factory=dict)

    @property
    def counts(self) -> Index:
        """Objects per event."""
        return np.diff(self.offsets)

    @property
    def events(self) -> Index:
        """The event of each object."""
        return np.repeat(np.arange(len(self.offsets) - 1), self.counts)


def parse_reference_arrays(
    data: NDArray[np.uint8], edges: Index, counts: Index, wanted: Index, where: str
) -> tuple[Index, NDArray[np.uint32]]:
    """Find the ids in the bytes of a branch of ``TRefArray``, one per jet.

    All events take one step from jet to jet together, so the loop is over the largest number of jets of an event.

    Args:
        data: the branch's bytes, uint8.
        edges: byte offsets of the events, int64 (N + 1,).
        counts: jets per event, int64 (N,).
        wanted: flat indices of the jets whose references are wanted, int64 (K,).
        where: file and branch, for messages.

    Returns:
        references per wanted jet, int64 (K,), and their ids with process bits, uint32, joined.

    Raises:
        DamagedFileError: if lengths inside the bytes do not add up.
    """
    starts = np.full(int(counts.sum()), -1, dtype=np.int64)
    lengths = np.zeros(len(starts), dtype=np.int64)
    first = np.concatenate([[0], np.cumsum(counts)])[:-1]
    position, events = edges[:-1].copy(), np.arange(len(counts))
    for step in range(int(counts.max(initial=0))):
        events = events[counts[events] > step]
        begin, stop = position[events], edges[events + 1]
        if np.any(begin + _HEADER + _FIXED + 1 > stop):
            raise DamagedFileError(f"{where}: an array of references ends early; the file is damaged")
        end = begin + 4 + (_big_endian(data, begin, 4) & 0x3FFFFFFF)
        referenced = (_big_endian(data, begin + 12, 4) & _REFERENCED) != 0
        name = begin + _HEADER + 2 * referenced
        size_at = name + 1 + data[np.minimum(name, len(data) - 1)]
        if np.any(end > stop) or np.any(size_at + _FIXED > stop):
            raise DamagedFileError(
                f"{where}: an array of references is longer than its event; the file is damaged"
            )
        size = _big_endian(data, size_at, 4)
        if not np.array_equal(size_at + _FIXED + 4 * size, end):
            raise DamagedFileError(
                f"{where}: the length of an array of references is wrong; the file is damaged"
            )
        starts[first[events] + step], lengths[first[events] + step] = size_at + _FIXED, size
        position[events] = end
    if not np.array_equal(position, edges[1:]):
        raise DamagedFileError(f"{where}: there are more arrays of references than jets; the file is damaged")
    number = lengths[wanted]
    at = ranges(starts[wanted], number) + 3 * ranges(np.zeros(len(wanted), np.int64), number)
    return number, _big_endian(data, at, 4).astype(np.uint32)


def _big_endian(data: NDArray[np.uint8], at: Index, size: int) -> Index:
    value = data[at].astype(np.int64)
    for step in range(1, size):
        value = (value << 8) | data[at + step]
    return value


def resolve(events: Index, ids: NDArray[np.uint32], candidates: Sequence[Candidates]) -> Resolved:
    """Match references with the objects of their own event by id.

    Where two candidates of one event share an id, the first one counts (branches in the order given, then file order).

    Args:
        events: event of each reference, int64 (R,).
        ids: ids of the references, uint32 (R,); bits above the low 24 are ignored.
        candidates: objects of the same N events, one per branch.

    Returns:
        rows into the candidates joined one collection after the other.
    """
    total = sum(len(c.ids) for c in candidates)
    wanted = (ids & ID_BITS).astype(np.int64)
    if total == 0 or len(wanted) == 0:
        return Resolved(np.full(len(wanted), UNMATCHED, dtype=np.int64), 0)
    low, high = _id_range(candidates)
    spans = np.maximum(high - low + 1, 0)
    size = int(spans.sum())
    if size > TABLE_SLOTS * total or size >= 1 << 31:
        return _resolve_sorted(events, wanted, candidates)
    base = np.cumsum(spans) - spans - low
    small = base.astype(np.int32)
    table = np.full(size, UNMATCHED, dtype=np.int32)
    end = total
    for collection in reversed(candidates):  # of equal slots the last one written stays: the first candidate
        keys = (collection.ids & ID_BITS).view(np.int32) + np.repeat(small, collection.counts)
        begin = end - len(keys)
        table[keys[::-1]] = np.arange(end - 1, begin - 1, -1, dtype=np.int32)
        end = begin
    inside = (wanted >= low[events]) & (wanted <= high[events])
    slots = np.where(inside, base[events] + wanted, 0)
    rows = np.where(inside, table[slots], UNMATCHED).astype(np.int64)
    return Resolved(rows, total - int(np.count_nonzero(table != UNMATCHED)))


def _id_range(candidates: Sequence[Candidates]) -> tuple[Index, Index]:
    """Smallest and largest id of each event over all collections; an empty event has high < low."""
    number = len(candidates[0].offsets) - 1
    low = np.full(number, np.int64(ID_BITS) + 1)
    high = np.full(number, -1, dtype=np.int64)
    for collection in candidates:
        filled = collection.counts > 0
        if filled.any():
            begin = collection.offsets[:-1][filled]
            values = (collection.ids & ID_BITS).astype(np.int64)
            low[filled] = np.minimum(low[filled], np.minimum.reduceat(values, begin))
            high[filled] = np.maximum(high[filled], np.maximum.reduceat(values, begin))
    return low, high


def _resolve_sorted(events: Index, wanted: Index, candidates: Sequence[Candidates]) -> Resolved:
    """The same by sort and search, for files whose ids are spread too wide for a table."""
    keys = np.concatenate([c.ids & ID_BITS for c in candidates]).astype(np.int64)
    owners = np.concatenate([c.events for c in candidates])
    combined = (owners << 24) | keys
    order = np.argsort(combined, kind="stable")
    ordered = combined[order]
    query = (events << 24) | wanted
    at = np.minimum(np.searchsorted(ordered, query), len(ordered) - 1)
    rows = np.where(ordered[at] == query, order[at], UNMATCHED)
    return Resolved(rows, int(np.count_nonzero(ordered[1:] == ordered[:-1])))
