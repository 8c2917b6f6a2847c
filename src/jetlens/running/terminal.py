"""What a run shows: a line per step, how far the running ones are, and last of all why one failed.

Snakemake's own log under ``.snakemake/log`` keeps every detail.
"""

from __future__ import annotations

import atexit
import logging
import os
import re
import shutil
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO

from jetlens import progress

PREFIX = "jetlens: "
SHOWN = 10
"""Failed steps that are explained at the end; more are counted."""
_KEPT = ("Nothing to be done", "Terminating processes", "Will exit after")
_BEFORE = "Assuming unrestricted shared filesystem"
_LINK = "For further information visit "
"""The last line of pydantic's errors, which says nothing."""
_DROPPED = ("Exiting because a job execution failed", "At least one job did not complete")


class Terminal(logging.Handler):
    """Shows Snakemake's events in a few words, and the progress of running steps below them.

    Args:
        stream: where to write; on a terminal the progress stands in lines that are renewed.
        folder: of the steps' progress, see :mod:`jetlens.progress`.
        blocked: says who else makes the same files, when Snakemake finds them locked.
        every: seconds between two lines on the progress of one step, where they stay.
    """

    def __init__(
        self, stream: TextIO, folder: Path, blocked: Callable[[], str | None], every: float = 15.0
    ) -> None:
        """Start to look for progress."""
        super().__init__()
        self.stream, self.folder, self.blocked, self.every = stream, folder, blocked, every
        self.live = stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self.running = False
        self.drawn = 0
        self.total = 0
        self.done = 0
        self.steps: dict[int, str] = {}
        self.failed: dict[int, str] = {}
        self.told: dict[str, float] = {}
        self.over = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Show one event, or leave it out."""
        text = self._text(record)
        if text:
            self.write(text)

    def write(self, text: str) -> None:
        """Write lines above the progress."""
        with self.lock:  # type: ignore[union-attr]
            self._erase()
            self.stream.write(f"{text}\n")
            self.stream.flush()

    def finish(self) -> None:
        """Write what has to be read last: why steps failed, and where their logs are."""
        if self.over.is_set():
            return
        self.over.set()
        with self.lock:  # type: ignore[union-attr]
            self._erase()
            if self.failed:
                self.stream.write("\n" + "\n".join(list(self.failed.values())[:SHOWN]) + "\n")
                if len(self.failed) > SHOWN:
                    self.stream.write(f"{PREFIX}{len(self.failed) - SHOWN} more steps failed\n")
            self.stream.flush()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _text(self, record: logging.LogRecord) -> str:
        event = getattr(record, "event", None)
        handler = getattr(self, f"_{event.value}", None) if event is not None else None
        if handler is not None:
            return str(handler(record.__dict__))
        message = record.getMessage()
        if message.startswith(_DROPPED):
            return ""
        if record.levelno >= logging.WARNING or message.startswith(_KEPT):
            return message
        # without a run, as with --lint or --unlock, what Snakemake says is the answer
        return "" if self.running or message.startswith(_BEFORE) else message

    def _workflow_started(self, _: Mapping[str, Any]) -> str:
        self.running = True
        return ""

    def _run_info(self, about: Mapping[str, Any]) -> str:
        stats = about.get("stats") or {}
        # rules without a file of their own, such as `all`, only collect
        self.total = sum(n for rule, n in stats.items() if rule not in ("all", "analysis", "total"))
        return f"{PREFIX}{self.total} steps to do"

    def _job_info(self, about: Mapping[str, Any]) -> str:
        if not about["output"]:
            return ""
        what = about["rule_msg"] or about["rule_name"]
        self.steps[about["jobid"]] = what
        self.failed.pop(about["jobid"], None)  # tried again
        return f"{time.strftime('%H:%M:%S')}  {len(self.steps)}/{self.total}  {what}"

    def _job_error(self, about: Mapping[str, Any]) -> str:
        what = self.steps.get(about["jobid"], about["rule_name"])
        log = next(iter(about["log"]), "")
        path = log.partition(" (")[0]
        reason = useful_line(Path(path)) if path else "no log"
        self.failed[about["jobid"]] = f"{PREFIX}{reason}\n    in: {what}; log: {path}"
        return f"{time.strftime('%H:%M:%S')}  failed: {what}"

    def _error(self, about: Mapping[str, Any]) -> str:
        message, kind = str(about["msg"]), about.get("exception")
        if kind == "LockException" and (why := self.blocked()):
            return PREFIX + why
        if kind == "RuleException" and "CalledProcessError" in message:
            return ""  # a step's failure is an event of its own, with its log
        if self.failed and any(word in message for word in _DROPPED):
            return ""
        return plain(message)

    def _watch(self) -> None:
        """Show progress now and then, until the run is over."""
        started = time.monotonic()
        shown: list[progress.Line] = []
        while not self.over.wait(0.1):  # a short training is seen, too
            lines = progress.read(self.folder)
            now = time.monotonic()
            for line in lines:
                self.told.setdefault(line.step, max(started, now))
            if self.live:
                if lines != shown or len(lines) != self.drawn:
                    self._draw(lines)
                    shown = lines
                continue
            for line in lines:
                if now - self.told[line.step] >= self.every:
                    self.told[line.step] = now
                    self.write(f"    {line.text}")

    def _draw(self, lines: list[progress.Line]) -> None:
        width = shutil.get_terminal_size().columns
        with self.lock:  # type: ignore[union-attr]
            if self.over.is_set():
                return
            self._erase()
            for line in lines:
                self.stream.write(f"    {line.text}"[: width - 1] + "\n")
            self.drawn = len(lines)
            self.stream.flush()

    def _erase(self) -> None:
        if self.drawn:
            self.stream.write(f"\x1b[{self.drawn}A\x1b[J")
            self.drawn = 0


def useful_line(log: Path) -> str:
    """Return the one line of a failed step's log that says why: ours, or the last of a traceback."""
    try:
        lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines()]
    except OSError:
        lines = []
    ours = [line.removeprefix(PREFIX) for line in lines if line.startswith(PREFIX)]
    if ours:
        return ours[-1]
    if any(line.startswith("Traceback") for line in lines):
        return next(line for line in reversed(lines) if line and not line.startswith(_LINK))
    return "it ended without a message; it may have been killed, for instance for want of memory"


def plain(message: str) -> str:
    """Return a message of ours without what Snakemake writes around it; any other as it is."""
    if PREFIX not in message:
        return message
    inner = message[message.index(PREFIX) :]
    return re.sub(r"(\n +File \"[^\n]*)+\s*$", "", inner)


def take_over(logger: logging.Logger, folder: Path, blocked: Callable[[], str | None]) -> Terminal | None:
    """Put a :class:`Terminal` in the place of Snakemake's own handler of the terminal.

    Args:
        logger: Snakemake's.
        folder: for the steps' progress.
        blocked: see :class:`Terminal`.

    Returns:
        The handler; None where there is nothing to replace, as with a logger plugin of the user's.
    """
    standard = next((h for h in logger.handlers if h.get_name() == "DefaultStreamHandler"), None)
    if standard is None:
        return None
    stream: TextIO = getattr(standard, "stream", sys.stderr)
    terminal = Terminal(stream, folder, blocked)
    logger.removeHandler(standard)
    logger.addHandler(terminal)
    folder.mkdir(parents=True, exist_ok=True)
    os.environ[progress.VARIABLE] = str(folder.resolve())
    atexit.register(terminal.finish)
    return terminal


class Brief(logging.Filter):
    """Leaves of an error of ours what Snakemake's own handler shall show: its lines, not where it was raised."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Shorten the message."""
        if PREFIX in str(record.msg):
            record.msg = plain(str(record.msg))
        return True
