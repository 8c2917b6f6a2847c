from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jetlens.features.alignment import align

seeds = st.integers(0, 10_000)


def jets(seed: int, number: int = 4, tokens: int = 12) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    mask = np.arange(tokens) < rng.integers(3, tokens + 1, size=(number, 1))
    x, y = rng.normal(0, 0.4, (number, tokens)) * mask, rng.normal(0, 0.1, (number, tokens)) * mask
    return x, y, rng.exponential(20, (number, tokens)) * mask, mask


@given(seed=seeds, angle=st.floats(0, 6.28), mirror=st.booleans(), shift=st.floats(-0.5, 0.5))
@settings(max_examples=100, deadline=None)
def test_moved_jets_align_to_the_same(seed: int, angle: float, mirror: bool, shift: float) -> None:
    """A jet moved, turned by any angle and mirrored by hand gives the same aligned coordinates."""
    x, y, pt, mask = jets(seed)
    sign = -1 if mirror else 1
    moved_x = np.where(mask, x * np.cos(angle) - y * np.sin(angle) + shift, 0)
    moved_y = np.where(mask, sign * (x * np.sin(angle) + y * np.cos(angle)) - shift, 0)
    before, after = align(x, y, pt, mask, "flip"), align(moved_x, moved_y, pt, mask, "flip")
    assert np.allclose(before, after, atol=1e-9)


@given(seed=seeds, angle=st.floats(0, 6.28))
@settings(max_examples=50, deadline=None)
def test_rotation_without_flip_undoes_rotations_only(seed: int, angle: float) -> None:
    x, y, pt, mask = jets(seed)
    turned = x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)
    assert np.allclose(align(x, y, pt, mask, "rotate"), align(*turned, pt, mask, "rotate"), atol=1e-9)


@pytest.mark.parametrize("alignment", ["centre", "rotate", "flip"])
def test_what_each_step_promises(alignment: str) -> None:
    x, y, pt, mask = jets(3, number=50)
    u, v = align(x, y, pt, mask, alignment)
    assert not u[~mask].any()
    assert not v[~mask].any()
    assert np.allclose((pt * u).sum(axis=1), 0, atol=1e-9)
    assert np.allclose((pt * v).sum(axis=1), 0, atol=1e-9)
    if alignment != "centre":
        assert np.allclose((pt * u * v).sum(axis=1), 0, atol=1e-9)
        assert ((pt * v**2).sum(axis=1) >= (pt * u**2).sum(axis=1) - 1e-9).all()
        assert ((pt * np.sign(v)).sum(axis=1) >= 0).all()
    if alignment == "flip":
        assert ((pt * np.sign(u)).sum(axis=1) >= 0).all()
    lengths = np.hypot(u[:, 0] - u[:, 1], v[:, 0] - v[:, 1])
    assert np.allclose(lengths, np.hypot(x[:, 0] - x[:, 1], y[:, 0] - y[:, 1]))


def test_none_changes_nothing_and_empty_jets_stay_empty() -> None:
    x, y, pt, mask = jets(1)
    assert align(x, y, pt, mask, "none")[0] is x
    empty = np.zeros((1, 3))
    assert not np.any(align(empty, empty, empty, empty.astype(bool), "flip"))
