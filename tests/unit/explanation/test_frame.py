"""The jets' own frame, and the null test of maps in it."""

import numpy as np
import pytest

from jetlens.explanation.frame import exclusive_subjets, to_frame, turned
from jetlens.explanation.framemaps import frame_map, jets_of, to_signal


def two_prongs(rng, jets=60, slots=12):
    """Constituents about two axes, the first of which is harder, and a soft halo."""
    angle, distance = rng.uniform(-np.pi, np.pi, jets), rng.uniform(0.3, 0.7, jets)
    first = np.arange(slots) % 2 == 0
    eta, phi = (
        np.where(first, 0, 1) * (distance * trig)[:, None] + rng.normal(0, 0.03, (jets, slots))
        for trig in (np.cos(angle), np.sin(angle))
    )
    pt = rng.uniform(5, 10, (jets, slots)) * np.where(first, 3, 1)
    # and a soft halo, as far away as the second prong, on all sides
    halo, side = np.arange(slots) % 3 == 2, rng.uniform(-np.pi, np.pi, (jets, slots))
    eta, phi = (
        np.where(halo, distance[:, None] * trig(side), x) for trig, x in ((np.cos, eta), (np.sin, phi))
    )
    pt = np.where(halo, 0.2, pt)
    return eta, phi, pt, np.arange(slots) < rng.integers(6, slots + 1, jets)[:, None]


def kt(a, b):
    return min(a[0], b[0]) ** 2 * ((a[1] - b[1]) ** 2 + (a[2] - b[2]) ** 2)


def one_by_one(eta, phi, pt):
    """The same clustering, jet by jet, in loops."""
    left = [(p, e, f) for p, e, f in zip(pt, eta, phi, strict=True)]
    while len(left) > 2:
        pairs = [(i, j) for i in range(len(left)) for j in range(i + 1, len(left))]

        i, j = min(pairs, key=lambda pair: kt(*(left[k] for k in pair)))
        a, b = left[i], left[j]
        total = a[0] + b[0]
        joined = (total, (a[0] * a[1] + b[0] * b[1]) / total, (a[0] * a[2] + b[0] * b[2]) / total)
        left = [x for k, x in enumerate(left) if k not in (i, j)] + [joined]
    return sorted(left, reverse=True)


def test_clustering_against_loops():
    rng = np.random.default_rng(0)
    mask = np.arange(11) < rng.integers(2, 12, 20)[:, None]
    eta, phi = rng.normal(0, 0.3, (2, 20, 11))
    pt = rng.uniform(1, 50, (20, 11))
    found = exclusive_subjets(eta, phi, pt, mask)
    for n, real in enumerate(mask):
        expected = one_by_one(eta[n, real], phi[n, real], pt[n, real])
        np.testing.assert_allclose(found.pt[n], [x[0] for x in expected])
        np.testing.assert_allclose(found.eta[n], [x[1] for x in expected], atol=1e-12)
        np.testing.assert_allclose(found.phi[n], [x[2] for x in expected], atol=1e-12)


def test_subjets_stand_where_they_should():
    eta, phi, pt, mask = two_prongs(np.random.default_rng(1))
    subjets = exclusive_subjets(eta, phi, pt, mask)
    x, y = to_frame(subjets.eta, subjets.phi, subjets)
    np.testing.assert_allclose(x, [[0, 1]] * len(x), atol=1e-9)
    np.testing.assert_allclose(y, 0, atol=1e-9)
    assert (subjets.pt[:, 0] > subjets.pt[:, 1]).all()
    # the frame turns with the jet
    angle = np.random.default_rng(2).uniform(-np.pi, np.pi, len(eta))
    a, b = turned(eta, phi, angle)
    moved = exclusive_subjets(a, b, pt, mask)
    for first, second in zip(to_frame(eta, phi, subjets), to_frame(a, b, moved), strict=True):
        np.testing.assert_allclose(first[mask], second[mask], atol=1e-8)


def arrays_of(rng, events, worth):
    """A method's file of one jet per event, half of them signal."""
    eta, phi, pt, mask = two_prongs(rng, events)
    value = worth(rng, eta, phi, pt, mask)
    return {
        "value": np.where(mask, value, 0)[None, None],
        "class": np.arange(events) % 2,
        "mask": mask,
        "eta": eta.astype(np.float32),
        "phi": phi.astype(np.float32),
        "log_pt": np.log(pt).astype(np.float32),
        "kinds": np.array(["constituents"]),
        "slot_stream": np.zeros(mask.shape[1], int),
    }


def test_without_structure_chi2_is_one_and_the_real_map_is_no_outlier():
    def random(rng, eta, *rest):
        return rng.normal(1, 0.5, eta.shape)

    found = [frame_map(arrays_of(np.random.default_rng(s), 300, random), seed=s) for s in range(2)]
    spins = np.concatenate([f.turned_chi2 for f in found])
    assert spins.mean() == pytest.approx(1, abs=0.2)
    assert max(f.p_value for f in found) > 0.05


def test_a_planted_structure_is_seen():
    def second_prong(rng, eta, phi, pt, mask):
        signal = (np.arange(len(eta)) % 2 == 1)[:, None]
        # far away and hard: in the second prong, not in the halo
        return rng.normal(1, 0.3, eta.shape) + 1.0 * (signal & (np.hypot(eta, phi) > 0.2) & (pt > 1))

    found = frame_map(arrays_of(np.random.default_rng(0), 1000, second_prong))
    assert found.p_value == pytest.approx(1 / 61)
    centre = found.difference[9:11, 5:7]  # about (1, 0)
    assert np.nanmean(centre) > 0.2
    assert np.isnan(found.difference).any()


def test_background_gets_the_signals_kinematics():
    def even(rng, eta, *rest):
        return np.ones(eta.shape)

    arrays = arrays_of(np.random.default_rng(4), 800, even)
    arrays["log_pt"] += 0.2 * arrays["class"][:, None].astype(np.float32)
    signal, background = jets_of(arrays, 1), jets_of(arrays, 0)
    weight = to_signal(signal, background)
    before, after = (np.average(background.pt, weights=w) - signal.pt.mean() for w in (None, weight))
    assert abs(after) < abs(before) / 2
