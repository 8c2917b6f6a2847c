"""Steps end with their Snakemake, even if it is killed: an orphan would go on, and write where the next run writes."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import threading
import time

import psutil

VARIABLE = "JETLENS_SNAKEMAKE"
GRACE = 10.0
"""Seconds in which a step may clear up, before it is ended for good."""


def announce() -> None:
    """Let the steps that this process starts know it."""
    os.environ[VARIABLE] = f"{os.getpid()}@{socket.gethostname()}"


def follow() -> None:
    """End this process soon after the Snakemake that started it; without one, as in a notebook, do nothing."""
    pid, _, host = os.environ.get(VARIABLE, "").partition("@")
    if not pid.isdigit() or host != socket.gethostname():
        return
    try:
        started = any(parent.pid == int(pid) for parent in psutil.Process().parents())
        orphan = not started and os.getppid() == 1 and not psutil.pid_exists(int(pid))
    except psutil.Error:
        return
    if orphan:  # it was killed before this step came here
        raise KeyboardInterrupt
    if started:
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else nobody is to interrupt
            signal.signal(signal.SIGINT, _interrupted)
        threading.Thread(target=_wait, args=(int(pid),), daemon=True).start()


def _interrupted(number: int, frame: object) -> None:
    """End this process though the exception be lost, as it is in callbacks, those of an import's locks among them."""
    threading.Thread(target=_end, daemon=True).start()
    raise KeyboardInterrupt


def _end() -> None:
    time.sleep(GRACE)
    os._exit(130)


def _wait(pid: int) -> None:
    try:
        handle = os.pidfd_open(pid)  # tells at once; Linux alone has it
    except (AttributeError, OSError):
        while psutil.pid_exists(pid):
            time.sleep(1.0)
    else:
        with contextlib.suppress(OSError):
            select.select([handle], [], [])
    os.kill(os.getpid(), signal.SIGINT)  # the main thread clears up as after Ctrl-C
    _end()
