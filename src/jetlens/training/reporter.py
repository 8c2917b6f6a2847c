"""Progress of a training on stderr: a live bar on a terminal, a line per epoch anywhere else."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from jetlens.progress import Publisher


class Reporter:
    """Shows loss, AUC, events per second and time left.

    Args:
        title: what is being trained, such as ``cross_attention, seed 1``.
        epochs: most epochs.
    """

    def __init__(self, title: str, epochs: int) -> None:
        """Open the bar if stderr is a terminal."""
        self.title = title
        self.started = time.perf_counter()
        self.first: int | None = None
        self.last = ""
        self.publisher = Publisher()
        self.bar: Progress | None = None
        console = Console(stderr=True)
        if console.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[text]}"))
            self.bar = Progress(*columns, TimeRemainingColumn(), console=console, transient=True)
            self.task = self.bar.add_task(title, total=epochs, text="")

    def __enter__(self) -> Reporter:
        """Start the bar."""
        if self.bar:
            self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the bar."""
        if self.bar:
            self.bar.stop()
        self.publisher.close()

    def batch(self, epoch: int, number: int, batches: int, loss: float) -> None:
        """Show the progress within an epoch."""
        self.publisher.say(
            self.last or f"{self.title}: epoch {epoch}, batch {number}/{batches}  loss {loss:.4f}"
        )
        if self.bar:
            self.bar.update(self.task, completed=epoch - 1 + number / batches, text=f"loss {loss:.4f}")

    def epoch(self, record: Mapping[str, float], epochs: int) -> None:
        """Show the result of an epoch."""
        done = int(record["epoch"])
        if self.first is None:
            self.first = done
        per_epoch = (time.perf_counter() - self.started) / (done - self.first + 1)
        line = (
            f"{self.title}: epoch {done}/{epochs}  loss {record['training_loss']:.4f}  validation loss "
            f"{record['validation_loss']:.4f}  AUC {record['validation_auc']:.4f}  "
            f"{record['events_per_second']:.0f} events/s  at most {per_epoch * (epochs - done):.0f} s left"
        )
        self.last = line
        self.publisher.say(line)
        if self.bar:
            self.bar.console.print(line)
        else:
            print(line, file=sys.stderr, flush=True)
