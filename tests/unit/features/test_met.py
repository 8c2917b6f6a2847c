"""The second analysis, without fat jets: config/met.yaml on its own events."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from jetlens.config.features import FeaturesConfig
from jetlens.config.reading import ReadingConfig
from jetlens.config.samples import read_samples
from jetlens.config.skim import SkimConfig
from jetlens.features import build_features
from jetlens.features.featurefile import FeatureSet
from jetlens.skim import skim_file
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def signal_and_background(tmp_path_factory: pytest.TempPathFactory) -> list[FeatureSet]:
    folder: Path = tmp_path_factory.mktemp("met")
    content = yaml.safe_load((ROOT / "config" / "met.yaml").read_text(encoding="utf-8"))
    reading = ReadingConfig.model_validate(content["reading"])
    skim = SkimConfig.model_validate(content["skim"])
    features = FeaturesConfig.model_validate(content["features"])
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        samples = read_samples(content["samples"])
        sets = []
        for name in ("zh_nunubb", "znunu_jets"):
            ((part, source),) = samples[name].files.items()
            names = [folder / f"{name}{suffix}" for suffix in (".parquet", ".json", "")]
            skim_file(source, names[0], names[1], sample=name, part=part, reading=reading, skim=skim)
            build_features(names[0], names[2], features=features, sample=name, part=part, label=0)
            sets.append(FeatureSet.read(names[2]))
    return sets


def test_selected_events(signal_and_background: list[FeatureSet]) -> None:
    """The counts of a selection written with awkward arrays and vector, apart from this package."""
    assert [len(features) for features in signal_and_background] == [307, 208]


def test_the_higgs_boson_is_in_the_pair_of_jets(signal_and_background: list[FeatureSet]) -> None:
    medians, tags = [], []
    for features in signal_and_background:
        tokens = features.metadata.streams["kinematics"]
        assert tokens.tokens[2] == "jets[0]+jets[1]"
        assert features.masks["kinematics"].all()
        mass = np.exp(features.streams["kinematics"][:, 2, tokens.features.index("log_mass")])
        medians.append(np.mean((mass > 90) & (mass < 150)))
        tags.append(features.event[:, features.metadata.event.features.index("n_b_jets")].mean())
    assert medians[0] > 2 * medians[1]
    assert tags[0] > 4 * tags[1]
