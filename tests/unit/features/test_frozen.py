"""Regression: all features of some events, and yields of the demo's selection, as before they were expressions.

``tests/data/frozen_features.npz`` was written by the hand-written features that the table of expressions replaced.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from jetlens.config.features import FeaturesConfig
from jetlens.config.load import load
from jetlens.config.samples import read_samples
from jetlens.features import build_features
from jetlens.features.featurefile import FeatureSet
from jetlens.skim import skim_file
from tests.conftest import ROOT

FROZEN = ROOT / "tests" / "data" / "frozen_features.npz"
ABOUT = json.loads(FROZEN.with_suffix(".json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("sample", ["signal_H1000", "qcd_4b"])
def test_features_and_yields_of_the_demo(
    sample: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    config = load(ROOT / "config" / "config.yaml")
    part, source = next(iter(read_samples(config.samples)[sample].files.items()))
    parquet, cutflow = tmp_path / "part.parquet", tmp_path / "part.json"
    skim_file(source, parquet, cutflow, sample=sample, part=part, reading=config.reading, skim=config.skim)
    lines = json.loads(cutflow.read_text(encoding="utf-8"))["cuts"]
    expected = [(line["name"], line["events"], line["sum_weights"]) for line in ABOUT["cutflows"][sample]]
    assert [(line["name"], line["events"], line["sum_weights"]) for line in lines] == expected
    features = FeaturesConfig.model_validate({"streams": ABOUT["streams"], "event": ABOUT["event"]})
    build_features(parquet, tmp_path / "features", features=features, sample=sample, part=part, label=1)
    found = FeatureSet.read(tmp_path / "features")
    with np.load(FROZEN, allow_pickle=False) as frozen:
        found = found.select(np.isin(found.event_number, frozen[f"{sample}/event_number"]))
        for name in ("event_number", "fold", "weight"):
            assert np.array_equal(getattr(found, name), frozen[f"{sample}/{name}"]), name
        close("event", found.event, frozen[f"{sample}/event"], ABOUT["event"])
        for stream, values in found.streams.items():
            assert np.array_equal(found.masks[stream], frozen[f"{sample}/{stream}_mask"]), stream
            close(stream, values, frozen[f"{sample}/{stream}"], ABOUT["streams"][stream]["features"])


def close(name: str, found: np.ndarray, frozen: np.ndarray, features: list[str]) -> None:
    difference = np.abs(found - frozen) / np.maximum(1, np.abs(frozen))
    for place, feature in enumerate(features):
        assert difference[..., place].max() <= 1e-6, f"{name}: {feature}"
