import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from jetlens.events.jagged import Jagged, offsets_from_counts, ranges

lists = st.lists(st.lists(st.integers(0, 9), max_size=5), max_size=7)


def make(content: list[list[int]]) -> Jagged:
    counts = np.array([len(x) for x in content], dtype=np.int64)
    return Jagged(
        offsets_from_counts(counts), {"pt": np.array([v for x in content for v in x], dtype=np.float32)}
    )


def unmake(jagged: Jagged) -> list[list[float]]:
    return [jagged["pt"][a:b].tolist() for a, b in zip(jagged.offsets[:-1], jagged.offsets[1:], strict=True)]


@given(content=lists, data=st.data())
@settings(max_examples=100, deadline=None)
def test_operations_agree_with_lists(content: list[list[int]], data: st.DataObject) -> None:
    jagged = make(content)
    number = data.draw(st.integers(1, 4))
    kept = np.array(
        data.draw(st.lists(st.booleans(), min_size=len(content), max_size=len(content))), dtype=bool
    )
    assert len(jagged) == len(content)
    assert jagged.events.tolist() == [i for i, x in enumerate(content) for _ in x]
    assert unmake(jagged.take_events(kept)) == [x for x, k in zip(content, kept, strict=True) if k]
    assert unmake(jagged.select(jagged["pt"] >= 5)) == [[v for v in x if v >= 5] for x in content]
    assert unmake(jagged.sorted_by("pt")) == [sorted(x, reverse=True) for x in content]
    assert unmake(jagged.leading(number)) == [x[:number] for x in content]
    padded, mask = jagged.padded("pt", number)
    assert padded.tolist() == [(x + [0] * number)[:number] for x in content]
    assert mask.sum(axis=1).tolist() == [min(len(x), number) for x in content]
    assert jagged.to_awkward().pt.tolist() == content


def test_ranges() -> None:
    assert ranges(np.array([5, 0, 7]), np.array([2, 0, 3])).tolist() == [5, 6, 7, 8, 9]
