"""Benchmarks are run by hand: what they take from the demo's configuration must still fit."""

from __future__ import annotations

import runpy

import pytest

from tests.conftest import ROOT


@pytest.mark.parametrize("name", ["mass_hypothesis", "memory", "variations"])
def test_its_configuration_is_valid(name: str) -> None:
    assert runpy.run_path(str(ROOT / "benchmarks" / f"{name}.py"))["configuration"]()
