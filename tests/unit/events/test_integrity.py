from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from jetlens.config.reading import ReadingConfig
from jetlens.errors import DamagedFileError, FileError
from jetlens.events import EventReader, Jagged, open_events
from jetlens.events.integrity import CHECKSUMS, check_closure, verify_checksum
from jetlens.events.kinematics import cartesian, from_cartesian
from tests.conftest import DEMO


def jets(number: int) -> tuple[dict[str, np.ndarray], Jagged]:
    """Jets that are the sums of their constituents."""
    rng = np.random.default_rng(number)
    offsets = np.arange(number + 1) * 5
    columns = {"pt": rng.exponential(50, 5 * number), "eta": rng.normal(0, 1, 5 * number)}
    columns |= {"phi": rng.uniform(-3, 3, 5 * number), "mass": np.full(5 * number, 0.14)}
    momenta = cartesian(*(columns[name] for name in ("pt", "eta", "phi", "mass")))
    sums = from_cartesian(momenta.reshape(number, 5, 4).sum(axis=1))
    return dict(zip(("pt", "eta", "phi", "mass"), sums, strict=True)), Jagged(offsets, columns)


def test_one_jet_that_does_not_close_among_many_is_damage() -> None:
    axes, constituents = jets(20)
    check_closure("file", axes, constituents)
    axes["pt"][3] *= 1 + 1e-5
    with pytest.raises(FileError, match="1 of 20 jets differ from the sum of their constituents"):
        check_closure("file", axes, constituents)


def test_corrected_jets_are_left_alone() -> None:
    axes, constituents = jets(20)
    axes["pt"] *= 1.03
    check_closure("file", axes, constituents)
    check_closure(
        "file", {name: values[:0] for name, values in axes.items()}, Jagged(np.zeros(1, np.int64), {})
    )


def test_a_changed_constituent_is_noticed(tmp_path: Path) -> None:
    """Uncompressed damage: the value is changed after decompression, as a flipped bit in a ZSTD literal does it."""
    with open_events(str(DEMO / "ttbar_had.root"), ReadingConfig()) as reader:
        original = reader._candidates

        def changed(branch: str, start: int, stop: int) -> Jagged:
            objects = original(branch, start, stop)
            if branch == "EFlowTrack":
                hard = int(np.argmax(objects["pt"]))
                objects["pt"][hard] *= 1.001
            return objects

        reader._candidates = changed
        (chunk,) = reader.chunks()
        with pytest.raises(FileError, match="differ from the sum of their constituents"):
            chunk.constituents(chunk.collections["fat_jets"]["row"])


def changing(reader: EventReader, leaf: str, value: float) -> None:
    """Let the last value of a leaf be another one in the decompressed bytes, as a flipped bit leaves it."""
    original = reader._tree.columns

    def changed(leaves: Sequence[str], *where: object) -> dict[str, np.ndarray]:
        content = original(leaves, *where)
        if leaf in content:
            content[leaf][-1] = value
        return content

    reader._tree.columns = changed


@pytest.mark.parametrize(
    ("column", "value", "refused"),
    [
        ("pt", 1e30, "pt of 1e+30, expected 0 to 1e+06"),
        ("pt", -0.5, "pt of -0.5"),
        ("pt", np.nan, "pt that is no number"),
        ("eta", 999.9, ""),
        ("eta", -1e5, "eta of -100000"),
        ("phi", 1e20, "phi of 1e+20"),
        ("phi", -3.1416016, ""),
        ("mass", -1e-3, ""),
        ("mass", -1e30, "mass of -1e+30"),
        ("mass", np.inf, "mass that is no number"),
    ],
)
def test_values_that_no_detector_gives(column: str, value: float, refused: str) -> None:
    leaf = {"pt": "PT", "eta": "Eta", "phi": "Phi", "mass": "Mass"}[column]
    with open_events(str(DEMO / "ttbar_had.root"), ReadingConfig()) as reader:
        changing(reader, f"FatJet.{leaf}", value)
        if not refused:
            next(reader.chunks())
            return
        with pytest.raises(DamagedFileError, match=re.escape(f"branch 'FatJet' has a {refused}")):
            next(reader.chunks())


@pytest.mark.parametrize("leaf", ["MissingET.MET", "MissingET.Phi", "ScalarHT.HT"])
def test_missing_momenta_that_no_detector_gives(leaf: str) -> None:
    with open_events(str(DEMO / "ttbar_had.root"), ReadingConfig()) as reader:
        changing(reader, leaf, -1e9)
        with pytest.raises(DamagedFileError, match=f"branch '{leaf}' has a (met|phi|ht) of -1e"):
            next(reader.chunks())


def test_checksums(tmp_path: Path) -> None:
    file = tmp_path / "a.root"
    file.write_bytes(b"content")
    assert not verify_checksum(str(file))
    assert not verify_checksum("https://example.org/a.root")
    (tmp_path / CHECKSUMS).write_text(f"{hashlib.sha256(b'content').hexdigest()}  a.root\n")
    assert verify_checksum(str(file))
    file.write_bytes(b"c0ntent")
    with pytest.raises(FileError, match="SHA256SUMS beside it says"):
        verify_checksum(str(file))


def test_the_demo_files_are_those_that_were_committed() -> None:
    files = sorted(DEMO.glob("*.root"))
    assert len(files) == 7
    assert all(verify_checksum(str(file)) for file in files)
