"""From stored columns to fields: which branch is there, units, ranges, momenta, and what stands for a missing one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import vector

from jetlens.errors import DamagedFileError
from jetlens.events.arrays import Column, Index, offsets_from_counts, wrap_phi
from jetlens.events.derived import FUNCTIONS
from jetlens.events.schema import Field
from jetlens.events.sources import Source
from jetlens.events.standard import COORDINATES, MAX_ABS_ETA


@dataclass(frozen=True)
class Resolved:
    """A field, and the columns of the file that it is made of (None: one that a function can do without).

    ``missing`` is the column that should have been there where the field is filled.
    """

    name: str
    field: Field
    columns: tuple[str | None, ...] = ()
    missing: str | None = None

    @property
    def constant(self) -> bool:
        """Tell whether nothing is read for it."""
        return not any(self.columns)


def names_for(field: Field, branch: str) -> list[str]:
    """Names a field may have in the file."""
    return [name.replace("{}", branch) for name in field.branch]


def resolve_field(source: Source, name: str, field: Field, branch: str, what: str) -> Resolved:
    """Find out where a field comes from in this file.

    Args:
        source: the file.
        name: the field's name.
        field: what the schema says of it.
        branch: what ``{}`` stands for.
        what: key or column that needs it, for the message.

    Raises:
        FileError: if it is not there and the schema gives no value instead.
    """
    if field.value is not None:
        return Resolved(name, field)
    names = names_for(field, branch)
    there = [column if column.replace("{i}", "0") in source else None for column in names]
    if any(there):
        chosen = there if field.function else [next(column for column in there if column)]
        return Resolved(name, field, tuple(chosen))
    if field.fill is None:
        source.require([column.replace("{i}", "0") for column in names], what)
    return Resolved(name, field, missing=names[0] if names else "")


def filled_text(resolved: Resolved) -> str | None:
    """Say what was assumed for a field that the file lacks, None if it has it."""
    if resolved.missing is None:
        return None
    value = resolved.field.fill
    text = "position in the file" if value == "entry" else str(value)
    if isinstance(value, int | float):
        text = f"{value:g}"
    elif text.startswith("sum("):
        collection, leaf = text[4:-1].split(".")
        text = f"sum of {leaf} over {collection}"
    return (
        f"{text}, as {resolved.missing} is missing" if resolved.missing else f"{text}, as the format has none"
    )


def plain_names(fields: Iterable[Resolved]) -> list[str]:
    """Columns to be read as numbers, each once; stored four-vectors are read in another way."""
    names = [c for f in fields if not isinstance(f.field.take, str) for c in f.columns if c is not None]
    return list(dict.fromkeys(names))


def make(path: str, fields: Sequence[Resolved], raw: Mapping[str, Column], length: int) -> dict[str, Column]:
    """Turn stored columns into fields, in the schema's units and types, and check their ranges.

    Args:
        path: the file, for messages.
        fields: what to make.
        raw: the columns, (length, …) each; of four-vectors the number taken from them.
        length: number of objects.

    Raises:
        DamagedFileError: if a value is not finite or outside of its range.
    """
    found = {}
    for resolved in fields:
        values = _values(resolved, raw, length)
        if not resolved.constant:
            _check(path, resolved, values)
        field = resolved.field
        if field.least is not None:
            values = np.maximum(values, field.least)
        if resolved.name not in COORDINATES:
            values = values.astype(field.dtype, copy=False)
        found[resolved.name] = values
    return found


def _values(resolved: Resolved, raw: Mapping[str, Column], length: int) -> Column:
    field = resolved.field
    if resolved.constant:
        fill = field.value if field.value is not None else field.fill
        return np.full(length, 0 if isinstance(fill, str) else fill, dtype=field.dtype)
    columns = [raw[name] if name is not None else None for name in resolved.columns]
    if field.function is not None:
        made = np.asarray(FUNCTIONS[field.function](*columns))
        return made * field.factor if field.factor != 1 else made
    values = columns[0]
    assert values is not None
    if isinstance(field.take, int):
        values = values[:, field.take]
    if field.bit is not None:
        return np.asarray((values.astype(np.int64, copy=False) >> field.bit) & 1 != 0)
    if field.above is not None:
        return np.asarray(values > field.above)
    if field.marker is not None:
        values = np.where(values == field.marker, np.zeros(1, values.dtype), values)
    return np.asarray(values * field.factor) if field.factor != 1 else values


def _check(path: str, resolved: Resolved, values: Column) -> None:
    field = resolved.field
    if len(values) == 0 or (field.low is None and field.high is None and values.dtype.kind != "f"):
        return
    least, most = float(values.min()), float(values.max())  # NaN if there is one
    low = -np.inf if field.low is None else field.low
    high = np.inf if field.high is None else field.high
    if not np.isfinite([least, most]).all():
        found = f"{resolved.name} that is no number"
    elif least < low or most > high:
        found = f"{resolved.name} of {least if least < low else most:.6g}, expected {low:g} to {high:g}"
    else:
        return
    column = next(name for name in resolved.columns if name)
    raise DamagedFileError(f"{path}: branch '{column}' has a {found}; the file is damaged")


def with_momentum(columns: dict[str, Column]) -> dict[str, Column]:
    """Replace the momentum, however given, by float64 pt, eta (cut to ±20), phi (in (−π, π]) and mass."""
    four = {name: columns[name].astype(np.float64) for name in COORDINATES if name in columns}
    if "rapidity" in four:
        four = _from_rapidity(four)
    elif "px" in four or "energy" in four:
        last = "energy" if "energy" in four else "mass"
        axes = ("px", "py", "pz") if "px" in four else ("pt", "eta", "phi")
        momentum = vector.array({name: four[name] for name in (*axes, last)})
        with np.errstate(invalid="ignore", divide="ignore"):
            four = {name: np.asarray(getattr(momentum, name)) for name in ("pt", "eta", "phi", "mass")}
        four["eta"] = np.nan_to_num(four["eta"], nan=0.0, posinf=MAX_ABS_ETA, neginf=-MAX_ABS_ETA)
        if last == "energy":
            four["mass"] = np.maximum(four["mass"], 0.0)  # below where rounding makes m² negative
    four["eta"] = np.clip(four["eta"], -MAX_ABS_ETA, MAX_ABS_ETA)
    four["phi"] = wrap_phi(four["phi"])
    rest = {name: values for name, values in columns.items() if name not in COORDINATES}
    return {name: four[name] for name in ("pt", "eta", "phi", "mass")} | rest


def _from_rapidity(four: dict[str, Column]) -> dict[str, Column]:
    """η from y: p_z = m_T·sinh y, η = asinh(p_z / pT) (PDG review, kinematics)."""
    pt, y = four["pt"], np.clip(four["rapidity"], -MAX_ABS_ETA, MAX_ABS_ETA)
    if "mass" in four:
        mass = four["mass"]
    else:
        transverse = four["energy"] / np.cosh(y)
        mass = np.sqrt(np.maximum(transverse**2 - pt**2, 0.0))
    with np.errstate(invalid="ignore", divide="ignore"):
        eta = np.arcsinh(np.hypot(pt, mass) / pt * np.sinh(y))
    return {"pt": pt, "eta": np.where(pt > 0, eta, y), "phi": four["phi"], "mass": mass}


def read_padded(
    source: Source, names: Sequence[str], present: str, slots: int | None, start: int, stop: int
) -> tuple[Index, dict[str, Column]]:
    """Read rows of slots, of which those are real where ``present`` is not zero.

    Args:
        source: the file.
        names: arrays (N, P), or names with ``{i}`` for tables that have a column per slot.
        present: the same.
        slots: number of slots of such tables.
        start, stop: entries.

    Returns:
        offsets, and the joined values of the real slots.
    """
    real = _matrix(source, present, slots, start, stop) != 0
    offsets = offsets_from_counts(real.sum(axis=1))
    return offsets, {name: _matrix(source, name, slots, start, stop)[real] for name in names}


def _matrix(source: Source, name: str, slots: int | None, start: int, stop: int) -> Column:
    if "{i}" not in name:
        values = source.numbers([name], start, stop)[name]
        if values.ndim != 2:
            raise source.mismatch(name, f"an array of {values.ndim} axes; expected entries and slots")
        return values
    columns = [name.replace("{i}", str(i)) for i in range(slots or 0)]
    found = source.numbers(columns, start, stop)
    return np.stack([found[column] for column in columns], axis=1)
