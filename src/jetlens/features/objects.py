"""Features of reconstructed objects: kinematic tokens (jets and their sums), the object set, and the event vector."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from jetlens.config.quantities import Objects, parse_objects
from jetlens.events.jagged import Jagged, Mask, offsets_from_counts
from jetlens.events.kinematics import cartesian, energy, from_cartesian, wrap_phi
from jetlens.features.displaced import LARGEST, displaced_tracks
from jetlens.features.registry import INVARIANT, MASS_FLOOR, Registry, Symmetry, Values, log, ratio

B_TAG_RADIUS = 0.8
"""A small-radius jet belongs to a fat jet if it is closer than this: the radius of the benchmark's fat jets."""


@dataclass(frozen=True)
class Events:
    """Selected events as flat columns; see :mod:`jetlens.skim.parquet` for leaves and units."""

    collections: Mapping[str, Jagged]
    constituents: Jagged
    jet_offsets: NDArray[np.int64]
    met: Values
    met_phi: Values
    ht: Values

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.met)

    def jet_constituents(self, index: int) -> Jagged:
        """Return the constituents of the fat jet with this index in each event; none where there is no such jet."""
        there = np.diff(self.jet_offsets) > index
        chosen = np.zeros(len(self.constituents), dtype=bool)
        chosen[self.jet_offsets[:-1][there] + index] = True
        own = self.constituents.take_events(chosen)
        counts = np.zeros(len(self), dtype=np.int64)
        counts[there] = own.counts
        return Jagged(offsets_from_counts(counts), own.columns)


@dataclass(frozen=True)
class Tokens:
    """Objects of one kind: arrays (N,) or (N, T), with what only single objects of some collections have."""

    pt: Values
    eta: Values
    phi: Values
    mass: Values
    collection: str = ""
    """Empty for a sum of several objects."""
    leaves: Mapping[str, Values] = field(default_factory=dict)

    def leaf(self, name: str) -> Values:
        """Return a leaf of single objects; 0 where the collection does not have it, or for sums."""
        return self.leaves.get(name, np.zeros_like(self.pt))


KINEMATICS: Registry[Tokens] = Registry("kinematic")
OBJECTS: Registry[Tokens] = Registry("object")


def _add(
    unit: str, *registries: Registry[Tokens], symmetry: Symmetry | None = INVARIANT
) -> Callable[[Callable[[Tokens], Values]], Callable[[Tokens], Values]]:
    """Register a feature of the given kinds of token; of both where none is given."""

    def register(function: Callable[[Tokens], Values]) -> Callable[[Tokens], Values]:
        for registry in registries or (KINEMATICS, OBJECTS):
            registry.add(unit, symmetry)(function)
        return function

    return register


@_add("ln GeV")
def log_pt(t: Tokens) -> Values:
    """Logarithm of the transverse momentum."""
    return log(t.pt)


@_add("ln GeV")
def log_energy(t: Tokens) -> Values:
    """Logarithm of the energy."""
    return log(energy(t.pt, t.eta, t.mass))


@_add("ln GeV")
def log_mass(t: Tokens) -> Values:
    """Logarithm of the mass; floored at 1 GeV."""
    return log(t.mass, MASS_FLOOR)


@_add("GeV")
def pt(t: Tokens) -> Values:
    """Transverse momentum."""
    return t.pt


@_add("GeV")
def mass(t: Tokens) -> Values:
    """Mass."""
    return t.mass


@_add("", symmetry=Symmetry(mirror=-1))
def eta(t: Tokens) -> Values:
    """Pseudorapidity."""
    return t.eta


@_add("rad", symmetry=Symmetry(azimuth="angle"))
def phi(t: Tokens) -> Values:
    """Azimuth in (−π, π]; sin_phi and cos_phi have no jump."""
    return t.phi


@_add("", symmetry=Symmetry(azimuth="sin phi"))
def sin_phi(t: Tokens) -> Values:
    """Sine of the azimuth."""
    return np.sin(t.phi)


@_add("", symmetry=Symmetry(azimuth="cos phi"))
def cos_phi(t: Tokens) -> Values:
    """Cosine of the azimuth."""
    return np.cos(t.phi)


@_add("")
def b_tag(t: Tokens) -> Values:
    """B-tag of the jet itself as the file has it, bit 0; 0 for leptons and sums."""
    return t.leaf("b_tag").astype(bool)


@_add("")
def area(t: Tokens) -> Values:
    """Jet area; 0 for leptons and sums, and in files without areas."""
    return t.leaf("area")


@_add("", KINEMATICS)
def tau21(t: Tokens) -> Values:
    """N-subjettiness ratio τ2/τ1 (arXiv:1011.2268); 0 for sums."""
    return ratio(t.leaf("tau2"), t.leaf("tau1"))


@_add("", KINEMATICS)
def tau32(t: Tokens) -> Values:
    """N-subjettiness ratio τ3/τ2; 0 for sums."""
    return ratio(t.leaf("tau3"), t.leaf("tau2"))


@_add("", KINEMATICS)
def tau43(t: Tokens) -> Values:
    """N-subjettiness ratio τ4/τ3; 0 for sums."""
    return ratio(t.leaf("tau4"), t.leaf("tau3"))


@_add("ln GeV", KINEMATICS)
def log_soft_drop_mass(t: Tokens) -> Values:
    """Logarithm of the soft-drop mass (arXiv:1402.2657); floored at 1 GeV, also for sums."""
    return log(t.leaf("soft_drop_mass"), MASS_FLOOR)


@_add("", KINEMATICS)
def n_constituents(t: Tokens) -> Values:
    """Number of constituents, charged and neutral; 0 for sums."""
    return t.leaf("n_charged") + t.leaf("n_neutrals")


@_add("", KINEMATICS)
def n_charged(t: Tokens) -> Values:
    """Number of charged constituents; 0 for sums."""
    return t.leaf("n_charged")


@_add("", KINEMATICS)
def n_matched_b_tags(t: Tokens) -> Values:
    """B-tagged small-radius jets within ΔR < 0.8; for sums: of all their objects."""
    return t.leaf("n_matched_b_tags")


@_add("", KINEMATICS)
def n_displaced_d0(t: Tokens) -> Values:
    """Constituents with |d0/σ| > 3; 0 for sums, and where there are no errors."""
    return t.leaf("n_displaced_d0")


@_add("", KINEMATICS)
def n_displaced_dz(t: Tokens) -> Values:
    """Constituents with |dz/σ| > 3; 0 for sums, and where there are no errors."""
    return t.leaf("n_displaced_dz")


def _largest(name: str, rank: int) -> None:
    """Register the rank-th largest significance of an impact parameter."""
    column = f"max_{name}_significance_{rank}"

    def compute(t: Tokens) -> Values:
        return t.leaf(column)

    compute.__name__ = column
    compute.__doc__ = (
        f"Number {rank} of the largest |{name}/σ|, cut to 20; 0 for sums, and without such a track."
    )
    _add("", KINEMATICS)(compute)


for _name in ("d0", "dz"):
    for _rank in range(1, LARGEST + 1):
        _largest(_name, _rank)


@_add("", OBJECTS)
def is_jet(t: Tokens) -> Values:
    """1 for jets of any radius, 0 for leptons."""
    return np.full(t.pt.shape, "jets" in t.collection)


@_add("", OBJECTS)
def is_fat_jet(t: Tokens) -> Values:
    """1 for large-radius jets."""
    return np.full(t.pt.shape, t.collection == "fat_jets")


@_add("", OBJECTS)
def is_electron(t: Tokens) -> Values:
    """1 for electrons."""
    return np.full(t.pt.shape, t.collection == "electrons")


@_add("", OBJECTS)
def is_muon(t: Tokens) -> Values:
    """1 for muons."""
    return np.full(t.pt.shape, t.collection == "muons")


@_add("e", OBJECTS)
def charge(t: Tokens) -> Values:
    """Electric charge of leptons; 0 for jets."""
    return t.leaf("charge")


def kinematic_tokens(
    events: Events, tokens: Sequence[str], features: Sequence[str]
) -> tuple[NDArray[np.float32], Mask]:
    """Compute features of named objects and sums of objects.

    Args:
        events: N events.
        tokens: e.g. ``fat_jets[0]`` or ``fat_jets[0]+fat_jets[1]``.
        features: names from :data:`KINEMATICS`.

    Returns:
        float32 (N, tokens, features), zero where an event lacks an object, and bool (N, tokens).
    """
    values = np.zeros((len(events), len(tokens), len(features)), dtype=np.float32)
    mask = np.zeros((len(events), len(tokens)), dtype=bool)
    for number, text in enumerate(tokens):
        token, mask[:, number] = _token(events, parse_objects(text))
        values[:, number] = KINEMATICS.stack(features, token)
    values[~mask] = 0
    return values, mask


def object_set(
    events: Events, max_objects: Mapping[str, int], features: Sequence[str]
) -> tuple[NDArray[np.float32], Mask]:
    """Compute features of the leading objects of some collections, one after the other.

    Args:
        events: N events.
        max_objects: how many tokens each collection gets.
        features: names from :data:`OBJECTS`.

    Returns:
        float32 (N, sum of max_objects, features), zero-padded, and bool (N, sum of max_objects).
    """
    parts, masks = [], []
    for name, number in max_objects.items():
        collection = events.collections[name]
        columns = {column: collection.padded(column, number)[0] for column in collection.columns}
        mask = collection.padding(number)[1]
        leaves = {column: columns[column] for column in columns if column not in ("pt", "eta", "phi", "mass")}
        token = Tokens(columns["pt"], columns["eta"], columns["phi"], columns["mass"], name, leaves)
        values = OBJECTS.stack(features, token)
        values[~mask] = 0
        parts.append(values)
        masks.append(mask)
    return np.concatenate(parts, axis=1), np.concatenate(masks, axis=1)


def _token(events: Events, objects: Objects) -> tuple[Tokens, Mask]:
    singles = [_single(events, name, index) for name, index in objects.parts]
    if len(singles) == 1:
        return singles[0]
    mask = np.logical_and.reduce([there for _, there in singles])
    total = np.sum([cartesian(s.pt, s.eta, s.phi, s.mass) for s, _ in singles], axis=0)
    tags = np.sum([s.leaf("n_matched_b_tags") for s, _ in singles], axis=0)
    pt, eta, phi, mass = from_cartesian(total)
    return Tokens(pt, eta, phi, mass, leaves={"n_matched_b_tags": tags}), mask


def _single(events: Events, name: str, index: int) -> tuple[Tokens, Mask]:
    collection = events.collections[name]
    columns = {}
    for column in collection.columns:
        padded, mask = collection.padded(column, index + 1)
        columns[column] = padded[:, index]
    there = mask[:, index]
    kinematics = {column: columns.pop(column) for column in ("pt", "eta", "phi", "mass")}
    token = Tokens(**kinematics, collection=name, leaves=columns)
    if "jets" in name:
        columns["n_matched_b_tags"] = _matched_b_tags(events.collections["jets"], token)
    if name == "fat_jets" and events.constituents.columns:
        columns |= displaced_tracks(events.jet_constituents(index))
    return token, there


def _matched_b_tags(jets: Jagged, token: Tokens) -> Values:
    """B-tagged small-radius jets around an object per event, (N,)."""
    owner = jets.events
    delta_phi = wrap_phi(jets["phi"].astype(np.float64) - token.phi[owner])
    near = np.hypot(jets["eta"] - token.eta[owner], delta_phi) < B_TAG_RADIUS
    return np.bincount(owner, near & (jets["b_tag"]).astype(bool), minlength=len(jets))
