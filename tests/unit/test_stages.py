"""A reminder: results that change are to come with a higher number of their stage.

``stages.json`` holds small results of every stage with the number they were made under. Where this test fails, either a
change was not meant, or ``STAGE`` in :mod:`jetlens.config.slices` is to be raised for the stage, so that everybody's
results are made again; then renew the file: ``JETLENS_RENEW=1 pytest tests/unit/test_stages.py``.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jetlens.config.evaluation import EvaluationConfig, FiguresConfig, Histogram
from jetlens.config.load import load
from jetlens.config.slices import STAGE
from jetlens.features.featurefile import FeatureSet
from jetlens.features.normalisation import Normalisation
from jetlens.files import read_json
from tests.conftest import DEMO, DEMO_SAMPLES, ROOT

FROZEN = Path(__file__).with_name("stages.json")
TOLERANCE = {"training": 0.03, "explanation": 0.05}
"""Relative; networks trained elsewhere differ by the order in which sums are made."""
Numbers = dict[str, float]


def of_array(values: Any) -> Iterator[tuple[str, float]]:
    flat = np.asarray(values, dtype=np.float64).ravel()
    yield "size", float(flat.size)
    if flat.size:
        yield "mean", float(flat.mean())
        yield "deviation", float(flat.std())


def of_column(name: str, column: pa.Array) -> Iterator[tuple[str, float]]:
    """Numbers of a column of any nesting."""
    if pa.types.is_struct(column.type):
        for field in column.type:
            yield from of_column(f"{name}.{field.name}", column.field(field.name))
    elif pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        yield from of_column(name, column.flatten())
    elif column.type != pa.string():
        yield from ((f"{name}: {what}", value) for what, value in of_array(column.to_numpy(False)))


def of_json(name: str, content: Any) -> Iterator[tuple[str, float]]:
    if isinstance(content, dict | list):
        for key, value in content.items() if isinstance(content, dict) else enumerate(content):
            if key != "training_seconds":
                yield from of_json(f"{name}.{key}", value)
    elif isinstance(content, int | float):
        yield name, float(content)


def skim(folders: Mapping[str, Path], **_: Any) -> Numbers:
    folder = folders["ttbar_had"]
    table = pq.read_table(folder.with_suffix(".parquet")).combine_chunks()
    numbers = dict(of_json("cutflow", read_json(folder.with_suffix(".json"))["cuts"]))
    for name in table.column_names:
        numbers |= of_column(name, table[name].combine_chunks())
    return numbers


def features(folders: Mapping[str, Path], normalisation: Normalisation, **_: Any) -> Numbers:
    numbers = dict(of_json("normalisation", normalisation.model_dump(mode="json")))
    for path in sorted(folders["ttbar_had"].iterdir()):
        with np.load(path) as arrays:
            for name in arrays.files:
                if arrays[name].ndim:
                    numbers |= {f"{path.stem}.{name}: {k}": v for k, v in of_array(arrays[name])}
    return numbers


def training(folders: Mapping[str, Path], models: Mapping[str, list[Path]], **_: Any) -> Numbers:
    from jetlens.trained import load_model

    events = FeatureSet.read(folders["ttbar_had"])
    numbers: Numbers = {}
    for name, trained in models.items():
        values = of_array(load_model(trained[0]).predict_logits(events))
        numbers |= {f"{name}: {what}": value for what, value in values}
    return numbers


def evaluation(
    folders: Mapping[str, Path],
    normalisation: Normalisation,
    models: Mapping[str, list[Path]],
    tmp_path: Path,
) -> Numbers:
    from jetlens.evaluation import evaluate

    evaluate(
        models["trees"],
        list(folders.values()),
        tmp_path,
        variant="trees",
        normalisation=normalisation,
        evaluation=EvaluationConfig(bootstrap=20),
    )
    return dict(of_json("metrics", read_json(tmp_path / "metrics.json")))


def inference(
    folders: Mapping[str, Path],
    normalisation: Normalisation,
    models: Mapping[str, list[Path]],
    tmp_path: Path,
) -> Numbers:
    from jetlens.inference.yields import write_significance

    evaluation(folders, normalisation, models, tmp_path)
    write_significance({"trees": tmp_path / "scores.npz"}, tmp_path / "a.csv", background_uncertainty=0.1)
    with (tmp_path / "a.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    names = ("events", "yield", "yield_low", "yield_high", "significance")
    return {f"{name}: {k}": v for name in names for k, v in of_array([float(r[name] or 0) for r in rows])}


def application(folders: Mapping[str, Path], tmp_path: Path, **_: Any) -> Numbers:
    from pydantic import TypeAdapter

    from jetlens.config.models import ModelOptions
    from jetlens.config.training import TrainingConfig
    from jetlens.trained import score
    from jetlens.trained.recipe import Recipe
    from jetlens.training import train

    config = load(ROOT / "config" / "config.yaml")
    options = {"kind": "gradient_boosting", "streams": ["kinematics"], "iterations": 5}
    train(
        list(folders.values()),
        tmp_path / "seed1",
        variant="trees",
        options=TypeAdapter(ModelOptions).validate_python(options),
        training=TrainingConfig(variants=["trees"], seeds=[1]),
        seed=1,
        recipe=Recipe(reading=config.reading, skim=config.skim, features=config.features),
    )
    score(tmp_path / "seed1", [str(DEMO / "qcd_4b.root")], tmp_path / "scores.npz")
    with np.load(tmp_path / "scores.npz") as arrays:
        names = ("logit", "weight", "generated_weight", "event_number")
        return {f"{name}: {k}": v for name in names for k, v in of_array(arrays[name])}


def explanation(
    folders: Mapping[str, Path], normalisation: Normalisation, models: Mapping[str, list[Path]], **_: Any
) -> Numbers:
    from jetlens.config.explanation import ExplanationConfig
    from jetlens.evaluation.testset import read_test_set
    from jetlens.explanation.gradcam import gradcam
    from jetlens.trained import load_model

    trained = load_model(models["network"][0])
    events = read_test_set(list(folders.values()), normalisation, 20, trained.streams).features
    constituents = sum(events.masks[name].shape[1] for name in ("jet1", "jet2"))
    value = gradcam(trained, events, ExplanationConfig(variants=[])).value[0, :, :constituents]
    return dict(of_array(np.stack([np.maximum(value, 0), np.maximum(-value, 0)])))


def figures(folders: Mapping[str, Path], tmp_path: Path, **_: Any) -> Numbers:
    from jetlens.figures.kinematics import draw_kinematics
    from jetlens.figures.palette import process_looks

    draw_kinematics(
        [folder.with_suffix(".parquet") for folder in folders.values()],
        [folder / "event.npz" for folder in folders.values()],
        next(iter(folders.values())).parent / "normalisation.json",
        [tmp_path / "a.pdf"],
        tmp_path / "a.csv",
        histogram=Histogram(quantity="fat_jets[0].mass", label="m", bins=10, min=0, max=300),
        processes=process_looks(FiguresConfig(), {sample.name: sample for sample in DEMO_SAMPLES}),
        luminosity_fb=3000,
        figures=FiguresConfig(),
    )
    with (tmp_path / "a.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    names = ("low", "high", "events", "error")
    return {f"{name}: {k}": v for name in names for k, v in of_array([float(r[name]) for r in rows])}


RESULTS: dict[str, Callable[..., Numbers]] = {
    each.__name__: each
    for each in (skim, features, training, evaluation, application, explanation, inference, figures)
}


def test_every_stage_with_a_number_is_held_to_it() -> None:
    assert set(RESULTS) == set(STAGE)


@pytest.mark.parametrize("stage", RESULTS)
def test_results_are_those_of_the_stages_number(
    stage: str,
    demo_features: dict[str, Path],
    normalisation: Normalisation,
    demo_trees: list[Path],
    demo_networks: list[Path],
    tmp_path: Path,
) -> None:
    models = {"trees": demo_trees, "network": demo_networks}
    found = RESULTS[stage](
        folders=demo_features, normalisation=normalisation, models=models, tmp_path=tmp_path
    )
    frozen = json.loads(FROZEN.read_text(encoding="utf-8")) if FROZEN.exists() else {}
    if os.environ.get("JETLENS_RENEW"):
        frozen[stage] = {
            "number": STAGE[stage],
            "results": {name: float(f"{value:.6g}") for name, value in found.items()},
        }
        text = json.dumps(
            {name: frozen[name] for name in RESULTS if name in frozen}, indent=1, ensure_ascii=False
        )
        FROZEN.write_text(text + "\n", encoding="utf-8")
        return
    held = frozen[stage]
    assert held["number"] == STAGE[stage], f"the number of '{stage}' was raised; renew {FROZEN.name}"
    expected = held["results"]
    wrong = [
        name
        for name in expected.keys() | found.keys()
        if name not in expected
        or name not in found
        or not np.isclose(found[name], expected[name], rtol=TOLERANCE.get(stage, 1e-3), atol=1e-4)
    ]
    assert not wrong, (
        f"results of '{stage}' have changed ({', '.join(sorted(wrong)[:5])}): if that is meant, raise "
        f"STAGE['{stage}'] in src/jetlens/config/slices.py and renew {FROZEN.name}"
    )
