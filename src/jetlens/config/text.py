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
    file = Path(path).expanduser()
    try:
        content = file.read_bytes()
        return content.decode("utf-8-sig")  # Windows' editors and Excel put a byte-order mark in front
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"{name}is not UTF-8 text, found byte 0x{content[error.start]:02x} in line {line}; save it as UTF-8"
        ) from error
    except OSError as error:
        if file.is_symlink() and not file.exists():
            raise ConfigError(f"{name}is a link to '{file.readlink()}', which does not exist") from error
        raise ConfigError(f"{name}cannot be read: {error.strerror}") from error
