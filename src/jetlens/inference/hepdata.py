"""A HEPData record of limits and yields: ``submission.yaml`` and its tables.

Format: https://hepdata-submission.readthedocs.io
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from jetlens.files import write_text


def write_record(folder: Path, tables: Mapping[str, Mapping[str, Any]], *, comment: str) -> None:
    """Write a record.

    Args:
        folder: where ``submission.yaml`` and one file per table are written, in place of other records.
        tables: by file stem: ``name``, ``description``, ``keywords`` (a mapping of lists), and the table's content,
            ``independent_variables`` and ``dependent_variables``.
        comment: abstract of the record.
    """
    for old in folder.glob("*.yaml"):
        old.unlink()
    documents: list[dict[str, Any]] = [{"comment": comment}]
    for stem, table in tables.items():
        keys = ("independent_variables", "dependent_variables")
        write_text(folder / f"{stem}.yaml", _yaml({key: table[key] for key in keys}))
        documents.append(
            {
                "name": table["name"],
                "description": table["description"],
                "keywords": [
                    {"name": name, "values": list(values)} for name, values in table["keywords"].items()
                ],
                "data_file": f"{stem}.yaml",
            }
        )
    write_text(folder / "submission.yaml", "---\n".join(_yaml(document) for document in documents))


def _yaml(content: Any) -> str:
    return str(yaml.safe_dump(content, sort_keys=False, allow_unicode=True))


def limits_table(
    limits: pd.DataFrame, *, reaction: str, energy_tev: float, luminosity_fb: float
) -> dict[str, Any]:
    """Return the table of limits against mass.

    Args:
        limits: columns ``mass_gev``, ``expected_minus2`` … ``expected_plus2`` [fb], the confidence ``level``, the same
            in all lines, and optionally ``observed``.
        reaction: such as ``P P --> HIGGS --> HIGGS HIGGS X``.
        energy_tev: centre-of-mass energy.
        luminosity_fb: integrated luminosity [1/fb].
    """
    expected = [
        {
            "value": _rounded(row["expected"]),
            "errors": [
                _asymmetric("1 sigma", row["expected"], row["expected_minus1"], row["expected_plus1"]),
                _asymmetric("2 sigma", row["expected"], row["expected_minus2"], row["expected_plus2"]),
            ],
        }
        for row in limits.to_dict("records")
    ]
    qualifiers = [
        {"name": "RE", "value": reaction},
        {"name": "SQRT(S)", "units": "TeV", "value": energy_tev},
        {"name": "LUMINOSITY", "units": "fb$^{-1}$", "value": luminosity_fb},
    ]

    def dependent(name: str, values: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        return {"header": {"name": name, "units": "fb"}, "qualifiers": qualifiers, "values": list(values)}

    level = f"{100 * float(limits['level'].iloc[0]):g}% CL"
    columns = [dependent(f"Expected {level} upper limit on sigma x B", expected)]
    if "observed" in limits and limits["observed"].notna().all():
        observed = [{"value": _rounded(value)} for value in limits["observed"]]
        columns.append(dependent(f"Observed {level} upper limit on sigma x B", observed))
    return {
        "name": "Limits",
        "description": f"{level} upper limits on the cross section times branching fraction against mass, with bands.",
        "keywords": {"reactions": [reaction], "observables": ["SIG*BR"], "cmenergies": [1000.0 * energy_tev]},
        "independent_variables": [
            {
                "header": {"name": "Mass", "units": "GeV"},
                "values": [{"value": float(m)} for m in limits["mass_gev"]],
            }
        ],
        "dependent_variables": columns,
    }


def yields_table(yields: pd.DataFrame, region: str) -> dict[str, Any]:
    """Return the table of one region's yields, columns as :func:`jetlens.inference.fits.yields` gives them."""
    rows = yields[yields["region"] == region]
    when = [name for name in ("prefit", "postfit") if name in rows]
    return {
        "name": f"Yields, {region}",
        "description": f"Expected events in region {region}, by process.",
        "keywords": {"observables": ["N"]},
        "independent_variables": [
            {"header": {"name": "Process"}, "values": [{"value": process} for process in rows["process"]]}
        ],
        "dependent_variables": [
            {
                "header": {"name": f"Events, {name}"},
                "values": [
                    {
                        "value": _rounded(value),
                        **(
                            {"errors": [{"label": "total", "symerror": _rounded(error)}]} if error > 0 else {}
                        ),
                    }
                    for value, error in zip(rows[name], rows[f"{name}_error"], strict=True)
                ],
            }
            for name in when
        ],
    }


def _asymmetric(label: str, value: float, low: float, high: float) -> dict[str, Any]:
    return {"label": label, "asymerror": {"minus": _rounded(low - value), "plus": _rounded(high - value)}}


def _rounded(value: float, digits: int = 6) -> float:
    value = float(value)
    return (
        round(value, digits - 1 - math.floor(math.log10(abs(value))))
        if value and math.isfinite(value)
        else value
    )
