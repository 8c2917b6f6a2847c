"""Errors that a user is meant to read: one line each, naming what is wrong, what was expected and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class JetlensError(Exception):
    """Base of every error a user can cause; its text is the whole message."""


class ConfigError(JetlensError):
    """The configuration or the sample table is not valid."""


class FileError(JetlensError):
    """An input or intermediate file cannot be used as it is."""


class DamagedFileError(FileError):
    """An event file is damaged: what it holds cannot be read, or cannot be true."""


class NoEventsError(JetlensError):
    """A step was left without a single event."""


class JetlensWarning(UserWarning):
    """Something the user should know of, though the run goes on."""


def did_you_mean(word: str, allowed: Iterable[str]) -> str:
    """Return ``'; did you mean 'x'?'`` for the closest allowed word, or the list of allowed words."""
    choices = sorted(allowed)
    by_lower = {choice.lower(): choice for choice in choices}  # case is what is mistaken most often
    close = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return (
        f"; did you mean '{by_lower[close[0]]}'?" if close else f"; allowed: {', '.join(choices) or 'none'}"
    )
