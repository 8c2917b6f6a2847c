"""The reference implementation's public data (../shared/data/reference_npz) as feature files of jetlens.

Each jet is the stream ``jet1``; its event vector holds sums over the jet and, if asked for, what a tau's decay to three
tracks shows: scale and direction of the jet, masses and energy in narrow cones, prongs and what surrounds them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jetlens.features.featurefile import FeatureMetadata, FeatureSet, StreamMetadata

REFERENCE = Path(__file__).resolve().parents[2] / "shared" / "data" / "reference_npz"
FOLDS = 20  # 0-3: test (20 %), 4: early stopping where used
PION = 0.13957  # GeV
CHARGED, NEUTRAL = 0, 4
CONES = (0.05, 0.1, 0.2, 0.4)
RINGS = (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, np.inf)
SOFT_PHOTON = 0.5  # GeV
EXPONENTS = (0.2, 0.5, 1.0, 2.0)
Columns = Callable[[NDArray[Any], NDArray[np.bool_]], NDArray[np.float32]]
"""From raw jets (N, T, 7) and which slots are real (N, T) to columns (N, C)."""


def reference_features(folder: Path, seed: int, more: Sequence[Columns] = ()) -> list[Path]:
    """Write the reference data as the features of two parts, split by ``seed``; rows of zeros are padding.

    Args:
        folder: where to.
        seed: of the permutation that makes folds.
        more: functions whose columns are appended to the event vector, as :func:`masses_and_cones`.
    """
    files = []
    for number, (stem, label) in enumerate((("sig_J_TP1", 1), ("bkg1_J_TP1", 0))):
        raw = np.load(REFERENCE / f"{stem}.npz", allow_pickle=False)["arr_0"]
        real = (raw != 0).any(axis=-1)
        fold = np.random.default_rng([seed, number]).permutation(len(raw)) % FOLDS
        event = np.concatenate([columns(raw, real) for columns in (_sums, *more)], axis=-1)
        features = FeatureSet(
            streams={"jet1": constituents(raw, real)},
            masks={"jet1": real},
            event=event,
            label=np.full(len(raw), label, np.int8),
            weight=np.ones(len(raw)),
            event_number=np.arange(len(raw)),
            fold=fold.astype(np.uint8),
            metadata=_metadata(stem, event.shape[1]),
        )
        files.append(folder / stem)
        features.write(files[-1])
    return files


def constituents(raw: NDArray[Any], real: NDArray[Any]) -> NDArray[np.float32]:
    eta, phi, pt, energy, pt_share, energy_share, kind = np.moveaxis(raw, -1, 0)
    logs = [np.log(np.maximum(x, 1e-5)) for x in (pt, energy)]
    classes = [kind == k for k in range(5)]
    stacked = np.stack([eta, phi, *logs, pt_share, energy_share, np.hypot(eta, phi), *classes], axis=-1)
    return np.asarray(stacked * real[..., None], dtype=np.float32)


def _sums(raw: NDArray[Any], real: NDArray[Any]) -> NDArray[np.float32]:
    """Counts and moments of a jet: what a set network with mean pooling cannot count by itself."""
    eta, phi, pt, energy, _, _, kind = np.moveaxis(raw * real[..., None], -1, 0)
    total = np.maximum(pt.sum(1), 1e-5)
    mean_eta, mean_phi = ((pt * x).sum(1) / total for x in (eta, phi))
    px, py, pz = pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)
    mass2 = np.sum(pt * np.cosh(eta), 1) ** 2 - px.sum(1) ** 2 - py.sum(1) ** 2 - pz.sum(1) ** 2
    radius = np.hypot(eta - mean_eta[:, None], phi - mean_phi[:, None])
    columns = [
        real.sum(1),
        np.log(total),
        np.log(np.maximum(energy.sum(1), 1e-5)),
        0.5 * np.log(np.maximum(mass2, 1e-6)),
        mean_eta,
        mean_phi,
        *((pt * radius**p).sum(1) / total for p in (0.5, 1, 2)),
        np.log(np.maximum((pt**2).sum(1) / total**2, 1e-6)),
        *(((kind == k) & real).sum(1) for k in range(5)),
        *((pt * ((kind == k) & real)).sum(1) / total for k in range(5)),
    ]
    return np.stack(columns, axis=-1).astype(np.float32)


def _metadata(stem: str, columns: int) -> FeatureMetadata:
    names = [
        "delta_eta",
        "delta_phi",
        "log_pt",
        "log_energy",
        "log_pt_fraction",
        "log_energy_fraction",
        "delta_r",
    ]
    names += [f"class_{k}" for k in range(5)]
    return FeatureMetadata(
        sample=stem,
        part=stem,
        streams={"jet1": StreamMetadata(kind="constituents", features=names, units=[""] * len(names))},
        event=StreamMetadata(
            kind="event", features=[f"sum_{i}" for i in range(columns)], units=[""] * columns
        ),
        folds=FOLDS,
        test_folds=[0, 1, 2, 3],
        validation_folds=[4],
    )


def masses_and_cones(raw: NDArray[Any], real: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return (N, C): the jet's scale and |η|, masses of its constituents, and what lies in cones about its leading one.

    The axis' own pT and E follow from any constituent and its share; E/pT = cosh η there, up to the jet's mass. Masses
    [GeV, logarithms] depend on differences in η and φ alone. Charged constituents are taken for pions. What a jet has
    too few constituents for is zero.
    """
    eta, phi, pt, energy, pt_share, energy_share, kind = np.moveaxis(raw, -1, 0)
    jet_pt, jet_energy = pt[:, 0] * np.exp(-pt_share[:, 0]), energy[:, 0] * np.exp(-energy_share[:, 0])
    total = np.maximum((pt * real).sum(1), 1e-5)
    charged, neutral = real & (kind == CHARGED), real & (kind == NEUTRAL)
    massless, pions = _momenta(raw, 0.0), _momenta(raw, PION)
    columns = [
        np.log(jet_pt),
        np.log(total / jet_pt),
        np.log(np.maximum((energy * real).sum(1), 1e-5) / jet_energy),
        np.arccosh(np.maximum(jet_energy / jet_pt, 1.0)),
        _log_mass(pions, charged),
        _log_mass(massless, neutral),
    ]
    from_leading = np.hypot(eta - eta[:, :1], phi - phi[:, :1])
    for cone in CONES:
        inside = real & (from_leading < cone)
        columns += [
            (pt * inside).sum(1) / total,
            inside.sum(1),
            (inside & charged).sum(1),
            _log_mass(massless, inside),
        ]
    rank = np.cumsum(charged, axis=1) * charged  # constituents come sorted by pT
    for pair in ((1, 2), (1, 3), (2, 3)):
        chosen = np.isin(rank, pair)
        distance = np.hypot(
            *(np.ptp(np.where(chosen, x, _first(x, chosen)[:, None]), axis=1) for x in (eta, phi))
        )
        columns += [_log_mass(pions, chosen, 2), np.where(chosen.sum(1) == 2, np.log(distance + 1e-6), 0.0)]
    three = (rank >= 1) & (rank <= 3)
    columns += [_log_mass(pions, three, 3), (pt * three).sum(1) / total, (pt * (rank == 4)).sum(1) / total]
    return np.stack(columns, axis=-1).astype(np.float32)


def substructure(raw: NDArray[Any], real: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return (N, C): :func:`prongs_and_rings` and :func:`correlators`; slots that no jet fills are cut off first."""
    longest = int(real.sum(1).max())  # constituents fill the first slots
    raw, real = raw[:, :longest], real[:, :longest]
    return np.concatenate([prongs_and_rings(raw, real), correlators(raw, real)], axis=-1)


def prongs_and_rings(raw: NDArray[Any], real: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return (N, C): the three hardest tracks as prongs of a tau, photons near them, and the rest in rings about them.

    Tracks are charged hadrons, electrons and muons. pT in GeV; what a jet has too few constituents for is zero.
    """
    eta, phi, pt, _, pt_share, _, kind = np.moveaxis(raw * real[..., None], -1, 0)
    jet_pt, total = pt[:, 0] * np.exp(-pt_share[:, 0]), np.maximum(pt.sum(1), 1e-5)
    tracks, photons, hadrons = (real & np.isin(kind, k) for k in ((CHARGED, 1, 2), (NEUTRAL,), (3,)))
    rank = np.cumsum(tracks, axis=1) * tracks
    three = tracks & (rank <= 3)
    momenta = np.where(tracks[..., None], _momenta(raw, PION), _momenta(raw, 0.0))
    prong_pt = (pt * three).sum(1)
    axis = [(pt * x * three).sum(1) / np.maximum(prong_pt, 1e-5) for x in (eta, phi)]
    distance = np.hypot(eta - axis[0][:, None], phi - axis[1][:, None])
    widest = (distance * three).max(1)
    columns = [prong_pt / total, prong_pt / jet_pt, tracks.sum(1), widest, np.log(widest * prong_pt + 1e-6)]
    columns += [_log_mass(momenta, three), *((pt * (k & ~three)).max(1) for k in (tracks, photons))]
    for low, high in itertools.pairwise(RINGS):
        inside = ~three & (distance >= low) & (distance < high)
        for chosen in (inside & tracks, inside & photons, inside & hadrons):
            columns += [(pt * chosen).sum(1), chosen.sum(1)]
    for cone in CONES[:3]:
        near = photons & (distance < cone) & (pt > SOFT_PHOTON)
        columns += [_log_mass(momenta, near), _log_mass(momenta, near | three)]
        columns += [(pt * (near | three)).sum(1), (pt * (near | three)).sum(1) / jet_pt]
    first = [[(x * (rank == k)).sum(1) for k in (1, 2, 3, 4)] for x in (eta, phi, pt, kind)]
    return np.stack([*columns, *_pairs(first), *first[2], *first[3]], axis=-1).astype(np.float32)


def _pairs(tracks: list[list[NDArray[Any]]]) -> list[NDArray[Any]]:
    """Return kT-like distances and ordered masses² of pairs of the three hardest tracks, and ratios of their pT."""
    eta, phi, pt, _ = tracks
    pairs = ((0, 1), (0, 2), (1, 2))
    mass2 = [2 * pt[i] * pt[j] * (np.cosh(eta[i] - eta[j]) - np.cos(phi[i] - phi[j])) for i, j in pairs]
    ordered = np.sort(mass2, axis=0)
    ratios = [pt[k + 1] / np.maximum(pt[k], 1e-5) for k in range(3)]
    return [*np.sqrt(mass2), *ordered, ordered[1] / np.maximum(ordered[2], 1e-6), *ratios]


def correlators(raw: NDArray[Any], real: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return (N, 18): logarithms of e2, e3, C2 (arXiv:1305.0007) and D2 (arXiv:1409.6298); dispersion, entropy of pT.

    Each correlator for the angular exponents :data:`EXPONENTS`.
    """
    eta, phi, pt = (np.where(real, raw[..., k], 0.0) for k in range(3))
    share = pt / np.maximum(pt.sum(1, keepdims=True), 1e-5)
    distance = np.hypot(eta[:, :, None] - eta[:, None], phi[:, :, None] - phi[:, None])
    columns = []
    for exponent in EXPONENTS:
        angles = distance**exponent * share[:, None]  # (N, T, T): θ_ij^β z_j; zero on the diagonal
        e2 = (share[..., None] * angles).sum((1, 2)) / 2
        e3 = ((angles @ angles) * angles.swapaxes(1, 2)).sum((1, 2)) / 6
        floor = np.maximum(e2, 1e-9)
        columns += [np.log(np.maximum(x, 1e-6)) for x in (e2, e3, e3 / floor**2, e3 / floor**3)]
    columns += [(share**2).sum(1), -(share * np.log(np.maximum(share, 1e-9))).sum(1)]
    return np.stack(columns, axis=-1).astype(np.float32)


def _momenta(raw: NDArray[Any], mass: float) -> NDArray[np.float64]:
    """Return (N, T, 4): E, px, py, pz in the frame where the jet's axis has η = φ = 0."""
    eta, phi, pt = (raw[..., column] for column in range(3))
    p = np.stack([pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)], axis=-1)
    return np.concatenate([np.sqrt((p**2).sum(-1, keepdims=True) + mass**2), p], axis=-1)


def _log_mass(momenta: NDArray[np.float64], chosen: NDArray[np.bool_], least: int = 0) -> NDArray[np.float64]:
    total = (momenta * chosen[..., None]).sum(1)
    mass2 = total[:, 0] ** 2 - (total[:, 1:] ** 2).sum(1)
    return np.where(chosen.sum(1) >= least, 0.5 * np.log(np.maximum(mass2, 1e-6)), 0.0)


def _first(x: NDArray[Any], chosen: NDArray[np.bool_]) -> NDArray[Any]:
    """Return the value of the first chosen constituent (N,)."""
    return np.take_along_axis(x, chosen.argmax(1)[:, None], axis=1)[:, 0]
