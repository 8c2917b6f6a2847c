"""The history of a training as TensorBoard reads it, written through TensorFlow; TensorBoard itself is not needed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jetlens.errors import ConfigError

PATTERN = "events.out.tfevents.*"


class TensorBoardLog:
    """Writes each epoch's record as scalars. A training that goes on adds a file; TensorBoard joins them.

    Args:
        folder: to write to; logs of an earlier training there are removed when a new one starts at its first epoch.

    Raises:
        ConfigError: if TensorFlow is not installed.
    """

    def __init__(self, folder: Path) -> None:
        """Look for TensorFlow; nothing is written before the first epoch."""
        try:
            import tensorflow as tf
        except ModuleNotFoundError as error:
            raise ConfigError(
                "training.tensorboard: the logs are written through TensorFlow, which is not installed; "
                "install 'tensorflow-cpu', or set it to false (history.csv holds the same numbers)"
            ) from error
        self.folder = folder
        self._tensorflow = tf.compat.v1
        self._writer: Any = None

    def __enter__(self) -> TensorBoardLog:
        """Return itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close the file."""
        self.close()

    def epoch(self, record: Mapping[str, float]) -> None:
        """Write one line of the history, at once."""
        v1 = self._tensorflow
        number = int(record["epoch"])
        if self._writer is None:
            if number == 1:
                for old in self.folder.glob(PATTERN):
                    old.unlink()
            with v1.Graph().as_default():  # the one writer of plain scalars that does without TensorBoard
                # two files begun within a second would otherwise have one name
                self._writer = v1.summary.FileWriter(str(self.folder), filename_suffix=f".{number}")
        values = [
            v1.Summary.Value(tag=name, simple_value=float(value))
            for name, value in record.items()
            if name != "epoch"
        ]
        self._writer.add_summary(v1.Summary(value=values), number)
        self._writer.flush()

    def close(self) -> None:
        """Close the file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
