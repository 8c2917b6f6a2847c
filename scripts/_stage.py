"""What every script of the workflow shares: where output goes, and how errors end."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

LEAST_MB = 100
"""Of a job's data: a batch of events, whatever their number."""

LIBRARY = Path(__file__).resolve().parents[1] / "src"
if LIBRARY.is_dir():
    sys.path.insert(0, str(LIBRARY))


@contextlib.contextmanager
def stage(snakemake: Any) -> Iterator[None]:
    """Send all output, that of compiled libraries too, to the rule's log; end errors with a message on the terminal.

    An error meant for the user ends as its one line; any other with its traceback. Numerical libraries are held to
    the threads that Snakemake granted.
    """
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(snakemake.threads)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("MPLBACKEND", "Agg")
    os.environ["PYDANTIC_ERRORS_INCLUDE_URL"] = "0"  # the last line of an error says what is wrong
    # whoever shows the run finds the message in the log; without one, it is written to the terminal
    terminal = None if "JETLENS_PROGRESS" in os.environ else os.dup(2)
    log = os.open(snakemake.log[0], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    os.dup2(log, 1)
    os.dup2(log, 2)
    try:
        from jetlens.running import parent

        parent.follow()
        yield
    except BaseException as error:
        _end(error, [log] if terminal is None else [log, terminal])


def _end(error: BaseException, targets: list[int]) -> NoReturn:
    """Say why, and leave at once: libraries' threads may not let go."""
    from jetlens.errors import JetlensError

    if isinstance(error, KeyboardInterrupt):  # the user knows
        message, targets = "jetlens: was interrupted\n", targets[:1]
    elif isinstance(error, JetlensError):
        message = f"jetlens: {error}\n"
    else:
        message = traceback.format_exc()
    sys.stderr.flush()
    for target in targets:
        os.write(target, message.encode())
    os._exit(130 if isinstance(error, KeyboardInterrupt) else 1)


def memory_gb(snakemake: Any) -> float:
    """Return what a job may hold of its data [GB]: its memory less what libraries take (``overhead_mb``).

    Memory is a resource, no parameter: to change it reruns nothing.

    Raises:
        ConfigError: if libraries leave less than ``LEAST_MB``.
    """
    found, overhead = int(snakemake.resources.mem_mb), int(snakemake.params.overhead_mb)
    if found < overhead + LEAST_MB:
        from jetlens.errors import ConfigError

        raise ConfigError(
            f"rule {snakemake.rule}: resource mem_mb is {found}, of which libraries take {overhead}: at least "
            f"{overhead + LEAST_MB} is needed; ask for it with --set-resources "
            f"{snakemake.rule}:mem_mb={overhead + LEAST_MB}, or leave it to the memory_gb of the configuration"
        )
    return (found - overhead) / 1000
