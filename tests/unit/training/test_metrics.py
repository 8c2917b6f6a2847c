"""The training stage's own loss and AUC against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import log_loss, roc_auc_score

from jetlens.training.metrics import binary_loss, weighted_auc


@given(st.integers(0, 2**32 - 1), st.integers(1, 4))
@settings(max_examples=30, deadline=None)
def test_against_scikit_learn(seed: int, digits: int) -> None:
    rng = np.random.default_rng(seed)
    label = np.concatenate([[0, 1], rng.integers(0, 2, 60)]).astype(float)
    score = np.round(rng.normal(size=62) + label, digits - 1)  # with ties
    weight = rng.random(62) + 0.01
    assert weighted_auc(score, label, weight) == pytest.approx(
        roc_auc_score(label, score, sample_weight=weight)
    )
    expected = log_loss(label, 1 / (1 + np.exp(-score)), sample_weight=weight)
    assert binary_loss(score, label, weight) == pytest.approx(expected)
