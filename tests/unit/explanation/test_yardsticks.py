import numpy as np
import pytest

from jetlens.explanation.yardsticks import displaced, near_subjets, shares

# one jet: two hard constituents far apart, a soft one beside the first, a soft one between; one slot is empty
ETA = np.array([[0.4, -0.4, 0.45, 0.0, 0.0]])
PT = np.array([[100.0, 80.0, 10.0, 10.0, 1.0]])


@pytest.fixture
def about():
    mask = np.array([[True, True, True, True, False]])
    return {
        "mask": mask,
        "kinds": np.array(["constituents"]),
        "slot_stream": np.zeros(5, dtype=int),
        "eta": np.where(mask, ETA, np.nan),
        "phi": np.where(mask, 0.0, np.nan),
        "log_pt": np.where(mask, np.log(PT), np.nan),
        "d0": np.array([[0.0, 2.9, -3.1, 4.0, np.nan]]),
        "class": np.array([1]),
    }


def test_groups_are_what_they_are_called(about):
    np.testing.assert_array_equal(displaced(about), [[False, False, True, True, False]])
    np.testing.assert_array_equal(near_subjets(about), [[True, True, True, False, False]])


def test_without_significances_nothing_is_called_displaced(about):
    assert displaced(about | {"d0": np.full((1, 5), np.nan)}) is None


def test_shares_are_of_what_speaks_for_the_class(about):
    value = np.array([[[1.0, -5.0, 2.0, 1.0, 9.0]]])
    found = shares(about, {"m": {"signal": value}}, {"signal": 1})["signal"]
    assert found["displaced tracks"]["pt"][0] == pytest.approx(20 / 200, abs=1e-5)
    assert found["displaced tracks"]["number"][0] == 0.5
    assert found["displaced tracks"]["methods"]["m"]["share"][0] == pytest.approx(3 / 4)
    assert found["near the subjets"]["methods"]["m"]["share"][0] == pytest.approx(3 / 4)
    assert found["near the subjets"]["methods"]["m"]["minus_pt"][0] == pytest.approx(3 / 4 - 190 / 200)


def test_an_event_that_nothing_speaks_for_has_no_share(about):
    found = shares(about, {"m": {"signal": -np.ones((1, 1, 5))}}, {"signal": 1})["signal"]
    assert np.isnan(found["displaced tracks"]["methods"]["m"]["share"][0])
