"""Several files that hold different columns of the same entries, as one source: ``prefix:column``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jetlens.errors import FileError
from jetlens.events.arrays import Column, Index
from jetlens.events.sources.base import Source


class JoinedSource(Source):
    """A file and its companions."""

    def __init__(self, first: Source, further: Mapping[str, Source]) -> None:
        """Make sure that all have the same entries.

        Raises:
            FileError: if they do not.
        """
        self.path, self.name, self.entries = first.path, first.name, first.entries
        self._sources = {"": first, **further}
        for other in further.values():
            if other.entries != self.entries:
                raise FileError(
                    f"{other.path}: has {other.entries} entries, {self.path} has {self.entries}; expected the same"
                )

    @property
    def names(self) -> list[str]:
        """Names of all columns."""
        return [f"{p}:{n}" if p else n for p, source in self._sources.items() for n in source.names]

    def _of(self, name: str) -> tuple[str, str]:
        prefix, colon, rest = name.partition(":")
        return (prefix, rest) if colon and prefix in self._sources else ("", name)

    def __contains__(self, name: object) -> bool:
        """Tell whether one of the files has this column."""
        prefix, rest = self._of(str(name))
        return rest in self._sources[prefix]

    def shape(self, name: str) -> str:
        """Ask the file that has it."""
        prefix, rest = self._of(name)
        return self._sources[prefix].shape(rest)

    def numbers(self, names: Sequence[str], start: int, stop: int) -> dict[str, Column]:
        """Read columns of fixed size per entry."""
        found: dict[str, Column] = {}
        for name in names:
            prefix, rest = self._of(name)
            found[name] = self._sources[prefix].numbers([rest], start, stop)[rest]
        return found

    def _of_one(self, names: Sequence[str], read: Callable[[Source, list[str]], Any]) -> Any:
        """Read columns that lie in one file, and put their prefix before the names again."""
        places = [self._of(name) for name in names]
        if len({prefix for prefix, _ in places}) != 1:
            raise FileError(f"{self.path}: columns of one collection must be in one file: {', '.join(names)}")
        *offsets, columns = read(self._sources[places[0][0]], [rest for _, rest in places])
        return *offsets, {name: columns[rest] for name, (_, rest) in zip(names, places, strict=True)}

    def lists(
        self, names: Sequence[str], start: int, stop: int, counter: str | None = None
    ) -> tuple[Index, dict[str, Column]]:
        """Read columns with a list per entry."""
        found = self._of_one(names, lambda source, own: source.lists(own, start, stop, counter))
        return found[0], found[1]

    def nested(self, names: Sequence[str], start: int, stop: int) -> tuple[Index, Index, dict[str, Column]]:
        """Read columns with a list of lists per entry."""
        found = self._of_one(names, lambda source, own: source.nested(own, start, stop))
        return found[0], found[1], found[2]

    def bytes_per_event(self, names: Sequence[str]) -> float:
        """Mean size in memory of one entry."""
        places = [self._of(name) for name in names]
        return sum(
            source.bytes_per_event([rest for p, rest in places if p == prefix])
            for prefix, source in self._sources.items()
        )

    def close(self) -> None:
        """Close all files."""
        for source in self._sources.values():
            source.close()
