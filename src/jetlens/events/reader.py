"""What every reader of event files offers, whatever the format."""

from __future__ import annotations

import abc
import itertools
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from jetlens.config.quantities import LEAVES
from jetlens.config.reading import ReadingConfig
from jetlens.errors import DamagedFileError, FileError, JetlensWarning
from jetlens.events.impact_parameters import Resolution, Treatment, decide
from jetlens.events.jagged import Index, Jagged, Mask, offsets_from_counts
from jetlens.events.kinematics import MAX_ABS_ETA, energy, wrap_phi

if TYPE_CHECKING:
    from jetlens.events.rootfile import RootTree

TYPES = {"track": 0, "photon": 1, "neutral_hadron": 2, "tower": 3}
"""Codes of the constituents' ``type``; tower: calorimeter only, photon or hadron unknown."""

ELECTRON_MASS, MUON_MASS = 0.000511, 0.105658
"""GeV; event files do not carry them (PDG 2024)."""

RANGES: dict[str, tuple[float, float]] = {
    **dict.fromkeys(("pt", "met", "ht"), (0, 1e6)),
    "eta": (-1000, 1000),
    "phi": (-3.15, 6.3),
    "mass": (-1e6, 1e6),
    "area": (0, 100),
    "d0": (-1e5, 1e5),
    "dz": (-1e6, 1e6),
    **dict.fromkeys(
        ("d0_error", "dz_error", "soft_drop_mass", *(f"tau{n}" for n in range(1, 6))), (-1000, 1e6)
    ),
}
"""What values may be (GeV, radians, mm); anything outside is a sign of damage.

Delphes marks objects along the beam by η = ±999.9; NanoAOD rounds φ beyond ±π, and marks what was not computed by
negative numbers; φ runs to 2π in some files; a mass is negative where rounding makes m² so.
"""

_BASE_BYTES = 400e6  # the interpreter with numpy, uproot, pyarrow loaded
_COPIES = (
    8  # raw, byte-swapped, joined, looked up, selected, sorted, written: measured in benchmarks/memory.py
)


@dataclass(frozen=True)
class Constituents:
    """Resolved constituents of some jets.

    Attributes:
        jets: one entry per jet; its columns, falling in ``pt``: ``pt``, ``eta``, ``phi``, ``mass``, ``charge``,
            ``type`` (:data:`TYPES`), ``d0``, ``d0_error``, ``dz``, ``dz_error`` (GeV, radians, mm).
        references: how many references the jets hold.
        matched: how many of them point to an object of their event.
    """

    jets: Jagged
    references: int
    matched: int

    def padded(self, number: int) -> tuple[NDArray[np.float32], Mask]:
        """Return pt, eta, phi and energy of the leading constituents.

        Args:
            number: constituents per jet.

        Returns:
            float32 (jets, number, 4), zero where a jet has fewer; bool (jets, number), true where real.
        """
        rows, mask = self.jets.padding(number)
        values = np.zeros((*rows.shape, 4), dtype=np.float32)
        real = rows[mask]
        pt, eta, phi, mass = (self.jets[name][real] for name in ("pt", "eta", "phi", "mass"))
        for axis, column in enumerate((pt, eta, phi, energy(pt, eta, mass))):
            values[mask, axis] = column
        return values, mask


@dataclass(frozen=True)
class Chunk:
    """Some consecutive events of a file; all arrays are over these N events.

    Attributes:
        number: int64 (N,), event numbers.
        weight: float64 (N,), generator weights.
        met: float32 (N,), missing transverse momentum [GeV].
        met_phi: float32 (N,), its azimuth [rad].
        ht: float32 (N,), scalar sum of transverse momenta [GeV].
        collections: ``fat_jets``, ``jets``, ``electrons``, ``muons``, each falling in ``pt``. Of the fat jets, the
            column ``row`` is what :meth:`constituents` asks for.
    """

    number: NDArray[np.int64]
    weight: NDArray[np.float64]
    met: NDArray[np.float32]
    met_phi: NDArray[np.float32]
    ht: NDArray[np.float32]
    collections: dict[str, Jagged]
    _resolve: Callable[[Index], Constituents]

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.number)

    def constituents(self, rows: Index) -> Constituents:
        """Read and resolve the constituents of some fat jets; only now are their leaves read from the file.

        Args:
            rows: values of the column ``row`` of the fat jets wanted, int64 (K,).

        Raises:
            FileError: if the file is damaged, or references match nothing and ``reading.unmatched`` is ``fail``.
        """
        return self._resolve(np.asarray(rows, dtype=np.int64))

    def to_awkward(self) -> Any:
        """Return the events, without constituents, as an awkward array of records."""
        import awkward as ak

        content: dict[str, Any] = {"event_number": self.number, "weight": self.weight}
        content |= {"met": self.met, "met_phi": self.met_phi, "ht": self.ht}
        content |= {name: collection.to_awkward() for name, collection in self.collections.items()}
        return ak.zip(content, depth_limit=1)


class EventReader(abc.ABC):
    """Events of one file, in chunks that fit the memory budget.

    Attributes:
        path: the file.
        conventions: what was assumed where the file says nothing, by topic; written into the cutflow.
        format: ``delphes`` or ``nanoaod``.
        sample: name of the physical sample; impact parameters are smeared with it.
    """

    format: str
    sample = ""

    def __init__(self, tree: RootTree, config: ReadingConfig) -> None:
        """Take over an open tree."""
        self.path = tree.path
        self.conventions: dict[str, str] = {}
        self._tree = tree
        self._config = config
        self._treatment: Treatment | None = None

    @property
    def entries(self) -> int:
        """Number of events in the file."""
        return self._tree.entries

    @property
    def tree(self) -> str:
        """Name of the tree."""
        return self._tree.name

    def sizes(self, events: int) -> dict[str, float]:
        """Mean number of objects per event of every collection, in the first ``events`` events."""
        counters = {name: counter for name, counter in self._counters().items() if counter in self._tree}
        return {
            name: float(self._tree.counts(c, 0, events).mean()) if events else 0.0
            for name, c in counters.items()
        }

    @property
    def impact_parameters(self) -> Treatment:
        """What is done to the tracks' impact parameters: decided once per file, by its first events with tracks.

        Raises:
            FileError: if they are to be smeared, but were already.
        """
        if self._treatment is None:
            settings = self._config.impact_parameters
            d0, dz = (
                Resolution(r.constant_um, r.scattering_um_gev, r.forward) for r in (settings.d0, settings.dz)
            )
            self._treatment = decide(settings.mode, d0, dz, self._first_tracks(), self.path)
            self.conventions["impact parameters"] = str(self._treatment)
            for column in IMPACT_COLUMNS:
                if self._treatment.kind == "smeared":
                    self.conventions.pop(f"constituents.{column}", None)
                if settings.mode == "none":
                    self.conventions[f"constituents.{column}"] = (
                        "0, as reading.impact_parameters.mode is none"
                    )
        return self._treatment

    def with_config(self, config: ReadingConfig) -> EventReader:
        """Return another reader of the same open file, with other collections; close only one of the two.

        Raises:
            FileError: if the file lacks what that configuration needs.
        """
        from jetlens.events import read_tree

        return read_tree(self._tree, config)

    def __enter__(self) -> EventReader:
        """Return the reader itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self._tree.close()

    def chunks(self, events: int | None = None) -> Iterator[Chunk]:
        """Yield the file's events in order.

        Args:
            events: most events per chunk; None for as many as ``reading.memory_gb`` allows.

        Raises:
            FileError: if the file turns out to be damaged.
        """
        edges = self._edges(events)
        for start, stop in itertools.pairwise(edges):
            yield self._chunk(start, stop)

    def _edges(self, events: int | None) -> list[int]:
        """Chunk boundaries: where baskets start, if that is within reach, so that none is read twice."""
        leaves = self.leaves()
        if events is None:
            available = max(self._config.memory_gb * 1e9 - _BASE_BYTES, 0.1e9 * self._config.memory_gb)
            events = max(int(available / _COPIES / max(self._tree.bytes_per_event(leaves), 1.0)), 1)
        clusters = self._tree.cluster_edges(leaves)
        edges = [0]
        while edges[-1] < self.entries:
            target = min(edges[-1] + events, self.entries)
            aligned = int(clusters[np.searchsorted(clusters, target, side="right") - 1])
            edges.append(aligned if aligned > edges[-1] else target)
        return edges

    def check(self, branch: str, columns: Mapping[str, NDArray[Any]]) -> None:
        """Refuse values that no detector gives.

        Raises:
            DamagedFileError: naming the branch, if a value is not finite or outside of :data:`RANGES`.
        """
        for name, values in columns.items():
            if len(values) == 0 or (name not in RANGES and values.dtype.kind != "f"):
                continue
            low, high = RANGES.get(name, (-np.inf, np.inf))
            least, most = float(values.min()), float(values.max())  # NaN if there is one
            if not np.isfinite([least, most]).all():
                found = f"{name} that is no number"
            elif least < low or most > high:
                found = f"{name} of {least if least < low else most:.6g}, expected {low:g} to {high:g}"
            else:
                continue
            raise DamagedFileError(f"{self.path}: branch '{branch}' has a {found}; the file is damaged")

    def report_unmatched(self, references: int, matched: int, branches: Sequence[str]) -> None:
        """Fail or warn, as ``reading.unmatched`` says, if references match nothing.

        Raises:
            FileError: if it says ``fail``.
        """
        if matched == references:
            return
        text = (
            f"{self.path}: {references - matched} of {references} constituent references match no object in "
            f"{', '.join(branches)}; name the right branches in reading.constituents, or set reading.unmatched: warn"
        )
        if self._config.unmatched == "fail":
            raise FileError(text)
        warnings.warn(text, JetlensWarning, stacklevel=2)

    @abc.abstractmethod
    def jet_collections(self) -> list[str]:
        """Names of the file's collections of jets."""

    @abc.abstractmethod
    def _counters(self) -> dict[str, str]:
        """Counter branch of every collection."""

    @abc.abstractmethod
    def _first_tracks(self) -> Mapping[str, NDArray[Any]]:
        """Columns of the charged constituents of the first events, as the file has them; empty where it has none."""

    @abc.abstractmethod
    def leaves(self) -> Sequence[str]:
        """Every leaf that reading may need."""

    @abc.abstractmethod
    def _chunk(self, start: int, stop: int) -> Chunk:
        """Read the light leaves of some events."""


def by_falling_pt(owner: Index, pt: NDArray[Any], jets: int) -> tuple[Index, Index]:
    """Order constituents by jet, and by falling pT within a jet.

    One sort of a 64-bit number that holds jet, inverted pT and position: many times faster than ``lexsort``.

    Args:
        owner: the jet of each constituent, rising, int64 (n,).
        pt: transverse momenta, not negative, (n,); compared in single precision.
        jets: number of jets.

    Returns:
        order, int64 (n,), and the jets' offsets, int64 (jets + 1,). Equal pT keep their order.
    """
    pt = pt.astype(np.float32) + 0.0  # −0.0 has a sign bit, and would be sorted as the largest
    counts = np.bincount(owner, minlength=jets)
    offsets = offsets_from_counts(counts)
    if jets >= 1 << 20 or counts.max(initial=0) >= 1 << 12:
        return np.lexsort((-pt, owner)), offsets
    position = np.arange(len(owner)) - offsets[owner]
    falling = np.uint32(0xFFFFFFFF) - pt.view(np.uint32)
    key = (owner.astype(np.uint64) << np.uint64(44)) | (falling.astype(np.uint64) << np.uint64(12))
    key |= position.astype(np.uint64)
    key.sort()
    return offsets[owner] + (key & np.uint64(0xFFF)).astype(np.int64), offsets


PROBE_EVENTS = 200
"""How many events at a time are looked at to find out how a file is made."""
IMPACT_COLUMNS = ("d0", "d0_error", "dz", "dz_error")
TRACK_COLUMNS = ("pt", "eta", *IMPACT_COLUMNS)
CONSTITUENT_COLUMNS = ("pt", "eta", "phi", "mass", "charge", "type", *IMPACT_COLUMNS)


def gather(candidates: Sequence[Jagged], rows: Index, owner: Index, jets: int) -> Jagged:
    """Collect the constituents of jets from the objects they were found among.

    Args:
        candidates: collections with :data:`CONSTITUENT_COLUMNS`.
        rows: rows into the joined collections, int64 (n,).
        owner: the jet of each, rising, int64 (n,).
        jets: number of jets.

    Returns:
        one entry per jet, falling in pT; η cut to ±20, φ in (−π, π].
    """
    pt = np.concatenate([c["pt"] for c in candidates])[rows]
    order, offsets = by_falling_pt(owner, pt, jets)
    rows = rows[order]
    columns = {"pt": pt[order]}
    for name in CONSTITUENT_COLUMNS[1:]:
        columns[name] = np.concatenate([c[name] for c in candidates])[rows]
    columns["eta"] = np.clip(columns["eta"], -MAX_ABS_ETA, MAX_ABS_ETA)
    columns["phi"] = wrap_phi(columns["phi"])
    return Jagged(offsets, columns)


def empty_collection(events: int, name: str) -> Jagged:
    """Return a collection without objects, with all the columns that it would have."""
    columns: dict[str, NDArray[Any]] = {leaf: np.zeros(0, dtype=np.float32) for leaf in LEAVES[name]}
    columns |= {leaf: np.zeros(0, dtype=np.int32) for leaf in ("b_tag", "charge") if leaf in columns}
    if name == "fat_jets":
        columns["row"] = np.zeros(0, dtype=np.int64)
    return Jagged(np.zeros(events + 1, dtype=np.int64), columns)


def is_b_tagged(b_tag: NDArray[Any]) -> Mask:
    """Tell which jets are b-tagged: bit 0 of the tag is set (Delphes' first working point)."""
    return np.asarray(b_tag.astype(np.int64) & 1, dtype=bool)


def type_of_branch(branch: str) -> int | None:
    """The type of all objects of a branch; None where it depends on the object."""
    for word, kind in (
        ("Track", "track"),
        ("Photon", "photon"),
        ("NeutralHadron", "neutral_hadron"),
        ("Tower", "tower"),
    ):
        if word in branch:
            return TYPES[kind]
    return None


def is_generated(name: str) -> bool:
    """Tell whether a collection is the generator's, by the names that Delphes and NanoAOD give: no detector saw it."""
    return re.match(r"(Sub)?Gen|LHE|Particle$", name) is not None


def types_of_particles(charge: NDArray[Any], pid: NDArray[Any] | None) -> NDArray[np.uint8]:
    """Types of particles by charge and PDG code."""
    photon = np.zeros(len(charge), dtype=bool) if pid is None else pid == 22
    kinds = np.where(charge != 0, TYPES["track"], np.where(photon, TYPES["photon"], TYPES["neutral_hadron"]))
    return kinds.astype(np.uint8)
