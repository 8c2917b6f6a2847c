"""Small real trainings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from jetlens.config.models import ModelOptions
from jetlens.config.training import TrainingConfig

TINY = {
    "kind": "self_attention",
    "stream": "jet1",
    "width": 8,
    "embedding": [8],
    "head": [8],
    "encoder": {"layers": 1, "heads": 2, "feed_forward": 8},
    "use_event": True,
}
BOOSTING = {"kind": "gradient_boosting", "streams": ["kinematics", "objects"], "iterations": 40}


def model_options(content: dict[str, Any] = TINY, **changes: Any) -> Any:
    """Return validated options."""
    return TypeAdapter(ModelOptions).validate_python({**content, **changes})


def training_config(**changes: Any) -> TrainingConfig:
    """Return a short training's settings."""
    return TrainingConfig(**{"variants": ["tiny"], "epochs": 2, "learning_rate": 0.01, **changes})


@pytest.fixture(scope="session")
def files(demo_features: dict[str, Path]) -> list[Path]:
    """The feature files, all samples."""
    return list(demo_features.values())
