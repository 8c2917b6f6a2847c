"""Events of any file as awkward records of vector's four-momenta.

In a notebook::

    from jetlens.events import load_schema, open_events

    with open_events("resources/demo/signal_H1000_hh_4b.root", load_schema("delphes")) as file:
        for events in file:
            two = events[ak.num(events.fat_jets) > 1]
            mass = (two.fat_jets[:, 0] + two.fat_jets[:, 1]).mass
            values, mask = padded(two.fat_jets[:, 0].constituents.pt, 50)  # (events, 50)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jetlens import lazy
from jetlens.events.schemas import load_schema

if TYPE_CHECKING:
    from jetlens.events.arrays import padded
    from jetlens.events.eventfile import EventFile, ReadOptions, open_events

__all__ = ["EventFile", "ReadOptions", "load_schema", "open_events", "padded"]

__getattr__ = lazy.attributes(
    __name__, {"arrays": ("padded",), "eventfile": ("EventFile", "ReadOptions", "open_events")}
)
