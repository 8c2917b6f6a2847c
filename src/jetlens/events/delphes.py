"""Reading Delphes files, versions 3.4 and 3.5, without ROOT and without Delphes.

What is assumed where a file lacks a leaf (each use is recorded in ``EventReader.conventions``):

=========================  ==========================================================================
missing                    convention
=========================  ==========================================================================
track ``Mass`` (3.4)       0: smearing makes tracks massless there, and so the jet mass closes
tower, photon mass         0: towers are massless; their stored ``E`` is rounded, ET·cosh η is not
``Charge``, ``D0``, ``DZ``  0, and so are the errors ``ErrorD0``, ``ErrorDZ``; what was never measured is
                            smeared, see :mod:`jetlens.events.impact_parameters`
|η| above 20 (±999.9)      cut to 20: Delphes' mark for an object along the beam, its pT is 0
``BTag``, ``Area``, ``Tau``  0
``SoftDroppedJet``         ``SoftDroppedP4[0]``, the same vector; without both, a soft-drop mass of 0
``NCharged``, ``NNeutrals`` 0
electron, muon mass        0.000511, 0.105658 GeV
``Event.Weight``           1
``Event.Number``           the entry's position in the file
``ScalarHT``               scalar sum of the small-radius jets' pT
=========================  ==========================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from jetlens.config.reading import ReadingConfig
from jetlens.errors import DamagedFileError, FileError, did_you_mean
from jetlens.events.integrity import check_closure
from jetlens.events.jagged import Column, Index, Jagged, offsets_from_counts
from jetlens.events.kinematics import wrap_phi
from jetlens.events.reader import (
    ELECTRON_MASS,
    MUON_MASS,
    PROBE_EVENTS,
    TRACK_COLUMNS,
    TYPES,
    Chunk,
    Constituents,
    EventReader,
    empty_collection,
    gather,
    type_of_branch,
    types_of_particles,
)
from jetlens.events.references import ID_BITS, UNMATCHED, Candidates, parse_reference_arrays, resolve
from jetlens.events.rootfile import RootTree

TREES = ("Delphes",)
_KINEMATICS = {"pt": "PT", "eta": "Eta", "phi": "Phi"}
_JET = {**_KINEMATICS, "mass": "Mass"}
_OPTIONAL = {
    "fat_jets": {"b_tag": "BTag", "n_charged": "NCharged", "n_neutrals": "NNeutrals"},
    "jets": {"b_tag": "BTag"},
    "electrons": {"charge": "Charge"},
    "muons": {"charge": "Charge"},
}
_LEPTON_MASS = {"electrons": ELECTRON_MASS, "muons": MUON_MASS}
_IMPACT = {"charge": "Charge", "d0": "D0", "d0_error": "ErrorD0", "dz": "DZ", "dz_error": "ErrorDZ"}
_VECTOR_BYTES = 64  # a TLorentzVector: two headers of 16 bytes, x, y, z, E in double precision
_BY_JET = {"Gen": ("Particle",), "Calo": ("Tower",), "Track": ("Track",)}
_GROUPS = (
    ("EFlowTrack", "EFlowPhoton", "EFlowNeutralHadron"),
    ("Track", "Tower"),
    ("ParticleFlowCandidate",),
)
"""Where the constituents of reconstructed jets may be; those of the generator's jets are in :data:`_BY_JET`."""


class DelphesReader(EventReader):
    """Reads the Delphes tree of one file."""

    format = "delphes"

    def __init__(self, tree: RootTree, config: ReadingConfig) -> None:
        """Check that all that is needed is there.

        Raises:
            FileError: naming the missing branch, and what the file has instead.
        """
        super().__init__(tree, config)
        names = {name: getattr(config, name) for name in ("fat_jets", "jets", "electrons", "muons")}
        self._collections: dict[str, str] = {
            name: branch for name, branch in names.items() if branch is not None
        }
        self._columns: dict[str, dict[str, str]] = {}
        for name, branch in self._collections.items():
            self._require_collection(name, branch)
            self._columns[name] = self._find_columns(name, branch)
        self._constituents_leaf: str | None = None
        if config.fat_jets is not None and config.leading_jets > 0:
            self._constituents_leaf = f"{config.fat_jets}.Constituents"
            tree.require(self._constituents_leaf, "the fat jets' constituents")
        if config.missing_energy is not None:
            tree.require(
                f"{config.missing_energy}.MET", "the missing transverse momentum (reading.missing_energy)"
            )
        self._check_weight()
        self.branches: list[str] | None = None
        if config.constituents is not None:
            self.branches = list(config.constituents)
            for branch in self.branches:
                momentum = "ET" if f"{branch}.ET" in tree else "PT"
                for leaf in ("fUniqueID", "Eta", "Phi", momentum):
                    tree.require(f"{branch}.{leaf}", "constituents (reading.constituents)")
            self._note_constituents(self.branches)
        self._note_conventions()

    def jet_collections(self) -> list[str]:
        """Names of the file's branches that are collections of jets."""
        return [
            name
            for name in self._tree.names
            if f"{name}.PT" in self._tree and f"{name}.Mass" in self._tree and f"{name}.BTag" in self._tree
        ]

    def _counters(self) -> dict[str, str]:
        return {name: name for name in self._tree.names if f"{name}_size" in self._tree}

    def _require_collection(self, name: str, branch: str) -> None:
        if branch in self._tree and f"{branch}.PT" in self._tree:
            for leaf in (_JET if "jets" in name else _KINEMATICS).values():
                self._tree.require(f"{branch}.{leaf}", f"reading.{name}")
            return
        found = (
            self.jet_collections()
            if "jets" in name
            else [n[:-3] for n in self._tree.names if n.endswith(".PT")]
        )
        hint = did_you_mean(branch, found) if found else ""
        listed = f"it has: {', '.join(found)}" if found else "it has none at all"
        kind = "jet collection" if "jets" in name else "collection"
        raise FileError(
            f"{self.path}: has no {kind} '{branch}' (reading.{name}); {listed}"
            f"{hint if 'did you mean' in hint else ''}; null switches it off"
        )

    def _find_columns(self, name: str, branch: str) -> dict[str, str]:
        required = _JET if "jets" in name else _KINEMATICS
        columns = {column: f"{branch}.{leaf}" for column, leaf in required.items()}
        for column, leaf in _OPTIONAL[name].items():
            if f"{branch}.{leaf}" in self._tree:
                columns[column] = f"{branch}.{leaf}"
            else:
                self.conventions[f"{name}.{column}"] = f"0, as {branch}.{leaf} is missing"
        if "jets" in name and f"{branch}.Area" not in self._tree:
            self.conventions[f"{name}.area"] = f"0, as {branch}.Area is missing"
        return columns

    def _check_weight(self) -> None:
        if self._config.weight_index is not None:
            self._tree.require("Weight.Weight", "reading.weight_index")
            self.conventions["weight"] = f"Weight.Weight[{self._config.weight_index}]"
        elif "Event.Weight" not in self._tree:
            self.conventions["weight"] = "1, as Event.Weight is missing"
        if "Event.Number" not in self._tree:
            self.conventions["event_number"] = "position in the file, as Event.Number is missing"
        if "ScalarHT.HT" not in self._tree:
            self.conventions["ht"] = "scalar sum of the small-radius jets' pT, as ScalarHT is missing"

    def _note_conventions(self) -> None:
        fat = self._collections.get("fat_jets")
        if fat is None:
            return
        self._groomed = next(
            (leaf for leaf in (f"{fat}.SoftDroppedJet", f"{fat}.SoftDroppedP4[5]") if leaf in self._tree),
            None,
        )
        if self._groomed is None:
            self.conventions["fat_jets.soft_drop_mass"] = "0, as the file has no groomed jets"
        if f"{fat}.Tau[5]" not in self._tree:
            self.conventions["fat_jets.tau"] = "0, as the file has no N-subjettiness"

    def leaves(self) -> Sequence[str]:
        """Every leaf that reading may need."""
        leaves = [leaf for columns in self._columns.values() for leaf in columns.values()]
        met = self._config.missing_energy
        event = [
            "Event.Number",
            "Event.Weight",
            "ScalarHT.HT",
            *([f"{met}.MET", f"{met}.Phi"] if met else []),
        ]
        event += [f"{branch}.Area" for name, branch in self._collections.items() if "jets" in name]
        leaves += [leaf for leaf in event if leaf in self._tree]
        if self._constituents_leaf is not None:
            leaves.append(self._constituents_leaf)
            fat = self._collections["fat_jets"]
            leaves += [x for x in (f"{fat}.Tau[5]", self._groomed) if x is not None and x in self._tree]
            for branch in self._constituent_branches():
                leaves += self._constituent_columns(branch).values()
        return leaves

    # ---- light leaves ------------------------------------------------------------------------------------------

    def _chunk(self, start: int, stop: int) -> Chunk:
        counts = {name: self._tree.counts(branch, start, stop) for name, branch in self._collections.items()}
        collections = {name: self._collection(name, counts[name], start, stop) for name in self._collections}
        for name in _OPTIONAL:
            if name not in collections:
                collections[name] = empty_collection(stop - start, name)
        met, met_phi = self._missing_energy(start, stop)
        return Chunk(
            number=self._event_number(start, stop),
            weight=self._weight(start, stop),
            met=met,
            met_phi=met_phi,
            ht=self._ht(collections["jets"], start, stop),
            collections=collections,
            _resolve=partial(
                self._constituents, start, stop, counts.get("fat_jets"), collections["fat_jets"]
            ),
        )

    def _collection(self, name: str, counts: Index, start: int, stop: int) -> Jagged:
        branch, leaves = self._collections[name], self._columns[name]
        content = self._tree.columns(list(leaves.values()), counts, start, stop)
        columns: dict[str, Column] = {column: content[leaf] for column, leaf in leaves.items()}
        total = int(counts.sum())
        for column in _OPTIONAL[name]:
            columns.setdefault(column, np.zeros(total, dtype=np.int32))
        if name in _LEPTON_MASS:
            columns["mass"] = np.full(total, _LEPTON_MASS[name], dtype=np.float32)
        else:
            columns["area"] = self._area(branch, counts, start, stop)
        if name == "fat_jets":
            columns |= self._substructure(branch, counts, start, stop)
            columns["row"] = np.arange(total)
        self.check(branch, columns)
        columns["phi"] = wrap_phi(columns["phi"])
        return Jagged(offsets_from_counts(counts), columns).sorted_by("pt")

    def _substructure(self, branch: str, counts: Index, start: int, stop: int) -> dict[str, Column]:
        total = int(counts.sum())
        taus = np.zeros((total, 5), dtype=np.float32)
        if (leaf := f"{branch}.Tau[5]") in self._tree:
            taus = self._tree.columns([leaf], counts, start, stop)[leaf]
        columns: dict[str, Column] = {f"tau{n + 1}": taus[:, n] for n in range(5)}
        mass = np.zeros(total, dtype=np.float32)
        if self._groomed is not None:
            vector = self._vectors(self._groomed, counts, start, stop)
            with np.errstate(
                over="ignore", invalid="ignore"
            ):  # of damaged files; the check after tells the user
                square = vector[:, 3] ** 2 - (vector[:, :3] ** 2).sum(axis=1)
                mass = np.sqrt(np.maximum(square, 0)).astype(np.float32)
        return columns | {"soft_drop_mass": mass}

    def _area(self, branch: str, counts: Index, start: int, stop: int) -> NDArray[np.float32]:
        """Transverse size of the jet's area four-vector (Cacciari, Salam, Soyez, arXiv:0802.1188)."""
        if (leaf := f"{branch}.Area") not in self._tree:
            return np.zeros(int(counts.sum()), dtype=np.float32)
        vector = self._vectors(leaf, counts, start, stop)
        return np.hypot(vector[:, 0], vector[:, 1]).astype(np.float32)

    def _vectors(self, leaf: str, counts: Index, start: int, stop: int) -> NDArray[np.float64]:
        """A leaf of TLorentzVector, one or (the first of) five per object: (objects, 4) x, y, z, E."""
        number = 5 if leaf.endswith("[5]") else 1
        data, edges = self._tree.raw(leaf, start, stop)
        if not np.array_equal(edges, offsets_from_counts(counts) * (_VECTOR_BYTES * number)):
            raise DamagedFileError(
                f"{self.path}: branch '{leaf}' does not fit its counter; the file is damaged"
            )
        return data.view(">f8").reshape(-1, 8 * number)[:, 4:8].astype(np.float64)

    def _missing_energy(self, start: int, stop: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        branch = self._config.missing_energy
        if branch is None:
            zero = np.zeros(stop - start, dtype=np.float32)
            return zero, zero
        size = self._one_per_event(f"{branch}.MET", start, stop, "met")
        angle = self._one_per_event(f"{branch}.Phi", start, stop, "phi")
        return size.astype(np.float32), wrap_phi(angle.astype(np.float32))

    def _ht(self, jets: Jagged, start: int, stop: int) -> NDArray[np.float32]:
        if "ScalarHT.HT" in self._tree:
            return self._one_per_event("ScalarHT.HT", start, stop, "ht").astype(np.float32)
        return np.bincount(jets.events, jets["pt"], minlength=stop - start).astype(np.float32)

    def _event_number(self, start: int, stop: int) -> NDArray[np.int64]:
        if "Event.Number" not in self._tree:
            return np.arange(start, stop)
        return self._one_per_event("Event.Number", start, stop).astype(np.int64)

    def _weight(self, start: int, stop: int) -> NDArray[np.float64]:
        index = self._config.weight_index
        if index is None:
            if "Event.Weight" not in self._tree:
                return np.ones(stop - start)
            return self._one_per_event("Event.Weight", start, stop).astype(np.float64)
        counts = self._tree.counts("Weight", start, stop)
        if len(counts) and counts.min() <= index:
            raise FileError(
                f"{self.path}: an event has {counts.min()} weights; reading.weight_index {index} asks for one more"
            )
        weights = self._tree.columns(["Weight.Weight"], counts, start, stop)["Weight.Weight"]
        return weights[offsets_from_counts(counts)[:-1] + index].astype(np.float64)

    def _one_per_event(self, leaf: str, start: int, stop: int, name: str = "value") -> Column:
        values = self._tree.columns([leaf], np.ones(stop - start, dtype=np.int64), start, stop)[leaf]
        self.check(leaf, {name: values})
        return values

    # ---- constituents ------------------------------------------------------------------------------------------

    def _constituents(
        self, start: int, stop: int, counts: Index | None, fat_jets: Jagged, rows: Index
    ) -> Constituents:
        if self._constituents_leaf is None or counts is None:
            raise FileError(
                f"{self.path}: constituents are switched off (reading.fat_jets, reading.leading_jets)"
            )
        data, edges = self._tree.raw(self._constituents_leaf, start, stop)
        where = f"{self.path}: branch '{self._constituents_leaf}'"
        number, ids = parse_reference_arrays(data, edges, counts, rows, where)
        events = np.repeat(np.arange(stop - start), counts)[rows]
        branches = self._constituent_branches()
        candidates = [self._candidates(branch, start, stop) for branch in branches]
        resolved = resolve(
            np.repeat(events, number), ids, [Candidates(c.offsets, c["id"]) for c in candidates]
        )
        found = resolved.rows != UNMATCHED
        matched = int(np.count_nonzero(found))
        self.report_unmatched(len(ids), matched, branches)
        if resolved.duplicates and self._config.constituents is None:
            raise DamagedFileError(
                f"{self.path}: {resolved.duplicates} objects of {', '.join(branches)} share their id with "
                "another one of the same event; the file is damaged"
            )
        owner = np.repeat(np.arange(len(rows)), number)[found]
        jets = gather(candidates, resolved.rows[found], owner, len(rows))
        if self._config.check_closure and matched == len(ids):
            place = np.empty(len(fat_jets["row"]), dtype=np.int64)
            place[fat_jets["row"]] = np.arange(len(place))
            axes = {name: fat_jets[name][place[rows]] for name in ("pt", "eta", "phi", "mass")}
            check_closure(self.path, axes, jets)
        return Constituents(jets, len(ids), matched)

    def _constituent_columns(self, branch: str) -> dict[str, str]:
        """Leaves to read of one branch of constituents."""
        leaves = {"id": f"{branch}.fUniqueID", "eta": f"{branch}.Eta", "phi": f"{branch}.Phi"}
        leaves["pt"] = f"{branch}.PT" if f"{branch}.PT" in self._tree else f"{branch}.ET"
        for column, leaf in (_IMPACT | {"mass": "Mass", "pid": "PID"}).items():
            wanted = column != "pid" or type_of_branch(branch) is None
            if wanted and f"{branch}.{leaf}" in self._tree:
                leaves[column] = f"{branch}.{leaf}"
        return leaves

    def _candidates(self, branch: str, start: int, stop: int) -> Jagged:
        counts = self._tree.counts(branch, start, stop)
        leaves = self._constituent_columns(branch)
        content = self._tree.columns(list(leaves.values()), counts, start, stop)
        columns = {column: content[leaf] for column, leaf in leaves.items()}
        total = int(counts.sum())
        self.check(branch, columns)
        columns = self._complete(branch, columns, total)
        if "d0" in leaves:
            number = np.repeat(self._event_number(start, stop), counts)
            identity = columns["id"] & ID_BITS
            tracks = columns | {"charged": _charged(columns)}
            columns |= self.impact_parameters.apply(tracks, number, identity, self.sample, self.path)
        return Jagged(offsets_from_counts(counts), columns)

    def _complete(self, branch: str, columns: dict[str, Column], total: int) -> dict[str, Column]:
        """Add charge and type, and zeros for what the file has not."""
        kind = type_of_branch(branch)
        charge = columns.get("charge", np.zeros(total, dtype=np.int8)).astype(np.int8)
        pid = columns.pop("pid", None)
        columns["charge"] = charge
        columns["type"] = (
            np.full(total, kind, dtype=np.uint8) if kind is not None else types_of_particles(charge, pid)
        )
        for column in ("mass", "d0", "d0_error", "dz", "dz_error"):
            columns.setdefault(column, np.zeros(total, dtype=np.float32))
        return columns

    def _first_tracks(self) -> dict[str, Column]:
        for start in range(0, self.entries, PROBE_EVENTS):
            stop = min(start + PROBE_EVENTS, self.entries)
            parts = []
            for branch in self._constituent_branches():
                leaves = self._constituent_columns(branch)
                if "d0" not in leaves:
                    continue
                counts = self._tree.counts(branch, start, stop)
                content = self._tree.columns(list(leaves.values()), counts, start, stop)
                columns = {column: content[leaf] for column, leaf in leaves.items()}
                columns = self._complete(branch, columns, int(counts.sum()))
                parts.append({name: columns[name][_charged(columns)] for name in TRACK_COLUMNS})
            joined = {name: np.concatenate([part[name] for part in parts]) for name in TRACK_COLUMNS if parts}
            if not parts or len(joined["d0"]):
                return joined
        return {}

    def _constituent_branches(self) -> list[str]:
        """Branches that the fat jets' references point to, found by looking at the first events that have any.

        A group of branches is taken whole: the first jets may happen to lack, say, neutral hadrons.
        """
        if self.branches is None:
            self.branches = self._find_branches()
            self._note_constituents(self.branches)
        return self.branches

    def _note_constituents(self, branches: list[str]) -> None:
        """Record where constituents come from, and what those that may be charged lack."""
        self.conventions["constituents"] = ", ".join(branches)
        massless = [b for b in branches if "Track" in b and f"{b}.Mass" not in self._tree]
        if massless:
            self.conventions["track mass"] = f"0, as {massless[0]}.Mass is missing (Delphes 3.4)"
        elif any("Track" in b for b in branches):
            self.conventions["track mass"] = "from the file"
        charged = [b for b in branches if type_of_branch(b) in (None, TYPES["track"])]
        for column, leaf in _IMPACT.items():
            lacking = [b for b in charged if f"{b}.{leaf}" not in self._tree]
            if lacking or not charged:
                why = (
                    f"{lacking[0]}.{leaf} is missing" if lacking else "no branch of constituents holds tracks"
                )
                self.conventions[f"constituents.{column}"] = f"0, as {why}"

    def _find_branches(self) -> list[str]:
        fat = self._collections["fat_jets"]
        known = [
            name
            for name in self._tree.names
            if f"{name}.fUniqueID" in self._tree
            and f"{name}.Eta" in self._tree
            and (f"{name}.PT" in self._tree or f"{name}.ET" in self._tree)
        ]
        first = [branches for prefix, branches in _BY_JET.items() if fat.startswith(prefix)]
        groups = [tuple(b for b in group if b in known) for group in (*first, *_GROUPS)]
        groups = list(dict.fromkeys(group for group in groups if group))
        for start in range(0, self.entries, PROBE_EVENTS):
            found = self._probe(fat, groups, start, min(start + PROBE_EVENTS, self.entries))
            if found:
                return list(dict.fromkeys(branch for group in found for branch in group))
        return list(groups[0]) if groups else []

    def _probe(self, fat: str, groups: list[tuple[str, ...]], start: int, stop: int) -> list[tuple[str, ...]]:
        """Groups of branches, any of which holds an object that is referred to in these events."""
        leaf = f"{fat}.Constituents"
        counts = self._tree.counts(fat, start, stop)
        data, edges = self._tree.raw(leaf, start, stop)
        number, ids = parse_reference_arrays(
            data, edges, counts, np.arange(counts.sum()), f"{self.path}: branch '{leaf}'"
        )
        events = np.repeat(np.repeat(np.arange(stop - start), counts), number)
        found: list[tuple[str, ...]] = []
        for group in groups:
            for branch in group if len(ids) else ():
                own = self._tree.counts(branch, start, stop)
                columns = self._tree.columns([f"{branch}.fUniqueID"], own, start, stop)
                candidates = Candidates(offsets_from_counts(own), columns[f"{branch}.fUniqueID"])
                missed = resolve(events, ids, [candidates]).rows == UNMATCHED
                if not missed.all():
                    found += [group] if group not in found else []
                    events, ids = events[missed], ids[missed]
        return found


def _charged(columns: dict[str, Column]) -> NDArray[np.bool_]:
    return np.asarray((columns["charge"] != 0) | (columns["type"] == TYPES["track"]))
