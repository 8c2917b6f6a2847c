"""Reading text files that users write."""

from __future__ import annotations

import os
from pathlib import Path

from jetlens.errors import ConfigError


def read_text(path: str | os.PathLike[str], what: str = "") -> str:
    """Return the content of a text file in UTF-8.

    Args:
        path: the file.
        what: what it is, and where it is named, for messages.

    Raises:
        ConfigError: if it cannot be read, or is in another encoding.
    """
    name = f"{path}: {what + ' ' if what else ''}"
    try:
        content = Path(path).read_bytes()
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"{name}is not UTF-8 text, found byte 0x{content[error.start]:02x} in line {line}; save it as UTF-8"
        ) from error
    except OSError as error:
        raise ConfigError(f"{name}cannot be read: {error.strerror}") from error
