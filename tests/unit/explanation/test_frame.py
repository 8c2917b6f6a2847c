"""The jets' own frame, and the null test of maps in it."""

import awkward as ak
import numpy as np
import pytest
import uproot

from jetlens.config.reading import ReadingConfig
from jetlens.explanation.frame import soft_drop_subjets, to_frame, turned
from jetlens.explanation.framemaps import frame_map, jets_of, to_signal
from jetlens.figures.subjets import verdict_of
from tests.conftest import DEMO


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


def joined(a, b):
    total = a[0] + b[0]
    return (total, (a[0] * a[1] + b[0] * b[1]) / total, (a[0] * a[2] + b[0] * b[2]) / total, a, b)


def one_by_one(eta, phi, pt, z_cut):
    """The same prongs, jet by jet, from a tree: (pT, η, φ, parents)."""
    left = [(p, e, f, None, None) for p, e, f in zip(pt, eta, phi, strict=True)]
    while len(left) > 1:
        pairs = [(i, j) for i in range(len(left)) for j in range(i + 1, len(left))]
        i, j = min(pairs, key=lambda ij: np.hypot(*(left[ij[0]][k] - left[ij[1]][k] for k in (1, 2))))
        left = [x for k, x in enumerate(left) if k not in (i, j)] + [joined(left[i], left[j])]
    node = left[0]
    while node[3] is not None:
        harder, softer = sorted(node[3:], key=lambda prong: -prong[0])
        if softer[0] >= z_cut * (softer[0] + harder[0]):
            return [harder[:3], softer[:3]]
        node = harder
    return [(np.nan,) * 3] * 2


@pytest.mark.parametrize("z_cut", [0.0, 0.1, 0.4])
def test_soft_drop_against_a_tree(z_cut):
    rng = np.random.default_rng(0)
    mask = np.arange(11) < rng.integers(1, 12, 40)[:, None]
    eta, phi = rng.normal(0, 0.3, (2, 40, 11))
    pt = rng.uniform(1, 50, (40, 11)) * rng.choice([1, 0.02], (40, 11))
    found = soft_drop_subjets(eta, phi, pt, mask, z_cut)
    expected = np.array(
        [one_by_one(eta[n, real], phi[n, real], pt[n, real], z_cut) for n, real in enumerate(mask)]
    )
    for k, values in enumerate((found.pt, found.eta, found.phi)):
        np.testing.assert_allclose(values, expected[..., k], atol=1e-12)
    assert np.isnan(found.pt).any()
    assert np.isfinite(found.pt).any()


@pytest.mark.parametrize(
    ("name", "slots", "agree"),
    [("signal_H1000_hh_4b", 200, 0.97), ("signal_H1000_hh_4b", 50, 0.96), ("qcd_jj", 200, 0.94)],
)
def test_the_subjets_are_those_of_the_file(name, slots, agree):
    """Delphes writes the prongs of its own soft drop (z = 0.1, β = 0) beside its fat jets."""
    path = DEMO / f"{name}.root"
    with uproot.open(path) as file:
        written = file["Delphes"]["FatJet/FatJet.SoftDroppedP4[5]"].array()
    with ReadingConfig(leading_jets=2).open(str(path)) as file:
        events = ak.concatenate([batch.resolve(batch.events)[0] for batch in file.batches()])
    jets = events.fat_jets[:, :2]
    chosen = (jets.pt > 300) & (abs(jets.eta) < 2)
    jets, prongs = ak.flatten(jets[chosen]), ak.flatten(written[:, :2][chosen])[:, 1:3]
    parts = ak.pad_none(jets.constituents, slots, axis=1, clip=True)
    mask = ~ak.to_numpy(ak.is_none(parts, axis=1))
    eta, phi, pt = (ak.to_numpy(ak.fill_none(parts[field], 0.0)) for field in ("eta", "phi", "pt"))
    axis_eta, axis_phi = (ak.to_numpy(jets[field])[:, None] for field in ("eta", "phi"))
    found = soft_drop_subjets(eta - axis_eta, wrapped(phi - axis_phi), pt, mask)
    x, y, z = (ak.to_numpy(prongs.fP[field]) for field in ("fX", "fY", "fZ"))
    order = np.argsort(-np.hypot(x, y), axis=1)
    expected = (np.arcsinh(z / np.hypot(x, y)) - axis_eta, wrapped(np.arctan2(y, x) - axis_phi))
    expected = [np.take_along_axis(values, order, axis=1) for values in expected]
    apart = np.hypot(found.eta - expected[0], found.phi - expected[1])
    assert (apart < 0.05).all(axis=1).mean() > agree


def wrapped(phi):
    return (phi + np.pi) % (2 * np.pi) - np.pi


def test_subjets_stand_where_they_should():
    eta, phi, pt, mask = two_prongs(np.random.default_rng(1))
    subjets = soft_drop_subjets(eta, phi, pt, mask)
    x, y = to_frame(subjets.eta, subjets.phi, subjets)
    np.testing.assert_allclose(x, [[0, 1]] * len(x), atol=1e-9)
    np.testing.assert_allclose(y, 0, atol=1e-9)
    assert (subjets.pt[:, 0] > subjets.pt[:, 1]).all()
    # the frame turns with the jet
    angle = np.random.default_rng(2).uniform(-np.pi, np.pi, len(eta))
    a, b = turned(eta, phi, angle)
    moved = soft_drop_subjets(a, b, pt, mask)
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
    # where constituents are fewer than turned ones noise scatters more; shuffling leaves them where they are
    assert max(f.shuffled_p for f in found) > 0.05
    assert all(f.cells > 0 for f in found)


def test_a_planted_structure_is_seen():
    def second_prong(rng, eta, phi, pt, mask):
        signal = (np.arange(len(eta)) % 2 == 1)[:, None]
        # far away and hard: in the second prong, not in the halo
        return rng.normal(1, 0.3, eta.shape) + 1.0 * (signal & (np.hypot(eta, phi) > 0.2) & (pt > 1))

    found = frame_map(arrays_of(np.random.default_rng(0), 1000, second_prong))
    assert found.p_value == found.shuffled_p == pytest.approx(1 / 61)
    assert verdict_of(found).endswith("\nsignificant")
    centre = found.difference[9:11, 5:7]  # about (1, 0)
    assert np.nanmean(centre) > 0.2
    assert np.isnan(found.difference).any()


def test_of_few_events_nothing_is_called_significant():
    def random(rng, eta, *rest):
        return rng.normal(1, 0.5, eta.shape)

    found = frame_map(arrays_of(np.random.default_rng(0), 16, random))
    assert np.isnan(found.chi2)
    assert np.isnan(found.p_value)
    assert found.cells == 0
    assert verdict_of(found).startswith("not tested")


def test_background_gets_the_signals_kinematics():
    def even(rng, eta, *rest):
        return np.ones(eta.shape)

    arrays = arrays_of(np.random.default_rng(4), 800, even)
    arrays["log_pt"] += 0.2 * arrays["class"][:, None].astype(np.float32)
    signal, background = jets_of(arrays, 1), jets_of(arrays, 0)
    weight = to_signal(signal, background)
    before, after = (np.average(background.pt, weights=w) - signal.pt.mean() for w in (None, weight))
    assert abs(after) < abs(before) / 2
