"""Reading event files: objects, and jet constituents resolved by reference, as numpy or awkward arrays.

In a notebook::

    from jetlens.config.reading import ReadingConfig
    from jetlens.events import open_events

    with open_events("resources/demo/signal_H1000_hh_4b.root", ReadingConfig()) as reader:
        for chunk in reader.chunks():
            leading = chunk.collections["fat_jets"].leading(2)  # jagged: .offsets, and a flat column per name
            constituents = chunk.constituents(leading["row"])
            values, mask = constituents.padded(50)  # (jets, 50, 4): pt, eta, phi, energy
            events = chunk.to_awkward()  # or as awkward records
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jetlens.config.reading import ReadingConfig
from jetlens.events.jagged import Jagged
from jetlens.events.reader import TYPES, Chunk, Constituents, EventReader

if TYPE_CHECKING:
    from jetlens.events.rootfile import RootTree

__all__ = ["TYPES", "Chunk", "Constituents", "EventReader", "Jagged", "open_events", "read_tree"]


def open_events(path: str, config: ReadingConfig, sample: str = "") -> EventReader:
    """Open an event file for reading in chunks; use it in a ``with`` statement.

    Args:
        path: a ROOT file, local or a URL (``https://``; ``root://`` with the extra ``xrootd``).
        config: names of branches, memory budget, and what to do about references that match nothing.
        sample: name of the physical sample, for the deviates that unmeasured impact parameters are smeared with.

    Raises:
        FileError: if the file is unreadable or truncated, or lacks a tree or branch that is needed.
    """
    from jetlens.events import delphes, nanoaod  # here, as uproot takes a while to import
    from jetlens.events.rootfile import RootTree

    allowed = {"delphes": delphes.TREES, "nanoaod": nanoaod.TREES, "auto": (*delphes.TREES, *nanoaod.TREES)}
    tree = RootTree.open(path, config.tree, allowed[config.format])
    try:
        reader = read_tree(tree, config)
        reader.sample = sample
        return reader
    except BaseException:
        tree.close()
        raise


def read_tree(tree: RootTree, config: ReadingConfig) -> EventReader:
    """Make the reader that fits an open tree; :func:`open_events` is for everyday use.

    Raises:
        FileError: if the tree lacks a branch that is needed.
    """
    from jetlens.events import delphes, nanoaod

    auto = "nanoaod" if "Event_size" not in tree and "event" in tree else "delphes"
    if (auto if config.format == "auto" else config.format) == "nanoaod":
        return nanoaod.NanoReader(tree, config)
    return delphes.DelphesReader(tree, config)
