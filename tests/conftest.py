"""What tests share: where the demo files and the larger, optional test data are."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "resources" / "demo"
SHARED = ROOT.parent / "shared" / "data"


def shared_data(name: str) -> Path:
    """Return a file of the optional test data beside the checkout; skip the test where it is absent."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"optional test data not here: ../shared/data/{name}")
    return path
