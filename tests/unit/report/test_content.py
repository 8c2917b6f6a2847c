"""What a page shows."""

from __future__ import annotations

from jetlens.report.content import without_mathtext


def test_formulas_are_plain_text() -> None:
    assert without_mathtext("trees, no $d_0$, $p_T$ of jet_1") == "trees, no d₀, p_T of jet_1"
