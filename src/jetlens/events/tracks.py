"""The treatment of a file's impact parameters, decided once by its first tracks and applied to everything read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from jetlens.events.arrays import Column
from jetlens.events.impact_parameters import D0, DZ, Mode, Resolution, Treatment, decide

IMPACT = ("d0", "d0_error", "dz", "dz_error")
PROBE_EVENTS = 200
"""How many events at a time are looked at to find out how a file is made."""

FirstTracks = Callable[[int, int], Mapping[str, Column] | None]


@dataclass(frozen=True)
class ImpactOptions:
    """What to do about impact parameters; see :func:`jetlens.events.impact_parameters.decide`.

    Attributes:
        mode: ``auto``, ``smear``, ``as_is`` or ``none``.
        d0, dz: resolutions to smear with.
        sample: the physical sample's name, which the deviates depend on.
    """

    mode: Mode = "auto"
    d0: Resolution = D0
    dz: Resolution = DZ
    sample: str = ""


class ImpactParameters:
    """What is done to the impact parameters of one file.

    Attributes:
        treatment: None until :meth:`settle` has looked at tracks.
    """

    def __init__(self, options: ImpactOptions, path: str, entries: int) -> None:
        """Start undecided."""
        self._options, self._path, self._entries = options, path, entries
        self.treatment: Treatment | None = None

    def settle(self, first: FirstTracks) -> Treatment:
        """Decide, by the first events that have tracks.

        Args:
            first: columns of the charged objects between two entries, as the file has them; None if it has no tracks.

        Raises:
            FileError: if they are to be smeared, but were already.
        """
        known = self.treatment
        if known is None or (known.kind == "none" and self._options.mode != "none"):  # no tracks so far
            options, tracks = self._options, {}
            for start in range(0, self._entries, PROBE_EVENTS):
                found = first(start, min(start + PROBE_EVENTS, self._entries))
                if found is None or len(found["d0"]):
                    tracks = dict(found or {})
                    break
            known = self.treatment = decide(options.mode, options.d0, options.dz, tracks, self._path)
        return known

    def apply(
        self, columns: dict[str, Column], charged: Column, event_number: Column, track_id: Column
    ) -> dict[str, Column]:
        """Return the columns with impact parameters as they are to be used.

        Args:
            columns: ``pt``, ``eta`` and all of :data:`IMPACT`, one entry per track.
            charged: bool; what is not gets zeros where others are smeared.
            event_number: of each track's event.
            track_id: unique within the event.
        """
        assert self.treatment is not None
        tracks = {**columns, "charged": charged}
        return columns | self.treatment.apply(
            tracks, event_number, track_id, self._options.sample, self._path
        )

    def note(self, prefix: str, assumed: dict[str, str], filled: dict[str, str]) -> None:
        """Record what was decided: under its own topic, and for the columns that it fills or no longer lacks."""
        assert self.treatment is not None
        assumed["impact parameters"] = str(self.treatment)
        for name in IMPACT:
            column = f"{prefix}.{name}"
            if self.treatment.kind == "smeared":
                filled.pop(column, None)
                assumed.pop(column, None)
            if self._options.mode == "none":
                filled[column] = assumed[column] = "0, as reading.impact_parameters.mode is none"


def charged_tracks(columns: Mapping[str, Column], charged: Column) -> dict[str, Column]:
    """Columns that :func:`decide` looks at, of charged objects."""
    return {name: np.asarray(columns[name])[charged] for name in ("pt", "eta", *IMPACT)}
