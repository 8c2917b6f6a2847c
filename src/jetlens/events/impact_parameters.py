"""Impact parameters of tracks: whether a file has measured ones, and what is done where it has not.

Delphes' stock cards leave d0 and dz as the generator had them: no errors, d0 exactly 0 for prompt tracks, and 1e-13
to 1e-9 mm for those of resonances with a width, which tells a label and no detector ever sees. Such tracks are smeared
here, before anything reads them. All functions work on plain arrays, one entry per track: pT [GeV], η, d0, dz [mm].
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from jetlens.errors import FileError
from jetlens.hashing import uniform

Array = NDArray[Any]
Mode = Literal["auto", "smear", "as_is", "none"]

ZERO = 1e-6
"""mm; ``|d0|`` below is as good as exactly 0: the best trackers resolve ten thousand times as much."""
ZERO_SHARE = 0.05
"""Without errors, and with more of such zeros, they were never measured; files of stock cards have 0.45 and more."""
PT_POINTS = (1.0, 3.0, 10.0)
"""GeV; where resolutions are compared."""
TOLERANCE = 0.25
"""Relative difference of resolutions at these points from which on two samples disagree."""
_WINDOW, _CENTRAL, _FEWEST = 0.2, 1.0, 10
_PT_FLOOR, _ETA_MAX = 0.05, 5.0
"""Marks of what is no track (pT of 0, |η| of 999.9) get finite errors."""


@dataclass(frozen=True)
class Resolution:
    """σ = constant ⊕ scattering·(1 + forward·η²)/pT, in µm and GeV: measurement and multiple scattering."""

    constant: float
    scattering: float
    forward: float = 0.0

    def sigma(self, pt: Array, eta: Array) -> NDArray[np.float64]:
        """Return σ [mm] of tracks."""
        pt = np.maximum(np.asarray(pt, dtype=np.float64), _PT_FLOOR)
        eta = np.clip(np.asarray(eta, dtype=np.float64), -_ETA_MAX, _ETA_MAX)
        return np.hypot(self.constant, self.scattering * (1 + self.forward * eta**2) / pt) * 1e-3


D0, DZ = Resolution(15, 100), Resolution(60, 150)
"""What is smeared with unless told otherwise."""


@dataclass(frozen=True)
class Treatment:
    """What is done to the impact parameters of one file; decided once for all of it, by :func:`decide`.

    Attributes:
        kind: ``smeared`` here; ``measured``: errors come from the file; ``truth``: left as the generator had them;
            ``none``: set to 0, or there are none; ``no errors``: neither errors nor signs of truth.
        errors: σ [µm] of ``d0`` and ``dz`` at :data:`PT_POINTS` for central tracks, NaN where too few tracks tell.
        d0: resolution that d0 is smeared with.
        dz: the same of dz.
    """

    kind: Literal["smeared", "measured", "truth", "none", "no errors"]
    errors: Mapping[str, tuple[float, ...]]
    d0: Resolution | None = None
    dz: Resolution | None = None

    def apply(
        self, tracks: Mapping[str, Array], event_number: Array, track_id: Array, sample: str, path: str = ""
    ) -> dict[str, NDArray[np.float32]]:
        """Return ``d0``, ``d0_error``, ``dz``, ``dz_error`` of tracks as they are to be used, float32 (n,), mm.

        Args:
            tracks: ``pt``, ``eta`` and these four columns as the file has them, each (n,), and ``charged``, bool (n,):
                what is not gets zeros where others are smeared.
            event_number: of each track's event, int64 (n,).
            track_id: unique in its event, and the same whichever file the event is in, int64 (n,).
            sample: the physical sample's name.
            path: the file, for messages.

        Raises:
            FileError: if a file without errors turns out to have some.
        """
        names = ("d0", "d0_error", "dz", "dz_error")
        if self.kind == "none":
            return {name: np.zeros(len(track_id), dtype=np.float32) for name in names}
        if self.d0 is None or self.dz is None:
            return {name: np.asarray(tracks[name], dtype=np.float32) for name in names}
        if np.any(tracks["d0_error"] > 0):
            raise FileError(
                f"{path}: some tracks have measured impact parameters, others those of the generator; "
                "do not merge files of different detector cards"
            )
        pt, eta, d0, dz = (tracks[name] for name in ("pt", "eta", "d0", "dz"))
        values = smear(pt, eta, d0, dz, event_number, track_id, sample, self.d0, self.dz)
        return {name: np.where(tracks["charged"], column, np.float32(0)) for name, column in values.items()}

    def describe(self) -> dict[str, Any]:
        """Return plain data for the metadata of files: ``kind``, ``errors`` [µm] by name and pT, and what was used."""
        errors = {
            name: {f"{pt:g}": round(e, 3) for pt, e in zip(PT_POINTS, values, strict=True) if np.isfinite(e)}
            for name, values in self.errors.items()
        }
        used = {"d0": asdict(self.d0), "dz": asdict(self.dz)} if self.d0 and self.dz else None
        return {"kind": self.kind, "errors_um": errors, "smeared_with": used}

    def __str__(self) -> str:
        """Say it in a few words."""
        if self.d0 and self.dz:
            parts = [
                f"{name} by {r.constant:g} ⊕ {r.scattering:g}{f'·(1 + {r.forward:g}·η²)' if r.forward else ''}/pT µm"
                for name, r in (("d0", self.d0), ("dz", self.dz))
            ]
            return f"smeared, as the file has them without measurement: {', '.join(parts)}"
        return {
            "measured": "as measured in the file, with its errors",
            "truth": "the generator's, as reading.impact_parameters says: no detector sees them",
            "no errors": "as in the file, which gives no errors",
        }.get(self.kind, "none")


def smear(
    pt: Array,
    eta: Array,
    d0: Array,
    dz: Array,
    event_number: Array,
    track_id: Array,
    sample: str,
    d0_resolution: Resolution,
    dz_resolution: Resolution,
) -> dict[str, NDArray[np.float32]]:
    """Smear impact parameters by Gaussians, and give them their errors.

    A deviate is a hash of (sample, event number, track id, d0 or dz): it depends on no other track, file, or order.

    Args:
        pt: transverse momenta [GeV], (n,), as all that follow.
        eta: pseudorapidities.
        d0: transverse impact parameters without resolution [mm].
        dz: longitudinal ones [mm].
        event_number: of each track's event.
        track_id: unique within the event.
        sample: the physical sample's name.
        d0_resolution: of d0.
        dz_resolution: of dz.

    Returns:
        ``d0``, ``d0_error``, ``dz``, ``dz_error``, float32 (n,), mm.
    """
    result: dict[str, NDArray[np.float32]] = {}
    for name, value, resolution in (("d0", d0, d0_resolution), ("dz", dz, dz_resolution)):
        sigma = resolution.sigma(pt, eta)
        deviate = gaussian(event_number, track_id, f"{sample}:{name}")
        result[name] = (np.asarray(value, dtype=np.float64) + sigma * deviate).astype(np.float32)
        result[f"{name}_error"] = sigma.astype(np.float32)
    return result


def gaussian(event_number: Array, track_id: Array, stream: str) -> NDArray[np.float64]:
    """Return standard normal deviates (n,) that depend on event number, track id and the stream's name alone."""
    from scipy.special import ndtri  # most steps smear nothing, and need not wait for it

    return np.asarray(ndtri(uniform(event_number, track_id, stream)))


def decide(mode: Mode, d0: Resolution, dz: Resolution, tracks: Mapping[str, Array], path: str) -> Treatment:
    """Decide what to do about a file, by tracks of its first events.

    Args:
        mode: ``auto``: smear what was never measured, leave all else; ``smear``: the same, but refuse all else;
            ``as_is``: leave all; ``none``: use none.
        d0: resolution to smear d0 with.
        dz: the same for dz.
        tracks: ``pt``, ``eta``, ``d0``, ``d0_error``, ``dz``, ``dz_error`` of charged tracks, each (n,).
        path: the file, for messages.

    Raises:
        FileError: if it is to be smeared, but was already, or cannot be known not to be.
    """
    if mode == "none" or not len(tracks.get("d0", ())):
        return Treatment("none", {})
    errors = {name: _medians(tracks, f"{name}_error") for name in ("d0", "dz")}
    zeros = np.mean(np.abs(tracks["d0"]) < ZERO)
    if np.any(tracks["d0_error"] > 0):
        kind: Literal["measured", "truth", "no errors"] = "measured"
    else:
        kind = "truth" if zeros > ZERO_SHARE else "no errors"
    if mode == "as_is" or (mode == "auto" and kind != "truth"):
        return Treatment(kind, errors)
    if kind != "truth":
        why = (
            "have errors: they were smeared already" if kind == "measured" else f"are 0 for only {zeros:.1%}"
        )
        raise FileError(
            f"{path}: its impact parameters {why}, so reading.impact_parameters.mode: smear does not fit; "
            "set auto or as_is"
        )
    centre = {name: r.sigma(np.array(PT_POINTS), np.zeros(3)) * 1e3 for name, r in (("d0", d0), ("dz", dz))}
    return Treatment("smeared", {name: tuple(values) for name, values in centre.items()}, d0, dz)


def _medians(tracks: Mapping[str, Array], name: str) -> tuple[float, ...]:
    """Median error [µm] of central tracks near each of :data:`PT_POINTS`, NaN where there are too few."""
    found = []
    for pt in PT_POINTS:
        near = (np.abs(tracks["pt"] / pt - 1) < _WINDOW) & (np.abs(tracks["eta"]) < _CENTRAL)
        values = tracks[name][near & (tracks[name] > 0)]
        found.append(float(np.median(values)) * 1e3 if len(values) >= _FEWEST else float("nan"))
    return tuple(found)


def disagreement(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """Return how two files' tracks differ in resolution, in a few words; empty if they can be trained on together.

    Args:
        one: as :meth:`Treatment.describe` has it.
        other: the same.
    """
    kinds = [{"smeared": "measured"}.get(about["kind"], about["kind"]) for about in (one, other)]
    if kinds[0] != kinds[1]:
        return "" if "none" in kinds else f"{one['kind']} and {other['kind']}"
    for name in ("d0", "dz"):
        errors = [about["errors_um"].get(name, {}) for about in (one, other)]
        for pt in errors[0].keys() & errors[1].keys():
            low, high = sorted(each[pt] for each in errors)
            if high > low * (1 + TOLERANCE):
                return f"σ({name}) of {errors[0][pt]:.0f} and {errors[1][pt]:.0f} µm at pT = {pt} GeV"
    return ""
