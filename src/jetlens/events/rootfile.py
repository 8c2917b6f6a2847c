"""Leaves of a ROOT tree as flat numpy arrays, straight from the decompressed baskets.

``uproot`` finds the tree, fetches and decompresses the baskets; the leaves of Delphes and NanoAOD files are plain
big-endian arrays inside them, so that one ``view`` and one byte swap replace the general (and four times slower)
way through interpretations and awkward arrays. Every basket's own table of entry offsets is checked against the
tree's counter of objects: a file whose counters and contents disagree is refused.
"""

from __future__ import annotations

import queue
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import uproot
from numpy.typing import NDArray
from uproot.models.TBasket import Model_TBasket
from uproot.source.cursor import Cursor

from jetlens.errors import DamagedFileError, FileError
from jetlens.events.arrays import Column, Index, offsets_from_counts
from jetlens.events.rootopen import by_name, clear_errors, stored_type


@dataclass
class _Request:
    """One leaf to be read over a range of entries."""

    name: str
    branch: Any
    baskets: range


class RootTree:
    """A tree, opened for reading named leaves over ranges of entries.

    Attributes:
        path: what was opened, a path or a URL.
        name: the tree's name.
        entries: number of events.
    """

    def __init__(self, path: str, file: Any, name: str) -> None:
        """Take over an open file.

        Args:
            path: what was opened, a path or a URL.
            file: opened by :func:`jetlens.events.rootopen.open_root`; closed by :meth:`close`.
            name: name of the tree. Of several cycles the highest is taken.

        Raises:
            FileError: if the tree cannot be read.
        """
        self.path, self.name, self.file = path, name, file
        with clear_errors(path, f"reading the tree '{self.name}'"):
            self._tree = file[self.name]
            self.entries = int(self._tree.num_entries)
            self._branches = by_name(self._tree)
            self._check_entries()
        self._local = None if "://" in path else open(path, "rb", buffering=0)  # noqa: SIM115 (closed by close)
        self._kept: dict[str, tuple[int, Any]] = {}
        self._dtypes: dict[str, np.dtype[Any]] = {}

    def close(self) -> None:
        """Close the file."""
        self.file.close()
        if self._local is not None:
            self._local.close()

    def __contains__(self, leaf: object) -> bool:
        """Tell whether the tree has a leaf or branch of this full name."""
        return leaf in self._branches

    @property
    def names(self) -> list[str]:
        """Full names of all branches and leaves."""
        return list(self._branches)

    def is_plain(self, leaf: str) -> bool:
        """Tell whether a leaf is plain numbers, which :meth:`columns` reads."""
        try:
            self._dtype(leaf)
        except DamagedFileError:
            raise
        except FileError:
            return False
        return True

    def counter_of(self, leaf: str) -> str | None:
        """Name of the branch that counts the objects of a leaf, None if it has none."""
        counter = self._branches[leaf].count_branch
        return counter.name if counter is not None and counter.name in self._branches else None

    def bytes_per_event(self, leaves: Sequence[str]) -> float:
        """Mean uncompressed size of these leaves in one event."""
        with clear_errors(self.path, "reading branch sizes"):
            total = sum(
                int(self._branches[leaf].member("fTotBytes", none_if_missing=True) or 0) for leaf in leaves
            )
        return total / max(self.entries, 1)

    def cluster_edges(self, leaves: Sequence[str]) -> NDArray[np.int64]:
        """Entries at which baskets of all the given leaves start, from 0 to the number of entries."""
        edges: set[int] | None = None
        with clear_errors(self.path, "reading basket tables"):
            for leaf in leaves:
                own = {int(edge) for edge in self._branches[leaf].entry_offsets}
                edges = own if edges is None else edges & own
        return np.array(sorted((edges or set()) | {0, self.entries}), dtype=np.int64)

    def numbers(self, leaf: str, start: int, stop: int) -> Column:
        """Read a branch with one number per event, (stop − start,)."""
        data, _ = self._read([leaf], start, stop)[leaf]
        dtype = self._dtype(leaf)
        values = data.view(dtype)
        if len(values) != stop - start:
            raise self._mismatch(leaf, f"{len(values)} values for {stop - start} events")
        return values.astype(dtype.newbyteorder("="))

    def counts(self, leaf: str, start: int, stop: int) -> NDArray[np.int64]:
        """Read a counter branch, int64 (stop − start,).

        Raises:
            FileError: if a count is negative or beyond what any event holds.
        """
        counts = self.numbers(leaf, start, stop).astype(np.int64)
        if len(counts) and (counts.min() < 0 or counts.max() > 1_000_000):
            raise self._mismatch(leaf, f"counts from {counts.min()} to {counts.max()} objects per event")
        return counts

    def columns(self, leaves: Sequence[str], counts: Index, start: int, stop: int) -> dict[str, Column]:
        """Read leaves with ``counts`` values (or fixed-size arrays) per event, as flat arrays in native byte order.

        Raises:
            FileError: if a leaf's own offsets disagree with ``counts``.
        """
        offsets = offsets_from_counts(counts)
        columns = {}
        for leaf, (data, edges) in self._read(leaves, start, stop).items():
            dtype = self._dtype(leaf)
            size = dtype.itemsize
            if len(data) != offsets[-1] * size or (
                edges is not None and not np.array_equal(edges, offsets * size)
            ):
                raise self._mismatch(
                    leaf, f"{len(data)} bytes where {offsets[-1]} objects of {size} bytes belong"
                )
            flat = data.view(dtype.base)
            columns[leaf] = flat.astype(dtype.base.newbyteorder("=")).reshape(-1, *dtype.shape)
        return columns

    def raw(self, leaf: str, start: int, stop: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Read a leaf of objects as its bytes and the offsets, int64 (stop − start + 1,), at which events start."""
        data, edges = self._read([leaf], start, stop)[leaf]
        if edges is None or len(edges) != stop - start + 1:
            raise self._mismatch(leaf, "no table of entry offsets")
        return data, edges

    def _dtype(self, leaf: str) -> np.dtype[Any]:
        if leaf not in self._dtypes:
            with clear_errors(self.path, f"reading the type of branch '{leaf}'"):
                self._dtypes[leaf] = stored_type(self.path, leaf, self._branches[leaf])
        return self._dtypes[leaf]

    def _mismatch(self, leaf: str, found: str) -> DamagedFileError:
        return DamagedFileError(
            f"{self.path}: branch '{leaf}' does not fit its counter ({found}); the file is damaged"
        )

    def _check_entries(self) -> None:
        if not 0 <= self.entries < 1e12:
            raise DamagedFileError(
                f"{self.path}: tree '{self.name}' claims {self.entries} entries; the file is damaged"
            )

    def _read(
        self, leaves: Sequence[str], start: int, stop: int
    ) -> dict[str, tuple[NDArray[np.uint8], NDArray[np.int64] | None]]:
        """Bytes of each leaf between two entries, and the byte offsets of its events (None: of fixed size)."""
        with clear_errors(
            self.path, f"reading '{leaves[0]}' and others" if len(leaves) > 1 else f"reading '{leaves[0]}'"
        ):
            requests = [self._request(leaf, start, stop) for leaf in leaves]
            fetched = self._fetch(requests)
            return {request.name: self._join(request, fetched, start, stop) for request in requests}

    def _request(self, leaf: str, start: int, stop: int) -> _Request:
        branch = self._branches[leaf]
        edges = np.asarray(branch.entry_offsets, dtype=np.int64)
        if edges[-1] < stop or np.any(np.diff(edges) < 0):
            raise DamagedFileError(
                f"{self.path}: branch '{leaf}' has {edges[-1]} of {self.entries} entries; the file is damaged"
            )
        first = int(np.searchsorted(edges, start, side="right")) - 1
        last = int(np.searchsorted(edges, stop, side="left"))
        return _Request(leaf, branch, range(first, last) if stop > start else range(0))

    def _fetch(self, requests: Sequence[_Request]) -> dict[tuple[str, int], Any]:
        """All baskets needed; those stored as free objects are fetched from the source in one go."""
        baskets: dict[tuple[str, int], Any] = {}
        free: list[tuple[_Request, int, int, int]] = []
        for request in requests:
            seeks, sizes = request.branch.member("fBasketSeek"), request.branch.member("fBasketBytes")
            for number in request.baskets:
                kept = self._kept.get(request.name)
                if kept is not None and kept[0] == number:
                    baskets[request.name, number] = kept[1]
                elif number >= request.branch._num_normal_baskets:
                    baskets[request.name, number] = request.branch.basket(number)
                else:
                    free.append(
                        (request, number, int(seeks[number]), int(seeks[number]) + int(sizes[number]))
                    )
        chunks = self._bytes([(begin, end) for *_, begin, end in free])
        for (request, number, begin, _), chunk in zip(free, chunks, strict=True):
            file = request.branch.file
            context = {"basket_num": number}
            basket = Model_TBasket.read(chunk, Cursor(begin), context, file, file, request.branch)
            baskets[request.name, number] = basket
        return baskets

    def _bytes(self, pieces: list[tuple[int, int]]) -> list[Any]:
        """Stored bytes between pairs of positions: from a local file directly, from elsewhere all in one request."""
        source = self.file.file.source
        if self._local is None:
            notifications: queue.Queue[Any] = queue.Queue()
            return list(source.chunks(pieces, notifications))
        chunks = []
        for begin, end in pieces:
            self._local.seek(begin)
            content = np.frombuffer(self._local.read(end - begin), dtype=np.uint8)
            if len(content) != end - begin:
                raise DamagedFileError(
                    f"{self.path}: ends before its baskets do; the file is damaged or incomplete"
                )
            chunks.append(uproot.source.chunk.Chunk.wrap(source, content, start=begin))
        return chunks

    def _join(
        self, request: _Request, fetched: dict[tuple[str, int], Any], start: int, stop: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64] | None]:
        pieces: list[NDArray[np.uint8]] = []
        edges: list[NDArray[np.int64]] = [np.zeros(1, dtype=np.int64)]
        fixed = False
        total = 0
        for number in request.baskets:
            basket = fetched[request.name, number]
            begin, end = (int(edge) for edge in request.branch.basket_entry_start_stop(number))
            low, high = max(start, begin) - begin, min(stop, end) - begin
            inner = self._offsets(request, basket, end - begin)
            fixed |= basket.byte_offsets is None
            pieces.append(basket.data[inner[low] : inner[high]])
            edges.append(inner[low + 1 : high + 1] - inner[low] + total)
            total += int(inner[high] - inner[low])
            if end > stop:
                self._kept[request.name] = (number, basket)
            else:
                self._kept.pop(request.name, None)
        data = pieces[0] if len(pieces) == 1 else np.concatenate([*pieces, np.empty(0, np.uint8)])
        return data, None if fixed else np.concatenate(edges)

    def _offsets(self, request: _Request, basket: Any, entries: int) -> NDArray[np.int64]:
        """Byte offsets of a basket's entries, (entries + 1,)."""
        if basket.byte_offsets is not None:
            inner: NDArray[np.int64] = np.asarray(basket.byte_offsets, dtype=np.int64)
            if (
                len(inner) != entries + 1
                or inner[0] != 0
                or inner[-1] > len(basket.data)
                or np.any(np.diff(inner) < 0)
            ):
                raise self._mismatch(request.name, "offsets out of order")
            return inner
        counter = request.branch.count_branch
        if counter is not None and counter.name in self._branches and counter.name != request.name:
            # offsets were left out on writing (ROOT's kGenerateOffsetMap): the counter tells them
            begin = int(request.branch.basket_entry_start_stop(basket.basket_num)[0])
            counts = self.counts(counter.name, begin, begin + entries)
            return offsets_from_counts(counts * self._dtype(request.name).itemsize)
        size, rest = divmod(len(basket.data), max(entries, 1))
        if rest:
            raise self._mismatch(request.name, f"{len(basket.data)} bytes for {entries} entries")
        return np.arange(entries + 1, dtype=np.int64) * size
