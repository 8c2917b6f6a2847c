from __future__ import annotations

from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot
import vector

from jetlens.expressions import Namespace, define
from tests.conftest import DEMO

vector.register_awkward()

MOMENTUM = ("pt", "eta", "phi", "mass")
COLLECTIONS: dict[str, tuple[str, dict[str, str]]] = {
    "fat_jets": ("FatJet", {"PT": "pt", "Eta": "eta", "Phi": "phi", "Mass": "mass"}),
    "jets": ("Jet", {"PT": "pt", "Eta": "eta", "Phi": "phi", "Mass": "mass", "BTag": "b_tag"}),
    "electrons": ("Electron", {"PT": "pt", "Eta": "eta", "Phi": "phi", "Charge": "charge"}),
    "muons": ("Muon", {"PT": "pt", "Eta": "eta", "Phi": "phi", "Charge": "charge"}),
}
KINDS: dict[str, Any] = {
    "charge": "integer",
    "b_tag": "boolean",
    "type": "integer",
    "event_number": "integer",
}


def columns() -> dict[str, Any]:
    """Kinds of the columns that :func:`events` has."""
    names = ["event_number", "weight", "ht", "met.pt", "met.phi"]
    for name, (_, leaves) in COLLECTIONS.items():
        names += [f"{name}.{leaf}" for leaf in (*leaves.values(), "mass")]
    names += [f"fat_jets.tau{k}" for k in range(1, 6)]
    names += [f"fat_jets.constituents.{leaf}" for leaf in (*MOMENTUM, "charge", "type")]
    return {name: KINDS.get(name.split(".")[-1], "number") for name in names}


@pytest.fixture(scope="session")
def events() -> Any:
    """300 events of the demo by uproot alone, with random constituents of the two leading fat jets of each."""
    with uproot.open(DEMO / "signal_H1000_hh_4b.root") as file:
        tree = file["Delphes"]
        content: dict[str, Any] = {}
        for name, (branch, leaves) in COLLECTIONS.items():
            arrays = {new: tree[f"{branch}.{old}"].array(entry_stop=300) for old, new in leaves.items()}
            arrays["mass"] = arrays["mass"] if "mass" in arrays else arrays["pt"] * 0
            arrays |= {leaf: ak.values_astype(arrays[leaf], np.float64) for leaf in MOMENTUM}
            if "b_tag" in arrays:
                arrays["b_tag"] = (arrays["b_tag"] & 1) == 1
            if name == "fat_jets":
                taus = tree["FatJet.Tau[5]"].array(entry_stop=300)
                arrays |= {f"tau{k + 1}": taus[..., k] for k in range(5)}
                arrays["constituents"] = _constituents(arrays["pt"])
            content[name] = ak.zip(arrays, depth_limit=2, with_name="Momentum4D")
        met = {"pt": "MissingET.MET", "phi": "MissingET.Phi"}
        pairs = {leaf: ak.flatten(tree[branch].array(entry_stop=300)) for leaf, branch in met.items()}
        content["met"] = ak.zip(
            {leaf: ak.values_astype(array, np.float64) for leaf, array in pairs.items()},
            with_name="Momentum2D",
        )
        content["ht"] = ak.flatten(tree["ScalarHT.HT"].array(entry_stop=300))
        content["event_number"] = ak.flatten(tree["Event.Number"].array(entry_stop=300))
        content["weight"] = np.ones(300)
    return ak.zip(content, depth_limit=1)


def _constituents(pt: Any) -> Any:
    rng = np.random.default_rng(7)
    counts = np.where(np.asarray(ak.flatten(ak.local_index(pt))) < 2, rng.integers(0, 12, ak.count(pt)), 0)
    number = int(counts.sum())
    values: dict[str, Any] = {
        "pt": rng.exponential(5, number),
        "eta": rng.normal(0, 1.5, number),
        "phi": rng.uniform(-np.pi, np.pi, number),
        "mass": np.full(number, 0.14),
        "charge": rng.integers(-1, 2, number).astype(np.int8),
        "type": rng.integers(0, 4, number).astype(np.uint8),
    }
    return ak.unflatten(ak.unflatten(ak.zip(values, with_name="Momentum4D"), counts), ak.num(pt))


@pytest.fixture(scope="session")
def names() -> Namespace:
    definitions = {"m_bb": "(b_jets[0] + b_jets[1]).mass", "b_jets": "jets[jets.b_tag]"}
    return define(Namespace.from_columns(columns()), definitions)
