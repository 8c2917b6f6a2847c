import numpy as np
import pyarrow.parquet as pq
import pytest

from jetlens.config.inference import InferenceConfig
from jetlens.inference.filling import fill_all, observed_counts
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
