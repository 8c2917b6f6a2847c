"""Which features say nothing of an input file: those made of columns that the file has not, filled with zeros."""

from __future__ import annotations

from collections.abc import Mapping

from jetlens.expressions.tokens import Plan

IMPACT_PARAMETERS = ("d0", "d0_error", "dz", "dz_error")


def lacking(plan: Plan, lacks: Mapping[str, str]) -> dict[str, str]:
    """Return the features of a stream that are made of what the input file lacks, and why.

    Args:
        plan: the stream.
        lacks: why columns are filled with zeros, see :func:`jetlens.skim.parquet.read_facts`.
    """
    found = {}
    for feature, columns in plan.columns_by_feature().items():
        for column in sorted(columns & lacks.keys()):
            found[feature] = f"{column} is taken as {lacks[column]}"
    return found


def uses_impact_parameters(plan: Plan) -> bool:
    """Tell whether a feature of the stream is made of impact parameters."""
    read = frozenset().union(*plan.columns_by_feature().values())
    return any(column.split(".")[-1] in IMPACT_PARAMETERS for column in read)
