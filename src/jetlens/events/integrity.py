"""Is what was read what was written? Baskets compressed with ZSTD carry no checksum, so a flipped bit may go unnoticed.

Three nets, from coarse to fine: values that no detector gives (:mod:`jetlens.events.columns`), jets that
differ from the sum of their constituents (:func:`check_sums`), and checksums, where somebody wrote them down
(:func:`verify_checksum`). Only the last one catches every change.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import vector
from numpy.typing import NDArray

from jetlens.errors import DamagedFileError

CLOSURE = 1e-6
"""Largest difference of a jet's four-momentum and that of its constituents, in units of the jet's energy."""

CHECKSUMS = "SHA256SUMS"
_BLOCK = 1 << 20


def check_sums(
    path: str, jets: Mapping[str, NDArray[Any]], offsets: NDArray[np.int64], parts: Mapping[str, NDArray[Any]]
) -> None:
    """Compare jets with the sums of their constituents, where the file's jets are such sums.

    Jets with energy corrections are not: so if fewer than half of them close, nothing is concluded. By accident, no jet
    closes to one part in a million.

    Args:
        path: the file, for the message.
        jets: ``pt``, ``eta``, ``phi``, ``mass``, each (K,).
        offsets: of the constituents per jet, (K + 1,).
        parts: the constituents' momenta, joined.

    Raises:
        DamagedFileError: if most jets close, but not all.
    """
    filled = np.diff(offsets) > 0
    if not filled.any():
        return
    first = offsets[:-1][filled]
    expected, parts_of = _components(jets), _components(parts)
    off = np.zeros(int(filled.sum()))
    for own, whole in zip(parts_of, expected, strict=True):
        off = np.maximum(off, np.abs(np.add.reduceat(own, first) - whole[filled]))
    off /= np.maximum(expected[3][filled], 1e-9)
    closes = off < CLOSURE
    if closes.mean() > 0.5 and not closes.all():
        raise DamagedFileError(
            f"{path}: {np.count_nonzero(~closes)} of {len(closes)} jets differ from the sum of their constituents, by "
            f"up to {off.max():.2g} of their energy, while the others agree; the file is damaged"
            " (reading.check_closure: false reads it nevertheless)"
        )


def _components(columns: Mapping[str, NDArray[Any]]) -> tuple[NDArray[np.float64], ...]:
    """px, py, pz, E; the energy from the others, as each of vector's own takes the hyperbolic functions again."""
    momentum = vector.array({name: columns[name] for name in ("pt", "eta", "phi", "mass")})
    three = {name: np.asarray(getattr(momentum, name)) for name in ("px", "py", "pz")}
    energy = vector.array({**three, "mass": columns["mass"]}).energy
    return *three.values(), np.asarray(energy)


def verify_checksum(path: str) -> bool:
    """Compare a local file with its line in a file ``SHA256SUMS`` beside it, as ``sha256sum`` writes it.

    Returns:
        True if there is such a line and it is right, False if there is none.

    Raises:
        DamagedFileError: if the file's content is another one.
    """
    if "://" in path:
        return False
    expected = _listed(Path(path))
    if expected is None:
        return False
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as stream:
            while block := stream.read(_BLOCK):
                digest.update(block)
    except OSError as error:
        raise DamagedFileError(f"{path}: cannot be read: {error.strerror}") from error
    if digest.hexdigest() != expected:
        raise DamagedFileError(
            f"{path}: its SHA-256 is {digest.hexdigest()[:12]}…, {CHECKSUMS} beside it says {expected[:12]}…; "
            "the file is damaged or was replaced: copy it again, or renew its checksum"
        )
    return True


def _listed(path: Path) -> str | None:
    try:
        lines = (path.parent / CHECKSUMS).read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    for line in lines:
        words = line.split(maxsplit=1)
        if len(words) == 2 and words[1].strip().lstrip("*") == path.name:
            return words[0].lower()
    return None
