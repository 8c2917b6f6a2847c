"""All limits, significances and yields of an analysis in tables, and as a HEPData record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from jetlens.config.inference import DEMONSTRATION
from jetlens.files import read_json, write_text
from jetlens.inference.filltables import write_csv
from jetlens.inference.hepdata import limits_table, write_record, yields_table
from jetlens.inference.limits import BANDS
from jetlens.inference.resampling import relative_error

LIMITS = (
    *("variant", "mass_GeV", *BANDS, "observed", "statistics_only", "without_empty_terms"),
    *("expected_error", "reference", "ratio", "ratio_error"),
    *("cross_section_fb", "level", "method", "remark", "notes"),
)
BREAKDOWN = ("variant", "mass_GeV", "uncertainty", "alone", "cumulative", "without", "notes")
LATEX = {"→": r"$\to$ ", "≥": r"$\geq$ ", "t̄": r"$\bar{t}$", "–": "--", "_": r"\_", "%": r"\%", "&": r"\&"}


def summarise(
    folders: Mapping[tuple[str, str], Path],
    output: Path,
    *,
    energy_tev: float,
    luminosity_fb: float,
    reaction: str,
    demonstration: bool,
) -> None:
    """Write ``limits{,_breakdown}.csv``, ``luminosity.csv``, ``yields.{csv,tex}`` and the record ``hepdata/``.

    Limits are upper limits on σ·B [fb]; where there is none, ``remark`` says why. ``expected_error`` [fb] is the error
    by the simulation, cuts chosen anew; ``ratio`` is that to the last variant, with the error for the same events.
    Yields are those of the backgrounds' fit to the data, or while blinded to what is expected; signals count at the σ·B
    of ``cross_section_fb`` before it.

    Args:
        folders: ``inference/<variant>/<mass>`` by variant and mass.
        output: folder ``inference``.
        energy_tev: centre-of-mass energy [TeV].
        luminosity_fb: of the templates [1/fb].
        reaction: the signal in HEPData's notation.
        demonstration: whether weights were scaled, so that nothing is a result.
    """
    read = {key: read_json(folder / "limit.json") for key, folder in folders.items()}
    note = f"{DEMONSTRATION}, no result" if demonstration else ""
    limits = pd.DataFrame(
        [_limit(variant, of, note) for (variant, _), of in read.items()], columns=list(LIMITS)
    )
    resampled = {
        (variant, mass): _resampled(folder.parent / "resampled.csv", float(mass))
        for (variant, mass), folder in folders.items()
    }
    _add_errors(limits, resampled, list(folders)[-1][0])
    luminosity = [
        {"variant": variant, "mass_GeV": of["mass_GeV"], **row, "notes": note}
        for (variant, _), of in read.items()
        for row in of["significance"]
    ]
    columns = ["variant", "mass_GeV", "luminosity_fb", "significance", "notes"]
    broken_down = [
        {"variant": variant, "mass_GeV": of["mass_GeV"], **_in_fb(row, of["cross_section_fb"]), "notes": note}
        for (variant, _), of in read.items()
        for row in of["breakdown"]
    ]
    yields = pd.concat(
        [
            pd.read_csv(folder / "yields.csv").assign(variant=variant, mass_GeV=float(mass))
            for (variant, mass), folder in folders.items()
        ],
        ignore_index=True,
    )
    yields = yields[["variant", "mass_GeV", *(c for c in yields if c not in ("variant", "mass_GeV"))]]
    yields = yields.assign(notes=note)
    write_csv(output / "limits.csv", limits)
    write_csv(output / "limits_breakdown.csv", pd.DataFrame(broken_down, columns=list(BREAKDOWN)))
    write_csv(output / "luminosity.csv", pd.DataFrame(luminosity, columns=columns))
    write_csv(output / "yields.csv", yields)
    write_text(output / "yields.tex", latex(yields, luminosity_fb, note))
    tables = _tables(limits, yields, reaction, energy_tev, luminosity_fb)
    if note:
        tables = {
            name: {**table, "description": f"{note.capitalize()}. {table['description']}"}
            for name, table in tables.items()
        }
    write_record(
        output / "hepdata", tables, comment=f"{note.capitalize()}." if note else "Expected limits by jetlens."
    )


def _in_fb(row: Mapping[str, Any], cross_section_fb: float) -> dict[str, Any]:
    return {
        key: value if value is None or key == "uncertainty" else cross_section_fb * value
        for key, value in row.items()
    }


def _resampled(path: Path, mass: float) -> pd.Series:
    """Return the limits of drawn events by replica."""
    table = pd.read_csv(path)
    return (
        table[table["mass_GeV"] == mass].set_index("replica")["limit"].astype(float)
    )  # without replicas a column has no type


def _add_errors(limits: pd.DataFrame, resampled: Mapping[tuple[str, str], pd.Series], reference: str) -> None:
    """Fill in the errors of the simulation, and ratios to the reference, of which what they share has dropped out."""
    expected = limits.set_index(["variant", "mass_GeV"])["expected"].astype(float)
    of_mass = {(variant, float(mass)): limit for (variant, mass), limit in resampled.items()}
    rows = []
    for variant, mass in expected.index:
        own, other = of_mass[variant, mass], of_mass[reference, mass]
        ratio = np.nan if variant == reference else expected[variant, mass] / expected[reference, mass]
        rows.append(
            {
                "reference": reference,
                "expected_error": expected[variant, mass] * relative_error(own),
                "ratio": ratio,
                "ratio_error": ratio * relative_error(own, other),
            }
        )
    found = pd.DataFrame(rows, index=limits.index)
    limits[found.columns] = found


def _limit(variant: str, of: Mapping[str, Any], note: str) -> dict[str, Any]:
    scale, limits = of["cross_section_fb"], of["limits"]
    row: dict[str, Any] = {
        "variant": variant,
        "mass_GeV": of["mass_GeV"],
        "cross_section_fb": scale,
        "remark": of["remark"],
        "notes": "; ".join(filter(None, [note, *of["notes"]])),
    }
    if found := limits.get("systematics"):
        row |= {name: scale * value for name, value in zip(BANDS, found["expected"], strict=True)}
        row["level"], row["method"] = found["level"], found["method"]
        row["observed"] = None if found["observed"] is None else scale * found["observed"]
    for kind, column in (("statistics", "statistics_only"), ("without_empty_terms", "without_empty_terms")):
        if kind in limits:
            row[column] = scale * limits[kind]["expected"][2]
    return row


def _tables(
    limits: pd.DataFrame, yields: pd.DataFrame, reaction: str, energy_tev: float, luminosity_fb: float
) -> dict[str, dict[str, Any]]:
    tables: dict[str, dict[str, Any]] = {}
    for variant, own in limits.dropna(subset=["expected"]).groupby("variant", sort=False):
        named = own.rename(columns={"mass_GeV": "mass_gev"}).sort_values("mass_gev")
        table = limits_table(named, reaction=reaction, energy_tev=energy_tev, luminosity_fb=luminosity_fb)
        tables[f"limits_{variant}"] = {**table, "name": f"Limits, {variant}"}
    for key, own in yields.groupby(["variant", "mass_GeV", "region"], sort=False):
        name, region = str(key[0]), str(key[2])
        mass = f"{key[1]:g}"
        title = f"Yields, {name}, {mass} GeV, {region}"
        tables[f"yields_{name}_{mass}_{region}"] = {**yields_table(own, region), "name": title}
    return tables


def latex(yields: pd.DataFrame, luminosity_fb: float, note: str = "") -> str:
    """Return the yields as a LaTeX table of booktabs, one block of lines per variant, mass and region, under a note."""
    lines = [
        f"% expected events at {luminosity_fb:g}/fb; needs \\usepackage{{booktabs}}",
        r"\begin{tabular}{lrr}",
        r"\toprule",
    ]
    if note:
        lines.append(rf"\multicolumn{{3}}{{l}}{{\emph{{{_escaped(note)}}}}} \\")
    lines.append(r"Process & before the fit & after the fit \\")
    for (variant, mass, region), own in yields.groupby(["variant", "mass_GeV", "region"], sort=False):
        lines += [
            r"\midrule",
            rf"\multicolumn{{3}}{{l}}{{{_escaped(f'{variant}, {mass:g} GeV, {region}')}}} \\",
        ]
        for row in own.to_dict("records"):
            numbers = " & ".join(_number(row[when], row[f"{when}_error"]) for when in ("prefit", "postfit"))
            lines.append(rf"\quad {_escaped(row['process'])} & {numbers} \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def _number(value: float, error: float) -> str:
    """Value and error to the error's second digit."""
    if not error > 0:
        return f"${value:.4g}$"
    digits = 1 - int(np.floor(np.log10(error)))
    value, error = round(value, digits), round(error, digits)
    if max(abs(value), error) >= 1e6:
        power = int(np.floor(np.log10(max(abs(value), error))))
        scale, shown = 10.0**power, max(digits + power, 0)
        return rf"$({value / scale:.{shown}f} \pm {error / scale:.{shown}f}) \times 10^{{{power}}}$"
    return rf"${value:.{max(digits, 0)}f} \pm {error:.{max(digits, 0)}f}$"


def _escaped(text: str) -> str:
    for sign, command in LATEX.items():
        text = text.replace(sign, command)
    return text


def summarised(paths: Sequence[Path]) -> dict[tuple[str, str], Path]:
    """Return the folders of files ``inference/<variant>/<mass>/limit.json`` by variant and mass."""
    return {(path.parent.parent.name, path.parent.name): path.parent for path in paths}
