"""Each format from inspection to ROC curve and explanation, on files written here in exactly the public layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import yaml

from jetlens.config.features import FeaturesConfig
from jetlens.config.load import load
from jetlens.config.preflight import preflight
from jetlens.config.reading import ReadingConfig
from jetlens.config.samples import class_of, read_samples
from jetlens.config.skim import SkimConfig
from jetlens.errors import JetlensWarning
from jetlens.evaluation import evaluate
from jetlens.events.inspect import inspect_file
from jetlens.explanation import explain
from jetlens.features.build import build_features
from jetlens.features.featurefile import FeatureSet
from jetlens.features.normalisation import Normalisation
from jetlens.files import read_json
from jetlens.skim import read_skim, skim_file
from jetlens.training import train
from tests.conftest import ROOT, shared_data
from tests.unit.events.test_formats import FORMATS, schema_of

WHERE = {
    "jetclass": ("label_Hbb", "label_QCD"),
    "top_tagging": ("is_signal_new", "~is_signal_new"),
    "energyflow": ("is_quark", "~is_quark"),
    **dict.fromkeys(
        ("jet_arrays", "nanoaod", "nanoaod_rntuple"), ("event_number < 200", "event_number >= 200")
    ),
    "jetclass2": ("label == 1", "label == 0"),
}
"""How the two classes of one file are told apart."""


def two_kinds_of_jets(label: np.ndarray) -> Any:
    """Jets whose constituents are wide apart in the one class and close in the other."""
    rng = np.random.default_rng(1)
    shape = len(label), 6
    pt = np.sort(rng.exponential(20, shape) + 1, axis=1)[:, ::-1]
    width = np.where(label, 0.25, 0.1)[:, np.newaxis]
    columns = {"pt": pt, "mass": 0 * pt}
    columns |= {name: width * rng.normal(size=shape) for name in ("eta", "phi")}
    return ak.zip({k: ak.from_regular(v) for k, v in columns.items()}, with_name="Momentum4D")


SMALL: dict[str, Any] = {
    "skim": {"cuts": [{"name": "pT", "cut": "fat_jets[0].pt > 5"}]},
    "explanation": {
        "variants": ["small"],
        "events": 20,
        "display_events": 1,
        "test_events": 2,
        "methods": ["leave_one_out", "attention"],
    },
    "figures": {"kinematics": {"mass": {"quantity": "fat_jets[0].mass", "label": "m", "min": 0, "max": 100}}},
}
NETWORK: dict[str, Any] = {
    "kind": "self_attention",
    "stream": "jet",
    "width": 8,
    "embedding": [8],
    "head": [8],
    "encoder": {"layers": 1, "heads": 2, "feed_forward": 8},
}
TREES = {"kind": "gradient_boosting", "streams": ["jet"], "iterations": 30}
STREAM = {
    "kind": "constituents",
    "max_tokens": 8,
    "features": ["delta_eta", "delta_phi", "delta_r", "log_pt", "log_pt_fraction"],
}


def configuration(folder: Path, schema: str, model: dict[str, Any]) -> Path:
    """The demo's, with one stream of constituents and one small model."""
    content = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8")) | SMALL
    content |= {"samples": str(folder / "samples.tsv"), "reading": {"format": schema}}
    content |= {"models": {"small": model}}
    content["features"] |= {"streams": {"jet": STREAM}, "event": ["n_fat_jets"]}
    content["training"] |= {"variants": ["small"], "seeds": [1], "epochs": 3, "patience": 3}
    content["training"] |= {"augmentation": [], "learning_rate": 0.02}
    content["evaluation"] |= {"bootstrap": 20}
    content |= {"inference": {}, "variations": {}}
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", FORMATS)
def test_from_inspection_to_explanation(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    number, network = np.arange(400), name == "jet_arrays"  # trees for the others, which cost less
    halves = WHERE[name][0].startswith("event_number")
    label = number < 200 if halves else number % 2 == (name != "jetclass")
    file, write = FORMATS[name]
    source = tmp_path / file
    monkeypatch.setattr("tests.unit.events.test_formats.JETS", len(label))
    write(source, two_kinds_of_jets(label))
    summary = inspect_file(str(source))
    assert summary.format == schema_of(name)
    metrics, explained = analysed(
        tmp_path, source, summary.format, WHERE[name], NETWORK if network else TREES
    )
    assert metrics["auc"] > 0.7
    assert (tmp_path / "evaluation" / "roc.csv").exists()
    assert {"leave_one_out.npz", "attention.npz" if network else "tree_shapley.npz"} <= explained


def analysed(
    folder: Path, source: Path, schema: str, where: tuple[str, str], model: dict[str, Any]
) -> tuple[dict[str, Any], set[str]]:
    """A small analysis of one file: metrics, and the names of the files of its explanation."""
    lines = ["sample\tprocess\trole\tfiles\tcross_section_pb\twhere"]
    lines += [
        f"{r}\t{r}\t{r}\t{source}\t1\t{w}" for r, w in zip(("signal", "background"), where, strict=True)
    ]
    (folder / "samples.tsv").write_text("\n".join(lines) + "\n")
    config = load(configuration(folder, schema, model))
    samples = read_samples(config.samples)
    preflight(config, samples)
    parts, flows = [], []
    for sample in samples.values():
        (part,), skim = sample.files, folder / f"{sample.name}.parquet"
        flows.append(folder / f"{sample.name}.json")
        skim_file(
            str(source),
            skim,
            flows[-1],
            sample=sample.name,
            part=part,
            reading=config.reading,
            skim=config.skim,
            where=sample.where,
        )
        parts.append(folder / "features" / sample.name / part)
        build_features(
            skim, parts[-1], features=config.features, sample=sample.name, part=part, label=class_of(sample)
        )
    trained = folder / "small" / "seed1"
    train(parts, trained, variant="small", options=config.models["small"], training=config.training, seed=1)
    scale = Normalisation.of(flows, list(samples.values()), config.luminosity_fb)
    evaluate(
        [trained],
        parts,
        folder / "evaluation",
        variant="small",
        normalisation=scale,
        evaluation=config.evaluation,
    )
    explain(
        [trained],
        parts,
        folder / "explanation",
        variant="small",
        normalisation=scale,
        explanation=config.explanation,
    )
    explained = {path.name for path in (folder / "explanation").iterdir()}
    return read_json(folder / "evaluation" / "metrics.json"), explained


def test_jetclass2_as_its_authors_wrote_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred jets, of too many kinds to be told apart; two lots of labels, so that all folds have both."""
    monkeypatch.chdir(ROOT)
    source = shared_data("foreign_formats/jetclass2_example.parquet")
    schema = inspect_file(str(source)).format
    with pytest.warns(JetlensWarning, match="errors are large"):
        metrics, explained = analysed(tmp_path, source, schema, ("label < 100", "label >= 100"), TREES)
    assert 0 <= metrics["auc"] <= 1
    assert "tree_shapley.npz" in explained


@pytest.mark.parametrize(
    "name",
    [
        "delphes_jetclass2_card_10_events",
        "nano_dy_rntuple",
        "pfnano",
        "test_FCC_Winter2023",
    ],
)
def test_files_of_other_makers_from_inspection_to_features(name: str, tmp_path: Path) -> None:
    """Whatever is proposed for a file reads all of it, and its jets have features."""
    source = str(shared_data(f"foreign_formats/{name}.root"))
    summary = inspect_file(source)
    reading = ReadingConfig.model_validate(summary.reading or {"format": summary.schema})
    paths = tmp_path / "a.parquet", tmp_path / "a.json"
    skim_file(source, *paths, sample="s", part="p", reading=reading, skim=SkimConfig(cuts=[]))
    events = read_skim(paths[0])
    assert len(events) == summary.events
    jets = "jets" if "jets" in events.fields else "jet"
    streams: dict[str, Any] = {
        "objects": {"kind": "objects", "max_objects": {jets: 4}, "features": ["log_pt", "eta"]}
    }
    if summary.reading and reading.leading_jets:
        streams["jet"] = STREAM
    own = {"ht_jets": {"of": "event", "expression": f"sum({jets}.pt)"}}
    features = FeaturesConfig.model_validate({"define": own, "streams": streams, "event": ["ht_jets"]})
    build_features(paths[0], tmp_path / "f", features=features, sample="s", part="p", label=0)
    found = FeatureSet.read(tmp_path / "f")
    assert np.array_equal(found.masks["objects"].sum(axis=1), np.minimum(ak.num(events[jets]), 4))
    assert all(np.isfinite(values).all() for values in found.streams.values())
    assert all(mask.any() for mask in found.masks.values())
    assert np.allclose(found.event[:, 0], ak.sum(events[jets].pt, axis=1), rtol=1e-5)
