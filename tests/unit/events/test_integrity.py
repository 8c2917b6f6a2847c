from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

import awkward as ak
import numpy as np
import pytest

from jetlens.config.reading import ReadingConfig
from jetlens.errors import DamagedFileError, FileError
from jetlens.events import EventFile
from jetlens.events.integrity import CHECKSUMS, check_sums, verify_checksum
from tests.conftest import DEMO


def jets(number: int) -> tuple[dict[str, np.ndarray], np.ndarray, dict[str, np.ndarray]]:
    """Jets that are the sums of their constituents."""
    rng = np.random.default_rng(number)
    columns = {"pt": rng.exponential(50, 5 * number), "eta": rng.normal(0, 1, 5 * number)}
    columns |= {"phi": rng.uniform(-3, 3, 5 * number), "mass": np.full(5 * number, 0.14)}
    total = ak.sum(ak.unflatten(ak.zip(columns, with_name="Momentum4D"), 5), axis=1)
    axes = {name: np.array(getattr(total, name)) for name in ("pt", "eta", "phi", "mass")}
    return axes, np.arange(number + 1) * 5, columns


def test_one_jet_that_does_not_close_among_many_is_damage() -> None:
    axes, offsets, constituents = jets(20)
    check_sums("file", axes, offsets, constituents)
    axes["pt"][3] *= 1 + 1e-5
    with pytest.raises(FileError, match="1 of 20 jets differ from the sum of their constituents"):
        check_sums("file", axes, offsets, constituents)


def test_corrected_jets_are_left_alone() -> None:
    axes, offsets, constituents = jets(20)
    axes["pt"] *= 1.03
    check_sums("file", axes, offsets, constituents)
    none = {name: values[:0] for name, values in axes.items()}
    check_sums("file", none, np.zeros(1, np.int64), none)


def changing(file: EventFile, leaf: str, value: float | None) -> None:
    """Let a value of a leaf be another one in the decompressed bytes, as a flipped bit leaves it.

    The last one is set to ``value``; without that, the largest one grows by a thousandth.
    """
    tree = file.source._tree  # type: ignore[attr-defined]
    original = tree.columns

    def changed(leaves: Sequence[str], *where: object) -> dict[str, np.ndarray]:
        content = original(leaves, *where)
        if leaf in content and value is None:
            content[leaf][int(np.argmax(content[leaf]))] *= 1.001
        elif leaf in content:
            content[leaf][-1] = value
        return content

    tree.columns = changed


def test_a_changed_constituent_is_noticed() -> None:
    with ReadingConfig(leading_jets=100).open(str(DEMO / "ttbar_had.root")) as file:
        changing(file, "EFlowTrack.PT", None)
        with pytest.raises(FileError, match="differ from the sum of their constituents"):
            next(iter(file))


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
    with ReadingConfig().open(str(DEMO / "ttbar_had.root")) as file:
        changing(file, f"FatJet.{leaf}", value)
        if not refused:
            next(file.batches())
            return
        with pytest.raises(DamagedFileError, match=re.escape(f"branch 'FatJet.{leaf}' has a {refused}")):
            next(file.batches())


@pytest.mark.parametrize("leaf", ["MissingET.MET", "MissingET.Phi", "ScalarHT.HT"])
def test_missing_momenta_that_no_detector_gives(leaf: str) -> None:
    with ReadingConfig().open(str(DEMO / "ttbar_had.root")) as file:
        changing(file, leaf, -1e9)
        with pytest.raises(DamagedFileError, match=f"branch '{leaf}' has a (pt|phi|ht) of -1e"):
            next(file.batches())


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
