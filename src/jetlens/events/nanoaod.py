"""Reading NanoAOD files that carry particle-flow candidates, into the same arrays as Delphes files.

Candidates are found by index, not by id: ``<FatJet>PFCand_jetIdx`` names the jet, ``<FatJet>PFCand_pfCandIdx`` the row
in ``PFCand_*``. (PFNano's older names ``<FatJet>PFCands_pFCandsIdx`` and ``PFCands_*`` are understood, too.)

What is assumed (each use is recorded in ``EventReader.conventions``):

* A jet's pT and mass are those stored, with energy corrections; its candidates add up to the uncorrected jet,
  ``pt·(1 − rawFactor)``, within the 10-bit mantissa that candidates are stored with (measured: 0.2 %).
* Jets without stored candidates (outside the selection made on writing) have no constituents.
* ``b_tag`` is 0: NanoAOD stores scores, and working points change from year to year.
* A candidate's type and charge follow from its PDG code. ``d0``, ``dz`` and errors are 0 unless stored.
* HT is the scalar sum of the small-radius jets' pT. Missing momentum: PuppiMET, else PFMET, else MET.
* The weight is ``genWeight``, 1 where the file has none (data).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jetlens.config.reading import ReadingConfig
from jetlens.errors import FileError, did_you_mean
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
)
from jetlens.events.rootfile import RootTree

TREES = ("Events",)
_KINEMATICS = ("pt", "eta", "phi")
_REQUIRED: dict[str, tuple[str, ...]] = {"fat_jets": (*_KINEMATICS, "mass"), "jets": (*_KINEMATICS, "mass")}
_REQUIRED |= {"electrons": _KINEMATICS, "muons": _KINEMATICS}
_OPTIONAL = {
    "fat_jets": {
        "area": "area",
        "soft_drop_mass": "msoftdrop",
        "n_charged": "chMultiplicity",
        "n_neutrals": "neMultiplicity",
        **{f"tau{n}": f"tau{n}" for n in range(1, 6)},
    },
    "jets": {"area": "area"},
    "electrons": {"charge": "charge", "mass": "mass"},
    "muons": {"charge": "charge", "mass": "mass"},
}
_MASS = {"electrons": ELECTRON_MASS, "muons": MUON_MASS}
_MISSING = ("PuppiMET", "PFMET", "MET")
_LAYOUTS = (("PFCand", "pfCandIdx", "PFCand"), ("PFCands", "pFCandsIdx", "PFCands"))
_IMPACT = {"d0": "d0", "d0_error": "d0Err", "dz": "dz", "dz_error": "dzErr"}
_NEUTRAL = {22: "photon", 2: "photon", 130: "neutral_hadron", 1: "neutral_hadron"}


class NanoReader(EventReader):
    """Reads the Events tree of one NanoAOD file."""

    format = "nanoaod"

    def __init__(self, tree: RootTree, config: ReadingConfig) -> None:
        """Check that all that is needed is there.

        Raises:
            FileError: naming the missing branch, and what the file has instead.
        """
        super().__init__(tree, config)
        names = {name: getattr(config, name) for name in _OPTIONAL}
        self._collections: dict[str, str] = {
            name: branch for name, branch in names.items() if branch is not None
        }
        self._columns = {name: self._find_columns(name, branch) for name, branch in self._collections.items()}
        self._missing = self._find_missing()
        self._table: tuple[str, str, str] | None = None
        if config.fat_jets is not None and config.leading_jets > 0:
            self._table = self._find_table(config.fat_jets)
            candidates = self._table[2]
            self.conventions["constituents"] = candidates
            for column, leaf in _IMPACT.items():
                if f"{candidates}_{leaf}" not in tree:
                    self.conventions[f"constituents.{column}"] = f"0, as {candidates}_{leaf} is missing"
        if config.weight_index is not None:
            raise FileError(f"{self.path}: reading.weight_index is not supported for NanoAOD; leave it null")
        if "genWeight" not in tree:
            self.conventions["weight"] = "1, as genWeight is missing"
        self.conventions["b_tag"] = "0, as NanoAOD stores scores instead of tags"
        self.conventions["ht"] = "scalar sum of the small-radius jets' pT"

    def jet_collections(self) -> list[str]:
        """Names of collections that look like jets."""
        names = (n[:-5] for n in self._tree.names if n.endswith("_area"))
        return [name for name in names if f"n{name}" in self._tree and f"{name}_mass" in self._tree]

    def _counters(self) -> dict[str, str]:
        return {
            n[:-3]: f"n{n[:-3]}" for n in self._tree.names if n.endswith("_pt") and f"n{n[:-3]}" in self._tree
        }

    def _find_columns(self, name: str, branch: str) -> dict[str, str]:
        if f"n{branch}" not in self._tree or f"{branch}_pt" not in self._tree:
            found = (
                self.jet_collections()
                if "jets" in name
                else [n[:-3] for n in self._tree.names if n.endswith("_pt")]
            )
            raise FileError(
                f"{self.path}: has no collection '{branch}' (reading.{name}){did_you_mean(branch, found)}"
                "; null switches it off"
            )
        columns = {column: f"{branch}_{column}" for column in _REQUIRED[name]}
        for leaf in columns.values():
            self._tree.require(leaf, f"reading.{name}")
        for column, leaf in _OPTIONAL[name].items():
            if f"{branch}_{leaf}" in self._tree:
                columns[column] = f"{branch}_{leaf}"
            elif column != "tau5":
                value = _MASS.get(name, 0) if column == "mass" else 0
                self.conventions[f"{name}.{column}"] = f"{value}, as {branch}_{leaf} is missing"
        return columns

    def _find_missing(self) -> str | None:
        wanted = self._config.missing_energy
        names = _MISSING if wanted == ReadingConfig().missing_energy else (wanted,)
        if wanted is None:
            return None
        found = next((name for name in names if f"{name}_pt" in self._tree), None)
        if found is None:
            raise FileError(
                f"{self.path}: has no '{names[0]}_pt' (reading.missing_energy); null switches it off"
            )
        self.conventions["missing momentum"] = found
        return found

    def _find_table(self, fat: str) -> tuple[str, str, str]:
        for suffix, index, candidates in _LAYOUTS:
            table = f"{fat}{suffix}"
            if f"{table}_{index}" in self._tree and f"{candidates}_pt" in self._tree:
                return table, f"{table}_{index}", candidates
        raise FileError(
            f"{self.path}: has no '{fat}PFCand_pfCandIdx': plain NanoAOD holds no candidates of '{fat}'; "
            "use a file with them, or set reading.leading_jets: 0"
        )

    def leaves(self) -> Sequence[str]:
        """Every leaf that reading may need."""
        leaves = [leaf for columns in self._columns.values() for leaf in columns.values()]
        if self._missing is not None:
            leaves += [f"{self._missing}_pt", f"{self._missing}_phi"]
        if self._table is not None:
            leaves += [f"{self._table[0]}_jetIdx", self._table[1], *self._candidate_columns().values()]
        return [*leaves, *(leaf for leaf in ("event", "genWeight") if leaf in self._tree)]

    def _chunk(self, start: int, stop: int) -> Chunk:
        counts = {
            name: self._tree.counts(f"n{branch}", start, stop) for name, branch in self._collections.items()
        }
        collections = {name: self._collection(name, counts[name], start, stop) for name in self._collections}
        for name in _OPTIONAL:
            collections.setdefault(name, empty_collection(stop - start, name))
        jets = collections["jets"]
        zero = np.zeros(stop - start, dtype=np.float32)
        met, phi = (
            self._number(f"{self._missing}_{x}", start, stop, x) if self._missing else zero
            for x in ("pt", "phi")
        )
        weight = np.ones(stop - start)
        if "genWeight" in self._tree:
            weight = self._number("genWeight", start, stop).astype(np.float64)
        return Chunk(
            number=self._event_number(start, stop),
            weight=weight,
            met=met,
            met_phi=wrap_phi(phi),
            ht=np.bincount(jets.events, jets["pt"], minlength=stop - start).astype(np.float32),
            collections=collections,
            _resolve=partial(self._constituents, start, stop, counts.get("fat_jets")),
        )

    def _event_number(self, start: int, stop: int) -> NDArray[np.int64]:
        if "event" not in self._tree:
            return np.arange(start, stop)
        return self._tree.numbers("event", start, stop).astype(np.int64)

    def _number(self, leaf: str, start: int, stop: int, name: str = "value") -> Column:
        values = self._tree.numbers(leaf, start, stop)
        self.check(leaf, {name: values})
        return values

    def _collection(self, name: str, counts: Index, start: int, stop: int) -> Jagged:
        leaves, total = self._columns[name], int(counts.sum())
        content = self._tree.columns(list(leaves.values()), counts, start, stop)
        columns: dict[str, Column] = {column: content[leaf] for column, leaf in leaves.items()}
        self.check(self._collections[name], columns)
        columns["phi"] = wrap_phi(columns["phi"])
        for leaf, empty in empty_collection(0, name).columns.items():
            columns.setdefault(
                leaf, np.full(total, _MASS.get(name, 0) if leaf == "mass" else 0, dtype=empty.dtype)
            )
        if name == "fat_jets":
            columns["row"] = np.arange(total)
            for leaf in ("soft_drop_mass", *(f"tau{n}" for n in range(1, 6))):
                columns[leaf] = np.maximum(columns[leaf], 0)  # −1 stands for "not computed"
        return Jagged(offsets_from_counts(counts), columns).sorted_by("pt")

    def _candidate_columns(self) -> dict[str, str]:
        assert self._table is not None
        branch = self._table[2]
        columns = {name: f"{branch}_{name}" for name in ("pt", "eta", "phi", "mass")} | {
            "pid": f"{branch}_pdgId"
        }
        return columns | {
            n: f"{branch}_{leaf}" for n, leaf in _IMPACT.items() if f"{branch}_{leaf}" in self._tree
        }

    def _constituents(self, start: int, stop: int, counts: Index | None, rows: Index) -> Constituents:
        if self._table is None or counts is None:
            raise FileError(
                f"{self.path}: constituents are switched off (reading.fat_jets, reading.leading_jets)"
            )
        table, index, branch = self._table
        links = self._tree.counts(f"n{table}", start, stop)
        content = self._tree.columns([f"{table}_jetIdx", index], links, start, stop)
        events = np.repeat(np.arange(stop - start), links)
        jet, candidate = (content[leaf].astype(np.int64) for leaf in (f"{table}_jetIdx", index))
        candidates = self._candidates(branch, start, stop)
        known = (jet >= 0) & (jet < counts[events])
        position = np.full(int(counts.sum()) + 1, -1)
        position[rows] = np.arange(len(rows))
        owner = np.where(known, position[np.where(known, offsets_from_counts(counts)[events] + jet, -1)], -1)
        wanted = owner >= 0
        found = wanted & (candidate >= 0) & (candidate < candidates.counts[events])
        references, matched = int(wanted.sum()), int(found.sum())
        self.report_unmatched(references, matched, [branch])
        order = np.argsort(owner[found], kind="stable")
        chosen = (candidates.offsets[events] + candidate)[found][order]
        return Constituents(gather([candidates], chosen, owner[found][order], len(rows)), references, matched)

    def _candidates(self, branch: str, start: int, stop: int) -> Jagged:
        counts, leaves = self._tree.counts(f"n{branch}", start, stop), self._candidate_columns()
        content = self._tree.columns(list(leaves.values()), counts, start, stop)
        columns = {column: content[leaf] for column, leaf in leaves.items()}
        self.check(branch, columns)
        columns["charge"], columns["type"] = _identify(columns.pop("pid"))
        for column in _IMPACT:
            columns.setdefault(column, np.zeros(int(counts.sum()), dtype=np.float32))
        if "d0" in leaves:
            number = np.repeat(self._event_number(start, stop), counts)
            position = np.arange(len(number)) - np.repeat(offsets_from_counts(counts)[:-1], counts)
            tracks = columns | {"charged": columns["charge"] != 0}
            columns |= self.impact_parameters.apply(tracks, number, position, self.sample, self.path)
        return Jagged(offsets_from_counts(counts), columns)

    def _first_tracks(self) -> dict[str, Column]:
        if self._table is None or "d0" not in (leaves := self._candidate_columns()):
            return {}
        for start in range(0, self.entries, PROBE_EVENTS):
            stop = min(start + PROBE_EVENTS, self.entries)
            counts = self._tree.counts(f"n{self._table[2]}", start, stop)
            content = self._tree.columns(list(leaves.values()), counts, start, stop)
            columns = {column: content[leaf] for column, leaf in leaves.items()}
            charged = _identify(columns["pid"])[0] != 0
            if charged.any():
                zero = np.zeros(len(charged), dtype=np.float32)
                return {name: columns.get(name, zero)[charged] for name in TRACK_COLUMNS}
        return {}


def _identify(pid: NDArray[Any]) -> tuple[NDArray[np.int8], NDArray[np.uint8]]:
    """Charge and type of particle-flow candidates by PDG code; 1 and 2 mark the forward calorimeter's."""
    size = np.abs(pid)
    kind = np.full(len(pid), TYPES["track"], dtype=np.uint8)
    for code, name in _NEUTRAL.items():
        kind[size == code] = TYPES[name]
    lepton = np.isin(size, (11, 13, 15))
    charge = np.where(kind == TYPES["track"], np.where(lepton, -np.sign(pid), np.sign(pid)), 0)
    return charge.astype(np.int8), kind
