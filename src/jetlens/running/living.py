"""Who runs in a folder: a record for each Snakemake, by which a killed one is told from one that lives.

Snakemake's own locks outlive it when it is killed, and do not say whose they are.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import shutil
import socket
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from jetlens.files import read_json, unfinished, write_json

RECORDS = Path(".snakemake") / "jetlens"
LOCKS = Path(".snakemake") / "locks"


@dataclass(frozen=True)
class Machine:
    """Where a process id means something: a host, since its last start, and a space of process ids there."""

    host: str
    hardware: str
    boot: str
    namespace: str

    @staticmethod
    @functools.cache
    def here() -> Machine:
        """Return this one."""
        namespace = ""
        with contextlib.suppress(OSError):
            namespace = os.readlink("/proc/self/ns/pid")
        boot = _first_line("/proc/sys/kernel/random/boot_id")
        return Machine(socket.gethostname(), _first_line("/etc/machine-id"), boot, namespace)

    def knows(self, other: Machine) -> bool:
        """Tell whether processes of ``other`` can be looked for here: on this very host, or before its last start."""
        if (self.host, self.hardware) != (other.host, other.hardware):
            return False
        return self.boot != other.boot or self.namespace == other.namespace


def _first_line(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return ""


@dataclass(frozen=True)
class Record:
    """One running Snakemake."""

    machine: Machine
    pid: int
    started: float
    file: Path

    @property
    def lives(self) -> bool:
        """Whether it runs, as far as can be known here: a process of another host is taken to live."""
        here = Machine.here()
        if not here.knows(self.machine):
            return True
        if here.boot != self.machine.boot:
            return False
        try:
            # process ids are used again: a process that started at another time is not the one
            return bool(abs(psutil.Process(self.pid).create_time() - self.started) < 2.0)
        except psutil.Error:
            return False

    def __str__(self) -> str:
        """Say who, where and since when."""
        since = time.strftime("%Y-%m-%d %H:%M", time.localtime(self.started))
        return f"process {self.pid} on {self.machine.host}, since {since}"


def progress_folder(folder: Path) -> Path:
    """Return where the steps of this Snakemake tell their progress."""
    return folder / RECORDS / f"progress-{socket.gethostname()}-{os.getpid()}"


def register(folder: Path) -> Record:
    """Write the record of this process, which is removed when it ends, unless it is killed."""
    pid = os.getpid()
    record = Record(
        Machine.here(),
        pid,
        psutil.Process(pid).create_time(),
        folder / RECORDS / f"{socket.gethostname()}-{pid}.json",
    )
    write_json(record.file, {"machine": asdict(record.machine), "pid": record.pid, "started": record.started})
    atexit.register(record.file.unlink, missing_ok=True)
    return record


def others(folder: Path) -> list[Record]:
    """Return the records of all others in a folder, living or killed."""
    found = []
    for file in sorted((folder / RECORDS).glob("*.json")):
        with contextlib.suppress(OSError, json.JSONDecodeError, KeyError, TypeError):
            content = read_json(file)
            found.append(Record(Machine(**content["machine"]), content["pid"], content["started"], file))
    return [record for record in found if (record.machine, record.pid) != (Machine.here(), os.getpid())]


def recover(folder: Path, results: Path) -> Record | None:
    """Register this Snakemake; if another was killed here and nobody lives, remove its locks and unfinished files.

    Two that recover at once see each other, and then neither touches the locks.

    Args:
        folder: Snakemake's working directory.
        results: where unfinished files are looked for.

    Returns:
        The run that was killed, if what it left was removed.
    """
    register(folder)
    known = others(folder)
    killed = [record for record in known if not record.lives]
    if not killed or len(killed) < len(known):
        return None
    for lock in (folder / LOCKS).glob("*.lock"):
        lock.unlink(missing_ok=True)
    clear_unfinished(results)
    for record in killed:
        record.file.unlink(missing_ok=True)
        shutil.rmtree(record.file.with_name(f"progress-{record.file.stem}"), ignore_errors=True)
    return killed[-1]


def clear_unfinished(results: Path) -> None:
    """Remove what killed jobs were writing; only for who is alone in the folder."""
    for file in unfinished(results):
        file.unlink(missing_ok=True)


def in_the_way(folder: Path) -> str | None:
    """Return a message on whoever else lives in a folder; None: nobody."""
    living = [record for record in others(folder) if record.lives]
    if not living:
        return None
    first = living[0]
    if Machine.here().knows(first.machine):
        todo = f"wait for it, or end it: kill {first.pid}"
    else:
        file = os.path.relpath(first.file)
        todo = f"wait for it; if it is not there any more, remove {file} and run snakemake --unlock"
    return f"another Snakemake is making these files ({first}); {todo}"
