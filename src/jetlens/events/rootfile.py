"""Leaves of a ROOT tree as flat numpy arrays, straight from the decompressed baskets.

``uproot`` finds the tree, fetches and decompresses the baskets; the leaves of Delphes and NanoAOD files are plain
big-endian arrays inside them, so that one ``view`` and one byte swap replace the general (and four times slower)
way through interpretations and awkward arrays. Every basket's own table of entry offsets is checked against the
tree's counter of objects: a file whose counters and contents disagree is refused.
"""

from __future__ import annotations

import contextlib
import os
import queue
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import uproot
from numpy.typing import NDArray
from uproot.models.TBasket import Model_TBasket
from uproot.source.cursor import Cursor

from jetlens.errors import FileError, JetlensError, did_you_mean
from jetlens.events.jagged import Column, Index, offsets_from_counts

_CLONES_COUNTER, _CLONES_MEMBER = 3, 31  # TBranchElement::fType: a TClonesArray's counter, one of its members
_STREAMER_TYPES = {
    1: ">i1",
    2: ">i2",
    3: ">i4",
    5: ">f4",
    8: ">f8",
    11: ">u1",
    12: ">u2",
    13: ">u4",
    16: ">i8",
}
_STREAMER_TYPES |= {17: ">u8", 18: "?"}


@contextlib.contextmanager
def clear_errors(path: str, doing: str) -> Iterator[None]:
    """Turn whatever uproot, a decompressor or the network raise into one line that names the file.

    Raises:
        FileError: for every exception that is not already one of ours.
    """
    try:
        yield
    except JetlensError:
        raise
    except FileNotFoundError as error:
        raise FileError(f"{path}: does not exist") from error
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except (
        BaseException
    ) as error:  # cramjam and uproot raise many kinds, PyO3's PanicException is no Exception
        reason = next(
            (line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__
        )
        raise FileError(
            f"{path}: {doing} failed, the file is damaged or incomplete: {reason[:160]}"
        ) from error


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

    def __init__(self, path: str, tree: str | None, allowed: Sequence[str]) -> None:
        """Open ``path`` and find the tree.

        Args:
            path: a ROOT file, local or a URL that fsspec knows.
            tree: the tree's name; None for the first of ``allowed`` that is there.
            allowed: names a tree may have, best first. Of several cycles the highest is taken.

        Raises:
            FileError: if the file cannot be read or has no such tree.
        """
        self.path = path
        _check_local(path)
        with clear_errors(path, "opening"):
            self._file = uproot.open(
                {path: None}, object_cache=None, array_cache=None, **_source_options(path)
            )
        with contextlib.ExitStack() as stack:
            stack.callback(self._file.close)
            with clear_errors(path, "reading the table of contents"):
                classes = self._file.classnames(cycle=False, recursive=False)
            self.name = _choose_tree(path, classes, tree, allowed)
            with clear_errors(path, f"reading the tree '{self.name}'"):
                self._tree = self._file[self.name]
                self.entries = int(self._tree.num_entries)
                self._branches = _by_name(self._tree)
                self._check_entries()
            stack.pop_all()
        self._local = None if "://" in path else open(path, "rb", buffering=0)  # noqa: SIM115 (closed by close)
        self._kept: dict[str, tuple[int, Any]] = {}
        self._dtypes: dict[str, np.dtype[Any]] = {}

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        if self._local is not None:
            self._local.close()

    def __contains__(self, leaf: object) -> bool:
        """Tell whether the tree has a leaf or branch of this full name."""
        return leaf in self._branches

    @property
    def names(self) -> list[str]:
        """Full names of all branches and leaves."""
        return list(self._branches)

    def require(self, leaf: str, what: str) -> None:
        """Make sure that a leaf is there.

        Raises:
            FileError: naming the leaf, what it is needed for and the closest name found.
        """
        if leaf not in self._branches:
            collection = leaf.split(".")[0].split("_")[0]
            nearby = [name for name in self._branches if name.startswith(collection) and name != collection]
            hint = did_you_mean(leaf, nearby or self._branches)
            hint = hint if len(hint) < 300 else ""
            raise FileError(
                f"{self.path}: tree '{self.name}' has no branch '{leaf}', needed for {what}{hint}"
            )

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
                self._dtypes[leaf] = _stored_type(self.path, leaf, self._branches[leaf])
        return self._dtypes[leaf]

    def _mismatch(self, leaf: str, found: str) -> FileError:
        return FileError(
            f"{self.path}: branch '{leaf}' does not fit its counter ({found}); the file is damaged"
        )

    def _check_entries(self) -> None:
        if not 0 <= self.entries < 1e12:
            raise FileError(
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
            raise FileError(
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
        source = self._file.file.source
        if self._local is None:
            notifications: queue.Queue[Any] = queue.Queue()
            return list(source.chunks(pieces, notifications))
        chunks = []
        for begin, end in pieces:
            self._local.seek(begin)
            content = np.frombuffer(self._local.read(end - begin), dtype=np.uint8)
            if len(content) != end - begin:
                raise FileError(f"{self.path}: ends before its baskets do; the file is damaged or incomplete")
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


def _source_options(path: str) -> dict[str, Any]:
    """How uproot shall fetch bytes: fsspec for all but http, for which it would need aiohttp."""
    if path.startswith(("http://", "https://")):
        return {"handler": uproot.source.http.HTTPSource}
    # for a local file a thread per request only adds switches between threads
    return {} if "://" in path else {"use_threads": False}


def _stored_type(path: str, leaf: str, branch: Any) -> np.dtype[Any]:
    """How a branch's numbers are stored.

    Branches of split objects carry ROOT's type code (``TVirtualStreamerInfo::EReadWrite``), which is read here; asking
    uproot for its interpretation gives the same, but takes a millisecond or more per branch.
    """
    if branch.has_member("fStreamerType") and len(branch.member("fLeaves")) == 1:
        if branch.member("fType") == _CLONES_COUNTER:
            return np.dtype(">i4")
        code = int(branch.member("fStreamerType"))
        length = int(branch.member("fLeaves")[0].member("fLen"))
        if code in _STREAMER_TYPES and branch.member("fType") == _CLONES_MEMBER and length == 1:
            return np.dtype(_STREAMER_TYPES[code])
        if (
            code - 20 in _STREAMER_TYPES and branch.member("fType") == _CLONES_MEMBER
        ):  # 20 is kOffsetL, a fixed array
            return np.dtype((_STREAMER_TYPES[code - 20], (length,)))
    interpretation = branch.interpretation
    content = getattr(interpretation, "content", interpretation)
    if getattr(interpretation, "header_bytes", 0) or not isinstance(content, uproot.AsDtype):
        raise FileError(f"{path}: branch '{leaf}' holds {interpretation.typename}; expected plain numbers")
    dtype: np.dtype[Any] = np.dtype(content.from_dtype)
    return dtype


def _check_local(path: str) -> None:
    """Refuse a local file that is missing, no ROOT file, or shorter than its header says."""
    if "://" in path:
        return
    try:
        size = os.path.getsize(path)
        with open(path, "rb") as stream:
            header = stream.read(64)
    except FileNotFoundError as error:
        raise FileError(f"{path}: does not exist") from error
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {error.strerror}") from error
    if header[:4] != b"root" or len(header) < 64:
        raise FileError(f"{path}: is not a ROOT file (it does not start with 'root')")
    (version,) = struct.unpack(">i", header[4:8])
    (end,) = (
        struct.unpack(">q", header[12:20]) if version >= 1_000_000 else struct.unpack(">i", header[12:16])
    )
    if end > size:
        raise FileError(f"{path}: is truncated: {size} of {end} bytes are there; copy it again")


def _choose_tree(path: str, classes: dict[str, str], tree: str | None, allowed: Sequence[str]) -> str:
    trees = [name for name, kind in classes.items() if kind in ("TTree", "TNtuple", "TChain")]
    found = f"it holds: {', '.join(trees)}" if trees else "it holds no tree at all"
    tuples = [name for name, kind in classes.items() if kind == "ROOT::RNTuple"]
    if tuples:
        found += f" (but an RNTuple, '{tuples[0]}', which is not read: convert it to a TTree)"
    if tree is not None:
        if tree not in trees:
            raise FileError(f"{path}: has no tree '{tree}' (reading.tree); {found}")
        return tree
    for name in allowed:
        if name in trees:
            return name
    raise FileError(
        f"{path}: has no tree named {' or '.join(allowed)}; {found}; set reading.tree if it has another name"
    )


def _by_name(tree: Any) -> dict[str, Any]:
    branches: dict[str, Any] = {}
    for branch in tree.branches:
        branches[branch.name] = branch
        for leaf in branch.branches:
            branches[leaf.name] = leaf
    return branches
