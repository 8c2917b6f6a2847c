"""Tables of what templates were filled with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from jetlens.files import write_text
from jetlens.inference.filling import Hypotheses


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table, numbers to seven digits."""
    write_text(path, table.to_csv(index=False, float_format="%.7g", lineterminator="\n"))


def bins_table(hypotheses: Sequence[Hypotheses]) -> pd.DataFrame:
    """Return every bin of every template, with the effective events behind it."""
    rows = []
    for of in hypotheses:
        for region in of.regions:
            for process in region.processes:
                columns = {
                    "region": region.name,
                    "process": process,
                    "low": region.edges[:-1],
                    "high": region.edges[1:],
                    "events": region.values(process),
                    "error": np.sqrt(region.variances(process)),
                    "n_effective": region.n_eff(process),
                }
                rows.append(pd.DataFrame(columns))
    return pd.concat(rows, ignore_index=True)


def categories_table(hypotheses: Sequence[Hypotheses]) -> pd.DataFrame:
    """Return the cuts of every category, and the share of the validation signal above its lower one."""
    rows = [
        {"region": region.name, "low": c.low, "high": c.high, "signal_efficiency": c.efficiency}
        for of in hypotheses
        for region, c in zip(of.regions, of.categories, strict=True)
    ]
    return pd.DataFrame(rows)


def variations_table(hypotheses: Sequence[Hypotheses]) -> pd.DataFrame:
    """Return every template under each systematic beside the nominal one, with errors of the differences."""
    columns = ("region", "process", "systematic", "low", "high", "nominal", "nominal_error")
    rows = [pd.DataFrame(columns=[*columns, "up", "up_error", "down", "down_error"])]
    for region in (region for of in hypotheses for region in of.regions):
        for process in region.processes:
            varied = region.variations(process)
            for name in dict.fromkeys(v.rpartition("_")[0] for v in varied if v.endswith(("_up", "_down"))):
                table: dict[str, Any] = {
                    "region": region.name,
                    "process": process,
                    "systematic": name,
                    "low": region.edges[:-1],
                    "high": region.edges[1:],
                    "nominal": region.values(process),
                    "nominal_error": np.sqrt(region.variances(process)),
                }
                for side in ("up", "down"):
                    there = f"{name}_{side}" in varied
                    table[side] = region.values(process, f"{name}_{side}") if there else np.nan
                    shift = region.shift_variance[process, f"{name}_{side}"] if there else np.nan
                    table[f"{side}_error"] = np.sqrt(shift)
                rows.append(pd.DataFrame(table))
    return pd.concat(rows[1:], ignore_index=True) if len(rows) > 1 else rows[0]
