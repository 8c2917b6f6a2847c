"""The error of a limit by the simulation: events drawn with replacement, the same for all variants."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jetlens.config.inference import InferenceConfig
from jetlens.inference.resampling import drawn, relative_error, resampled_limits
from jetlens.inference.selected import Selected
from jetlens.inference.simulation import EventsFile, SampleFiles, Simulation


def events(number, rng):
    fold = (number % 10).astype(np.uint8)
    return Selected(number, fold, rng.uniform(0.5, 1.5, len(number)), {"x": rng.normal(size=len(number))})


def test_events_are_drawn_alike_whatever_the_rows_and_the_variant():
    rng = np.random.default_rng(1)
    number = np.arange(20_000)
    first = drawn(events(number, rng), "qcd", 3)
    rows = drawn(events(np.repeat(number[:500], 2), rng), "qcd", 3)
    counts = np.bincount(first.number // 32, minlength=20_000)
    assert np.bincount(counts)[:4] / 20_000 == pytest.approx(np.exp(-1) / np.array([1, 1, 2, 6]), abs=0.012)
    assert len(np.unique(first.number)) == len(first), "copies are events of their own"
    assert np.bincount(rows.number // 32, minlength=500).tolist() == (2 * counts[:500]).tolist()
    other = np.bincount(drawn(events(number, rng), "ttbar", 3).number // 32, minlength=20_000)
    again = np.bincount(drawn(events(number, rng), "qcd", 4).number // 32, minlength=20_000)
    for found in (other, again):
        assert abs(np.corrcoef(counts, found)[0, 1]) < 0.03


def simulation(folder, rng, size, noise):
    """Signal and background of a given size; the score is worth less with noise."""
    samples = []
    for name, signal, mean in (("h", True, 2.0), ("b", False, 0.0)):
        number = np.arange(size)
        table = {
            "event": number,
            "fold": (number % 10).astype(np.uint8),
            "weight": np.ones(size),
            "score": rng.normal(mean, 1.0, size) + noise * rng.normal(size=size),
            "mass": rng.uniform(0, 1, size),
        }
        path = folder / f"{name}_{size}_{noise}.parquet"
        pq.write_table(pa.table(table), path)
        factor = (20.0 if signal else 2000.0) / size
        files = EventsFile(path, factor / 0.8, factor / 0.2)
        samples.append(SampleFiles(name, "signal_100" if signal else name, signal, files, {}))
    return Simulation(samples, ("mass",), [0, 1])


def test_a_limit_is_known_the_better_the_more_events_there_are(tmp_path):
    rng = np.random.default_rng(2)
    config = InferenceConfig.model_validate(
        {
            "variants": ["v"],
            "observables": {"mass": "x"},
            "fit": {"observable": "mass", "bins": 5, "min": 0, "max": 1},
            "categories": 1,
            "replicas": 30,
        }
    )
    found = {
        size: resampled_limits(simulation(tmp_path, rng, size, 0.0), config, [100.0], 0.1)
        for size in (400, 40_000)
    }
    few, many = (relative_error(table.set_index("replica")["limit"]) for table in found.values())
    assert many < 0.1 < few, "with few events the cut jumps"
    limit = found[400].set_index("replica")["limit"]
    assert relative_error(limit, limit) == 0.0, "a classifier against itself"
    assert relative_error(limit, 1.3 * limit) == pytest.approx(0.0, abs=1e-12)


def test_of_a_handful_of_replicas_nothing_is_said():
    assert np.isnan(relative_error(pd.Series([1.0] * 9)))
    assert np.isnan(relative_error(pd.Series([np.nan] * 20)))


def test_replicas_without_a_limit_are_no_reason_for_a_small_error():
    """A third of the replicas can set none: those that can are the lucky ones, and say too little of the spread."""
    logs = np.random.default_rng(8).normal(0, 0.5, 3000)
    limit = pd.Series(np.where(logs < 0.2, np.exp(logs), np.nan))
    assert np.nanstd(np.log(limit)) < 0.4
    assert relative_error(limit) == pytest.approx(0.5, rel=0.1)
    assert relative_error(pd.Series(np.exp(logs))) == pytest.approx(0.5, rel=0.1)
