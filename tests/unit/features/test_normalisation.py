"""Classes and normalisation: what is said of whole samples, once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jetlens.config.samples import Sample
from jetlens.errors import FileError
from jetlens.features.classes import Classes
from jetlens.features.featurefile import FeatureSet, Part
from jetlens.features.normalisation import Normalisation

SAMPLE = Sample("ttbar_had", "tt", "background", {"p": "x.root"}, 18.29, mass_gev=173.0)


def flow(folder: Path, part: str, events: int, **changes: Any) -> Path:
    sums = {"name": "all events", "events": events, "sum_weights": 2.0 * events, "sum_weights_squared": 1.0}
    path = folder / f"{part}.json"
    path.write_text(json.dumps({"sample": "ttbar_had", "part": part, "cuts": [sums]} | changes))
    return path


def test_weights_are_normalised_once_over_all_parts(tmp_path: Path) -> None:
    flows = [flow(tmp_path, "p", 1000), flow(tmp_path, "q", 3000)]
    Normalisation.of(flows, [SAMPLE], 3000.0).write(tmp_path / "normalisation.json")
    read = Normalisation.read(tmp_path / "normalisation.json")
    assert read.luminosity_fb == 3000
    assert read.of_sample("ttbar_had").process == "tt"
    assert read.of_sample("ttbar_had").scale == pytest.approx(18.29 * 3e6 / 8000)
    with pytest.raises(FileError, match="sample 'other': has no normalisation, found: ttbar_had"):
        read.of_sample("other")


def test_events_get_their_samples_scale(demo_features: dict[str, Path], normalisation: Normalisation) -> None:
    raw = FeatureSet.read(demo_features["ttbar_had"], [])
    assert np.array_equal(raw.weight, np.ones(len(raw)))
    # 20 pb, 3000/fb, 900 generated events
    np.testing.assert_allclose(normalisation.apply(raw).weight, 20 * 3e6 / 900)


def test_a_sample_without_cutflow_and_a_damaged_file(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="sample 'ttbar_had': has no cutflow"):
        Normalisation.of([flow(tmp_path, "p", 10, sample="other")], [SAMPLE], 1.0)
    (tmp_path / "n.json").write_text("{}")
    for kind in (Normalisation, Classes):
        with pytest.raises(FileError, match=r"n\.json: does not hold"):
            kind.read(tmp_path / "n.json")


def test_classes_of_the_table_and_of_the_files_agree(demo_features: dict[str, Path], tmp_path: Path) -> None:
    roles = {"signal_H1000": "signal", "qcd_4b": "background", "ttbar_had": "background"}
    samples = [Sample(name, name, role, {}, 1.0) for name, role in roles.items()]  # type: ignore[arg-type]
    Classes.of(samples).write(tmp_path / "classes.json")
    classes = Classes.read(tmp_path / "classes.json")
    assert {name: classes.classes[entry.number] for name, entry in classes.samples.items()} == roles
    parts = [Part(folder, []) for folder in demo_features.values()]
    classes.check(parts)
    samples[0] = Sample("signal_H1000", "s", "background", {}, 1.0)
    with pytest.raises(FileError, match=r"its events are of class \[1\], the sample is of class 0"):
        Classes.of(samples).check(parts)
