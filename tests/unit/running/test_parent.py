"""Steps end when they are told to."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys

import pytest

from jetlens.running.parent import VARIABLE

DEAF = """
import time
from jetlens.running import parent
parent.GRACE = 0.3
parent.follow()
try:
    print("ready", flush=True)
    time.sleep(60)
except KeyboardInterrupt:  # lost, as in a callback
    time.sleep({seconds})
"""


@pytest.mark.parametrize(("seconds", "status"), [(60, 130), (0, 0)])
def test_a_lost_interrupt_ends_a_step_all_the_same(seconds: int, status: int) -> None:
    own = os.environ | {VARIABLE: f"{os.getpid()}@{socket.gethostname()}"}
    step = subprocess.Popen(
        [sys.executable, "-c", DEAF.format(seconds=seconds)],
        stdout=subprocess.PIPE,
        text=True,
        env=own,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert step.stdout is not None
    assert step.stdout.readline() == "ready\n"
    step.send_signal(signal.SIGINT)
    assert step.wait(timeout=20) == status
