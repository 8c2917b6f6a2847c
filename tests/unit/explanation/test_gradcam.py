import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jetlens.explanation.gradcam import weighted_sum


@given(st.integers(0, 10_000))
def test_formula_against_loops(seed):
    rng = np.random.default_rng(seed)
    N, T, D = 3, 5, 4
    activations, gradients = rng.normal(size=(2, N, T, D))
    mask = rng.random((N, T)) < 0.6
    result = weighted_sum(activations, gradients, mask)
    for n in range(N):
        real = [i for i in range(T) if mask[n, i]]
        alpha = [sum(gradients[n, i, k] for i in real) / max(len(real), 1) for k in range(D)]
        for i in range(T):
            expected = sum(alpha[k] * activations[n, i, k] for k in range(D)) if i in real else 0
            assert result[n, i] == pytest.approx(expected)


def test_mean_pooling_and_a_linear_head_give_each_tokens_own_share():
    rng = np.random.default_rng(0)
    activations, head = rng.normal(size=(6, 10, 3)), rng.normal(size=3)
    mask = rng.random((6, 10)) < 0.8
    number = mask.sum(axis=1)
    gradients = np.where(mask[..., None], head, 0) / number[:, None, None]
    share = weighted_sum(activations, gradients, mask)
    logit = np.einsum("nik,k,ni->n", activations, head, mask) / number
    np.testing.assert_allclose(share.sum(axis=1), logit)


def test_padded_slots_neither_get_nor_give_anything():
    rng = np.random.default_rng(1)
    activations, gradients = rng.normal(size=(2, 4, 6, 3))
    mask = np.repeat([[True] * 4 + [False] * 2], 4, axis=0)
    first = weighted_sum(activations, gradients, mask)
    activations[:, 4:], gradients[:, 4:] = 1e6, -1e6
    np.testing.assert_array_equal(weighted_sum(activations, gradients, mask), first)
    assert not first[:, 4:].any()
