from __future__ import annotations

import numpy as np
import pytest

from jetlens.inference.systematics import Systematic
from jetlens.inference.templates import Events, Region, fill_region

BACKGROUNDS = ["qcd", "ttbar", "top"]
EDGES = np.linspace(400, 2000, 17)


def events(observable, weight=1.0):
    number = len(observable)
    return Events(np.asarray(observable), np.broadcast_to(float(weight), number).copy(), np.arange(number))


def scaled(observable, weight, scale=0.03):
    """Nominal events and the same with their energy scale moved."""
    return {
        "nominal": events(observable, weight),
        "scale_up": events(observable * (1 + scale), weight),
        "scale_down": events(observable * (1 - scale), weight),
    }


@pytest.fixture(scope="session")
def fine() -> Region:
    """Four processes with known densities in fine bins."""
    rng = np.random.default_rng(7)
    return fill_region(
        "signal_region",
        {
            "signal": scaled(rng.normal(1000, 70, 3000), 0.01),
            "qcd": scaled(400 + rng.exponential(300, 6000), 0.2),
            "ttbar": scaled(400 + rng.exponential(230, 4000), 0.1),
            "top": {"nominal": events(400 + rng.exponential(200, 400), 0.1)},
        },
        EDGES,
        unit="GeV",
    )


@pytest.fixture(scope="session")
def coarse(fine) -> Region:
    return fine.rebinned([400, 700, 900, 1100, 2000])


@pytest.fixture(scope="session")
def systematics():
    return [
        Systematic("scale", ("signal", "qcd", "ttbar")),
        Systematic("xs_ttbar", ("ttbar",), "normalisation", 0.06),
    ]
