"""Progress of single steps: each says where it stands in a small file, the terminal's owner reads them all."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

from jetlens.files import write_text

VARIABLE = "JETLENS_PROGRESS"


class Publisher:
    """Tells whoever owns the terminal how far this process is; does nothing where nobody asked.

    Args:
        every: seconds between two messages, at least.
    """

    def __init__(self, every: float = 0.5) -> None:
        """Take the folder from the environment."""
        folder = os.environ.get(VARIABLE)
        self.file = Path(folder) / f"{os.uname().nodename}-{os.getpid()}.txt" if folder else None
        self.every = every
        self.last = 0.0

    def say(self, text: str) -> None:
        """Publish one line, unless the last one is fresh."""
        if self.file and time.monotonic() - self.last >= self.every:
            self.last = time.monotonic()
            with contextlib.suppress(OSError):  # progress never stops a step
                write_text(self.file, text)

    def close(self) -> None:
        """Take the line back: the step is over."""
        if self.file:
            self.file.unlink(missing_ok=True)


@dataclass(frozen=True)
class Line:
    """What one step said last."""

    step: str
    text: str


def read(folder: Path) -> list[Line]:
    """Return what the running steps said last, in the order of their processes."""
    lines = []
    for file in sorted(folder.glob("[!.]*.txt")):
        with contextlib.suppress(OSError, UnicodeDecodeError):
            lines.append(Line(file.stem, file.read_text(encoding="utf-8").strip()))
    return lines
