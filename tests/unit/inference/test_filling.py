from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from jetlens.config.inference import InferenceConfig
from jetlens.inference import filling
from jetlens.inference.categories import EVERYTHING
from jetlens.inference.filling import fill_all, observed_counts
from jetlens.inference.simulation import EventsFile, SampleFiles
from jetlens.inference.workspace import build_workspace, has_empty_terms
from tests.unit.inference.test_resampling import simulation


@pytest.mark.parametrize("decorrelate", [False, True])
def test_data_are_cut_on_the_score_that_the_simulation_is_cut_on(tmp_path, decorrelate):
    """The simulated background itself for data: the templates' events are counted, one by one."""
    events = simulation(tmp_path, np.random.default_rng(4), 1500, 0.0)
    config = InferenceConfig.model_validate(
        {
            "variants": ["toy"],
            "observables": {"mass": "ht"},
            "fit": {"observable": "mass", "bins": 4, "min": 0, "max": 1},
            "decorrelate": decorrelate,
        }
    )
    (filled,) = fill_all(events, config, [100.0], 0.1)
    background = next(sample for sample in events.samples if not sample.signal)
    table, data = pq.read_table(background.nominal.path), tmp_path / "data.parquet"
    pq.write_table(table.filter(np.isin(table["fold"], events.validation, invert=True)), data)
    (region,) = filled.regions
    (counts,) = observed_counts(filled, config, [data]).values()
    assert 0 < sum(counts) < len(table) / 2, "there is a cut"
    np.testing.assert_allclose(counts, region.values("b") / background.nominal.factor)


@pytest.mark.parametrize(
    ("weight", "rows", "scored", "matters"),
    [(1e-3, 1, True, False), (1e3, 1, True, True), (1e3, 1, False, True), (1e-2, 20, True, False)],
)
def test_a_process_none_of_whose_events_is_selected_is_not_taken_for_absent(
    tmp_path, weight, rows, scored, matters
):
    """Untagged events of much weight: one of them, or one of its drawn tags, would be more than all else."""
    rng = np.random.default_rng(6)
    events = simulation(tmp_path, rng, 1500, 0.0)
    made = []
    for sample in events.samples:
        table = pq.read_table(sample.nominal.path)
        tags = pa.array(np.full(len(table), 2.0))
        pq.write_table(table.append_column("tags", tags), sample.nominal.path)
        made.append(sample)
    table = table.append_column("tags", pa.array(np.zeros(len(table))))
    if rows > 1:
        shared = table.drop(["weight"]).append_column("weight", pc.divide(table["weight"], float(rows)))
        table = pa.concat_tables([shared] * rows)
    pq.write_table(table if scored else table[:0], tmp_path / "light.parquet")
    light = EventsFile(tmp_path / "light.parquet", weight / 0.8, weight / 0.2, event_weight=weight / 0.8)
    config = InferenceConfig.model_validate(
        {
            "variants": ["toy"],
            "observables": {"mass": "ht", "tags": "ht"},
            "select": "tags > 1",
            "fit": {"observable": "mass", "bins": 4, "min": 0, "max": 1},
        }
    )
    every = [*made, SampleFiles("light", "light", False, light, {})]
    (filled,) = fill_all(replace(events, samples=every, observables=("mass", "tags")), config, [100.0], 0.1)
    assert ("not computable from this simulation: light has 0 effective events" in filled.remark) == matters
    workspace = build_workspace(filled.regions, "signal_100", filled.backgrounds)
    assert has_empty_terms(workspace)
    terms = {s["name"]: sum(s["data"]) for s in workspace.spec["channels"][0]["samples"]}
    assert terms[f"no_events:light:{filled.regions[0].name}:0"] == pytest.approx(weight / 0.8 / rows)


def test_one_event_more_of_a_process_with_tags_is_as_many_patterns_as_its_events_have(tmp_path):
    """Twenty patterns of an event, ten of which have the tags; the score lets none of the process pass the cut."""
    rows, weight = 20, 1e-2
    events = simulation(tmp_path, np.random.default_rng(6), 1500, 0.0)
    for sample in events.samples:
        table = pq.read_table(sample.nominal.path)
        tags = pa.array(np.full(len(table), 2.0))
        pq.write_table(table.append_column("tags", tags), sample.nominal.path)
    shared = table.drop(["weight", "score"])
    for name, value in (("weight", 1.0 / rows), ("score", -100.0)):
        shared = shared.append_column(name, pa.array(np.full(len(table), value)))
    patterns = [
        shared.append_column("tags", pa.array(np.full(len(table), 2.0 * (k % 2)))) for k in range(rows)
    ]
    pq.write_table(pa.concat_tables(patterns), tmp_path / "tagged.parquet")
    tagged = EventsFile(tmp_path / "tagged.parquet", weight / 0.8, weight / 0.2)
    config = InferenceConfig.model_validate(
        {
            "variants": ["toy"],
            "observables": {"mass": "ht", "tags": "ht"},
            "select": "tags > 1",
            "fit": {"observable": "mass", "bins": 4, "min": 0, "max": 1},
        }
    )
    every = [*events.samples, SampleFiles("tagged", "tagged", False, tagged, {})]
    (filled,) = fill_all(replace(events, samples=every, observables=("mass", "tags")), config, [100.0], 0.1)
    (region,) = filled.regions
    assert region.values("tagged").sum() == 0
    assert region.mean_weight("tagged") == pytest.approx(weight / 0.8 / 2)


@pytest.mark.parametrize(("weight", "matters"), [(1e-3, False), (1.0, False), (1e3, True)])
def test_a_sample_none_of_whose_events_is_in_a_region_counts_though_others_of_its_process_are(
    tmp_path, weight, matters
):
    """A heavy slice of phase space beside a light one: of the two as one process the light one has ten events."""
    rng = np.random.default_rng(6)
    events = simulation(tmp_path, rng, 1500, 0.0)
    table = pq.read_table(events.samples[1].nominal.path)
    out = pa.array(np.full(len(table), -100.0))
    pq.write_table(table.drop(["score"]).append_column("score", out), tmp_path / "slice.parquet")
    files = EventsFile(tmp_path / "slice.parquet", weight / 0.8, weight / 0.2)
    every = [*events.samples, SampleFiles("slice", "b", False, files, {})]
    config = InferenceConfig.model_validate(
        {
            "variants": ["toy"],
            "observables": {"mass": "ht"},
            "select": "score > -90",
            "fit": {"observable": "mass", "bins": 4, "min": 0, "max": 1},
        }
    )
    (filled,) = fill_all(replace(events, samples=every), config, [100.0], 0.1)
    assert ("b (sample slice) has 0 effective events in 0–1" in filled.remark) == matters
    assert bool(filled.remark) == matters


@pytest.mark.parametrize("model", ["simulation", "abcd"])
def test_the_error_that_templates_have_does_not_hang_on_the_background_model(tmp_path, monkeypatch, model):
    """Two folds of ten choose cuts; ABCD takes a part of the events of each, and of neither more than of the other."""
    seen = []
    monkeypatch.setattr(filling, "choose", lambda *_, share, **__: seen.append(share) or EVERYTHING)
    config = {
        "variants": ["toy"],
        "observables": {"mass": "ht"},
        "fit": {"observable": "mass", "bins": 4, "min": 0, "max": 1},
    }
    if model == "abcd":
        regions = {"tagged": "mass > 0.9", "window": "score > 0", "sideband": "score > -0.5"}
        config["background"] = {"model": "abcd", "processes": ["b"], **regions}
    events = simulation(tmp_path, np.random.default_rng(6), 1500, 0.0)
    fill_all(events, InferenceConfig.model_validate(config), [100.0], 0.1)
    assert seen == [pytest.approx(0.2 / 0.8)]
