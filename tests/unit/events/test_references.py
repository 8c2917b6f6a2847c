"""The vectorised resolver against a slow, obvious loop."""

import contextlib
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jetlens.errors import FileError
from jetlens.events import references
from jetlens.events.arrays import offsets_from_counts
from jetlens.events.references import Candidates, parse_reference_arrays, resolve

ids = st.integers(0, 40) | st.integers(0, 2**24 - 1)
events = st.lists(
    st.tuples(
        st.lists(ids, max_size=6),  # first branch
        st.lists(ids, max_size=6),  # second branch
        st.lists(ids, max_size=8),  # references
        st.integers(0, 255),  # process bits of the objects
        st.integers(0, 255),  # and of the references: hadd leaves them different
    ),
    max_size=6,
)


def obvious(content: list) -> tuple[list[int], int]:
    """What the resolver must give, one reference at a time."""
    number_first = sum(len(first) for first, *_ in content)
    rows, duplicates, before = [], 0, [0, 0]
    for first, second, wanted, *_ in content:
        objects = [(before[0] + i, key) for i, key in enumerate(first)]
        objects += [(number_first + before[1] + i, key) for i, key in enumerate(second)]
        keys = [key for _, key in objects]
        duplicates += len(keys) - len(set(keys))
        rows += [next((row for row, key in objects if key == want), -1) for want in wanted]
        before = [before[0] + len(first), before[1] + len(second)]
    return rows, duplicates


def jagged(lists: list[list[int]], bits: list[int]) -> Candidates:
    flat = [key | (bit << 24) for keys, bit in zip(lists, bits, strict=True) for key in keys]
    counts = np.array([len(keys) for keys in lists], dtype=np.int64)
    return Candidates(offsets_from_counts(counts), np.array(flat, dtype=np.uint32))


@pytest.mark.parametrize("by_sorting", [False, True])
@given(content=events)
@settings(max_examples=150, deadline=None)
def test_resolver_agrees_with_the_loop(content: list, by_sorting: bool) -> None:
    bits = [bit for *_, bit, _ in content]
    candidates = [jagged([c[k] for c in content], bits) for k in (0, 1)]
    wanted = np.array([key | (bit << 24) for _, _, keys, _, bit in content for key in keys], dtype=np.uint32)
    owners = np.repeat(np.arange(len(content)), [len(c[2]) for c in content]).astype(np.int64)
    with pytest.MonkeyPatch.context() as patch:
        if by_sorting:
            patch.setattr(references, "TABLE_SLOTS", -1)
        resolved = resolve(owners, wanted, candidates)
    rows, duplicates = obvious(content)
    assert resolved.rows.tolist() == rows
    if len(wanted):
        assert resolved.duplicates == duplicates


def serialised(lists: list[list[int]], name: bytes = b"", referenced: bool = False) -> bytes:
    """Bytes of one event's TRefArrays as ROOT writes them."""
    content = b""
    for refs in lists:
        head = struct.pack(">hhII", 1, 1, 0, 0x10 if referenced else 0) + (b"\0\1" if referenced else b"")
        body = head + bytes([len(name)]) + name + struct.pack(">iih", len(refs), 0, 0)
        body += b"".join(struct.pack(">I", ref) for ref in refs)
        content += struct.pack(">I", 0x40000000 | len(body)) + body
    return content


@given(
    content=st.lists(
        st.lists(st.lists(st.integers(0, 2**32 - 1), max_size=5), max_size=4), min_size=1, max_size=5
    ),
    name=st.binary(max_size=5),
    referenced=st.booleans(),
    data=st.data(),
)
@settings(max_examples=100, deadline=None)
def test_bytes_of_reference_arrays(content: list, name: bytes, referenced: bool, data: st.DataObject) -> None:
    pieces = [serialised(jets, name, referenced) for jets in content]
    edges = np.cumsum([0] + [len(piece) for piece in pieces])
    counts = np.array([len(jets) for jets in content])
    flat = [refs for jets in content for refs in jets]
    wanted = data.draw(st.lists(st.sampled_from(range(len(flat))), unique=True) if flat else st.just([]))
    raw = np.frombuffer(b"".join(pieces), dtype=np.uint8)
    number, found = parse_reference_arrays(raw, edges, counts, np.array(wanted, dtype=np.int64), "here")
    assert number.tolist() == [len(flat[k]) for k in wanted]
    assert found.tolist() == [ref for k in wanted for ref in flat[k]]


@given(position=st.integers(0, 200), value=st.integers(0, 255))
@settings(max_examples=200, deadline=None)
def test_damaged_bytes_never_crash(position: int, value: int) -> None:
    pieces = [serialised([[1, 2, 3], [4]]), serialised([]), serialised([[5, 6]])]
    raw = np.frombuffer(b"".join(pieces), dtype=np.uint8).copy()
    edges = np.cumsum([0] + [len(piece) for piece in pieces])
    raw[position % len(raw)] = value
    with contextlib.suppress(FileError):
        number, _ = parse_reference_arrays(raw, edges, np.array([2, 0, 1]), np.arange(3), "here")
        assert number.tolist() == [3, 1, 2]
