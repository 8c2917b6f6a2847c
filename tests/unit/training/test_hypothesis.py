"""Mass hypotheses: what is drawn, what stays, and that the mass alone tells nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from pydantic import TypeAdapter

from jetlens.config.evaluation import EvaluationConfig
from jetlens.config.features import FeaturesConfig
from jetlens.config.load import load
from jetlens.config.models import ModelOptions
from jetlens.config.training import TrainingConfig
from jetlens.errors import ConfigError, FileError
from jetlens.evaluation import evaluate
from jetlens.expressions.feature import MASS_FEATURE
from jetlens.features import build_event
from jetlens.features.featurefile import FeatureSet, Part
from jetlens.features.normalisation import Normalisation
from jetlens.inference.data import write_data
from jetlens.inference.scored import PartFiles, Scorer, write_events
from jetlens.trained import load_model, score
from jetlens.trained.recipe import Recipe
from jetlens.trained.scoring import at_hypothesis, prepared, recipe_of
from jetlens.training import train
from jetlens.training.boosting import whole
from jetlens.training.data import Dataset
from jetlens.training.hypothesis import Hypotheses
from tests.conftest import DEMO, ROOT

MASSES = [800.0, 1000.0, 2000.0]
CONFIG = load(ROOT / "config" / "config.yaml")
FEATURES = FeaturesConfig.model_validate(
    {**CONFIG.features.model_dump(), "event": [*CONFIG.features.event, MASS_FEATURE]}
)


@pytest.fixture(scope="module")
def parts(demo_features: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The demo's features with a mass: of its one signal, 1000 GeV, and as if there were one of 2000 GeV, too."""
    folder, made = tmp_path_factory.mktemp("hypotheses"), {}
    recipe = FEATURES.event_recipe(hypotheses=[2000, 800, 1000, 800])
    assert recipe.hypotheses == MASSES
    for name, own, mass in (
        ("signal_H1000", "signal_H1000", 1000.0),
        ("signal_H1000", "signal_H2000", 2000.0),
        ("ttbar_had", "ttbar_had", None),
    ):
        made[own] = folder / own
        made[own].mkdir()
        (made[own] / "kinematics.npz").symlink_to(demo_features[name] / "kinematics.npz")
        build_event(
            demo_features[name].with_suffix(".parquet"),
            made[own] / "event.npz",
            recipe=recipe,
            sample=name,
            part="p",
            label=int(mass is not None),
            mass=mass,
        )
    return made


def masses_of(path: Path) -> Any:
    found = FeatureSet.read(path, [])
    return np.exp(found.event[:, found.metadata.event.features.index(MASS_FEATURE)])


def test_a_signal_has_its_own_and_background_draws(parts: dict[str, Path]) -> None:
    assert np.allclose(masses_of(parts["signal_H2000"]), 2000)
    drawn = masses_of(parts["ttbar_had"])
    shares = [np.isclose(drawn, mass).mean() for mass in MASSES]
    assert sum(shares) == 1
    assert np.allclose(shares, 1 / 3, atol=5 * np.sqrt(2 / 9 / len(drawn)))


def test_without_masses_it_is_told(demo_features: dict[str, Path], tmp_path: Path) -> None:
    skim = demo_features["ttbar_had"].with_suffix(".parquet")
    recipe = FEATURES.event_recipe()
    with pytest.raises(ConfigError, match="no signal with a mass says what it can be"):
        build_event(skim, tmp_path / "e.npz", recipe=recipe, sample="s", part="p", label=0)
    own = {"of": "event", "expression": "ht / mass_hypothesis"}
    with pytest.raises(ValueError, match="mass_hypothesis is read by the feature log_mass_hypothesis"):
        FeaturesConfig.model_validate({**FEATURES.model_dump(), "define": {"ratio": own}})


def test_background_is_drawn_as_often_as_signal_weighs(parts: dict[str, Path]) -> None:
    data = Dataset(list(parts.values()), ["kinematics"], "training")
    hypotheses = Hypotheses.of(data)
    assert hypotheses is not None
    assert np.allclose(np.exp(hypotheses.values), [1000, 2000])  # 800 is nobody's
    assert np.allclose(hypotheses.share, 0.5, atol=0.01)
    events = whole(data)
    first, second = (hypotheses.redrawn(events, np.random.default_rng(seed)) for seed in (1, 2))
    column, background = hypotheses.column, events.label == 0
    for drawn in (first, second):
        assert np.array_equal(drawn.inputs["event"][~background], events.inputs["event"][~background])
        others = np.delete(np.arange(events.inputs["event"].shape[1]), column)
        assert np.array_equal(drawn.inputs["event"][:, others], events.inputs["event"][:, others])
        share = np.isclose(np.exp(drawn.inputs["event"][background, column]), 2000).mean()
        assert share == pytest.approx(0.5, abs=5 * 0.5 / np.sqrt(background.sum()))
    assert not np.array_equal(first.inputs["event"], second.inputs["event"])
    assert np.isclose(np.exp(events.inputs["event"][background, column]), 800).any()  # it is left as it was


def test_events_are_scored_at_every_hypothesis(
    parts: dict[str, Path], demo_features: dict[str, Path], tmp_path: Path
) -> None:
    options = {"kind": "gradient_boosting", "streams": ["kinematics"], "iterations": 30, "use_event": True}
    inputs = list(parts.values())
    train(
        inputs,
        tmp_path / "seed1",
        variant="trees",
        options=TypeAdapter(ModelOptions).validate_python(options),
        training=TrainingConfig(variants=["trees"], seeds=[1]),
        seed=1,
        recipe=Recipe(reading=CONFIG.reading, skim=CONFIG.skim, features=FEATURES),
    )
    scales = {name: {"process": name, "scale": 1.0} for name in ("signal_H1000", "ttbar_had")}
    evaluate(
        [tmp_path / "seed1"],
        inputs,
        tmp_path,
        variant="trees",
        normalisation=Normalisation.model_validate({"luminosity_fb": 1.0, "samples": scales}),
        evaluation=EvaluationConfig(bootstrap=2),
    )
    scorer = Scorer([tmp_path / "seed1"], tmp_path / "scores.npz", masses=[1000.0, 2000.0])
    files = PartFiles(parts["ttbar_had"], demo_features["ttbar_had"].with_suffix(".parquet"))
    write_events([files], tmp_path / "o.parquet", scorer=scorer, observables={"mass": "fat_jets[0].mass"})
    found = pq.read_table(tmp_path / "o.parquet").to_pandas()
    assert list(found) == ["event", "event_number", "fold", "weight", "score_m1000", "score_m2000", "mass"]
    # both signals are the same events: nothing depends on the hypothesis but by chance
    assert np.corrcoef(found.score_m1000, found.score_m2000)[0, 1] > 0.9
    with pytest.raises(FileError, match="new files come without a hypothesis"):
        score(tmp_path / "seed1", [str(DEMO / "qcd_4b.root")], tmp_path / "s.npz")
    source = str(DEMO / "ttbar_had.root")
    models, trees = [tmp_path / "seed1"], tmp_path / "scores.npz"
    write_data(models, trees, [source], tmp_path / "d.parquet", observables={}, masses=[1000.0, 2000.0])
    data = pq.read_table(tmp_path / "d.parquet").to_pandas()
    for mass in (1000.0, 2000.0):
        score(models, [source], tmp_path / "s.npz", mass=mass)
        with np.load(tmp_path / "s.npz", allow_pickle=False) as new:
            assert new["mass_hypothesis"].tolist() == [mass]
            own = new["logit"]
        # alike but for the common scale of rotations
        assert np.corrcoef(own, data[f"score_m{mass:g}"])[0, 1] > 1 - 1e-9
    score(models, [source], tmp_path / "several.npz", mass=[1000.0, 2000.0, 1000.0])
    with np.load(tmp_path / "several.npz", allow_pickle=False) as several:
        assert several["mass_hypothesis"].tolist() == [1000.0, 2000.0]
        assert "logit" not in several
        # digit by digit what the call at one of them gives
        assert several["logit_m2000"].tolist() == own.tolist()
        assert several["logits_m1000"].shape == (1, len(own))
    model = load_model(models[0])
    with prepared([model], source, recipe_of([model], models), 1500.0) as file:
        assert np.allclose(masses_of(file.features), 1500)
        part = Part(file.features, ["kinematics"])
        event, features = part.rows(0, 5)["event"], part.metadata.event.features
        moved = at_hypothesis(event, features, 800.0) != event
        assert moved.all(axis=0).tolist() == [name == MASS_FEATURE for name in features]
        assert np.allclose(np.exp(at_hypothesis(event, features, 800.0)[moved]), 800)
