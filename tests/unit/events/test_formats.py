"""Every format in exactly its public layout, written here: the same jets come out of all of them."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import awkward as ak
import h5py
import numpy as np
import pytest
import uproot
import vector

from jetlens.errors import FileError
from jetlens.events.eventfile import open_events
from jetlens.events.schemas import load_schema
from tests.conftest import ROOT

SCHEMAS = ROOT / "config" / "schemas"
JETS, SLOTS = 40, 12


@pytest.fixture(scope="module")
def jets() -> Any:
    """Massless constituents of one jet per entry, falling in pT, none below 1 GeV; their number differs."""
    rng = np.random.default_rng(5)
    counts = rng.integers(1, SLOTS, JETS)
    total = int(counts.sum())
    flat = {
        "pt": rng.exponential(30, total).astype(np.float32) + 1,
        "eta": rng.normal(0, 0.8, total).astype(np.float32),
        "phi": rng.uniform(-3, 3, total).astype(np.float32),
        "mass": np.zeros(total, np.float32),
    }
    array = ak.zip({k: ak.unflatten(v, counts) for k, v in flat.items()}, with_name="Momentum4D")
    return array[ak.argsort(array.pt, ascending=False)]


def padded(values: Any, slots: int) -> np.ndarray:
    return ak.to_numpy(ak.fill_none(ak.pad_none(values, slots, clip=True), 0)).astype(np.float32)


def jetclass(jets: Any) -> dict[str, Any]:
    """Columns of both JetClass formats."""
    total = ak.sum(jets, axis=1)
    branches: dict[str, Any] = {
        f"part_{k}": ak.values_astype(getattr(jets, k), "f4") for k in ("px", "py", "pz", "energy")
    }
    names = (
        "d0val",
        "d0err",
        "dzval",
        "dzerr",
        "charge",
        "isPhoton",
        "isNeutralHadron",
        "isElectron",
        "isMuon",
    )
    branches |= {f"part_{name}": ak.values_astype(jets.pt * 0 + 1, "f4") for name in names[:5]}
    branches |= {f"part_{name}": ak.values_astype(jets.pt * 0, "i4") for name in names[5:]}
    branches |= {
        f"jet_{k}": ak.to_numpy(getattr(total, k)).astype("f4") for k in ("pt", "eta", "phi", "energy")
    }
    branches |= {
        f"jet_{k}": np.ones(JETS, "f4") for k in ("sdmass", "tau1", "tau2", "tau3", "tau4", "nparticles")
    }
    return branches | {"aux_genpart_pt": np.ones(JETS, "f4")}


def write_jetclass(path: Path, jets: Any) -> None:
    """std::vector<float> in the original; uproot writes counted arrays, which are read in another way (see below)."""
    labels = {"label_QCD": np.arange(JETS) % 2 == 0, "label_Hbb": np.arange(JETS) % 2 == 1}
    with uproot.recreate(path) as file:
        file.mktree("tree", jetclass(jets) | labels)


def write_jetclass2(path: Path, jets: Any) -> None:
    columns = jetclass(jets) | {"jet_label": np.arange(JETS) % 2}
    ak.to_parquet(ak.zip(columns, depth_limit=1), path)


def nanoaod(jets: Any) -> dict[str, Any]:
    """One AK8 jet per event, its candidates in another order than the table of indices has them."""
    total = ak.sum(jets, axis=1)
    candidates = jets[ak.argsort(jets.eta)]
    order = ak.argsort(ak.argsort(candidates.pt, ascending=False))
    axes = ("pt", "eta", "phi", "mass")
    columns = {"event": np.arange(JETS), "luminosityBlock": np.ones(JETS, int), "genWeight": np.ones(JETS)}
    columns |= {f"FatJet_{k}": ak.from_regular(np.asarray(getattr(total, k))[:, np.newaxis]) for k in axes}
    columns |= {f"PFCand_{k}": getattr(candidates, k) for k in axes}
    columns["PFCand_pdgId"] = ak.values_astype(candidates.pt * 0 + 22, "i4")
    columns["FatJetPFCand_jetIdx"] = ak.values_astype(candidates.pt * 0, "i4")
    columns["FatJetPFCand_pfCandIdx"] = ak.values_astype(ak.argsort(order), "i4")
    columns["FatJet_area"] = columns["FatJet_pt"] * 0 + 2
    for name in ("Jet", "Electron", "Muon"):
        columns |= {f"{name}_{k}": columns[f"FatJet_{k}"][:, :0] for k in (*axes, "area")}
    return columns


def write_nanoaod(path: Path, jets: Any) -> None:
    """Counted by one branch per collection, as CMS' framework writes it."""
    columns = nanoaod(jets)
    plain = {name: values for name, values in columns.items() if "_" not in name}
    for group in dict.fromkeys(name.split("_")[0] for name in columns if "_" in name):
        own = {n.split("_", 1)[1]: v for n, v in columns.items() if n.startswith(f"{group}_")}
        plain[group] = ak.zip(own)
    with uproot.recreate(path) as file:
        file.mktree("Events", plain)


def write_nanoaod_rntuple(path: Path, jets: Any) -> None:
    with uproot.recreate(path) as file:
        file.mkrntuple("Events", nanoaod(jets))


def write_top_tagging(path: Path, jets: Any) -> None:
    """A PyTables table as pandas writes it: two blocks, the columns' names pickled in attributes."""
    parts = {
        name: padded(getattr(jets, k), 200)
        for name, k in zip(("E", "PX", "PY", "PZ"), ("energy", "px", "py", "pz"), strict=True)
    }
    names = [f"{name}_{i}" for i in range(200) for name in parts] + [
        "truthE",
        "truthPX",
        "truthPY",
        "truthPZ",
    ]
    block = np.concatenate(
        [np.stack(list(parts.values()), axis=2).reshape(JETS, 800), np.ones((JETS, 4))], axis=1
    )
    dtype = [("index", "<i8"), ("values_block_0", "<f4", (804,)), ("values_block_1", "<i8", (2,))]
    table = np.zeros(JETS, dtype=dtype)
    table["values_block_0"] = block
    table["values_block_1"][:, 1] = np.arange(JETS) % 2
    with h5py.File(path, "w") as file:
        group = file.create_group("table")
        stored = group.create_dataset("table", data=table, compression="gzip")
        for number, columns in enumerate((names, ["ttv", "is_signal_new"])):
            stored.attrs[f"values_block_{number}_kind"] = np.bytes_(pickle.dumps(columns, protocol=0))


def write_energyflow(path: Path, jets: Any) -> None:
    columns = [padded(getattr(jets, k), SLOTS) for k in ("pt", "rapidity", "phi")]
    pdg = np.where(columns[0] > 0, 22, 0)
    np.savez_compressed(path, X=np.stack([*columns, pdg], axis=2).astype("f8"), y=np.arange(JETS) % 2)


def write_arrays(path: Path, jets: Any) -> None:
    columns = [padded(getattr(jets, k), SLOTS) for k in ("eta", "phi", "pt", "energy")]
    columns += [np.zeros_like(columns[0])] * 3
    np.savez(path, arr_0=np.stack(columns, axis=2).astype("f8"))


FORMATS: dict[str, tuple[str, Callable[[Path, Any], None]]] = {
    "jetclass": ("jets.root", write_jetclass),
    "top_tagging": ("jets.h5", write_top_tagging),
    "energyflow": ("jets.npz", write_energyflow),
    "jet_arrays": ("jets.npz", write_arrays),
    "jetclass2": ("jets.parquet", write_jetclass2),
    "nanoaod": ("jets.root", write_nanoaod),
    "nanoaod_rntuple": ("jets.root", write_nanoaod_rntuple),
}


def schema_of(name: str) -> str:
    """What ``reading.format`` says of a format."""
    return "nanoaod" if name.startswith("nanoaod") else f"config/schemas/{name}.yaml"


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_jets_come_out_of_every_format(
    name: str, jets: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, write = FORMATS[name]
    write(tmp_path / file, jets)
    monkeypatch.chdir(ROOT)
    with open_events(str(tmp_path / file), load_schema(schema_of(name))) as events:
        (found,) = events
        small = [batch.with_constituents(batch.events) for batch in events.batches(7)]
    assert ak.all(ak.num(found.fat_jets) == 1)
    constituents = found.fat_jets[:, 0].constituents
    assert ak.array_equal(ak.num(constituents), ak.num(jets))
    for axis in ("px", "py", "pz", "energy"):
        assert np.allclose(
            ak.flatten(getattr(constituents, axis)), ak.flatten(getattr(jets, axis)), rtol=2e-5, atol=1e-4
        )
    total = ak.sum(jets, axis=1)
    assert np.allclose(found.fat_jets[:, 0].pt, total.pt, rtol=1e-5)
    assert np.allclose(found.fat_jets[:, 0].mass, total.mass, rtol=1e-3, atol=0.1)
    assert found.event_number.tolist() == list(range(JETS))
    assert ak.array_equal(ak.concatenate(small).fat_jets.pt, found.fat_jets.pt)


def test_labels_are_marked_as_truth_and_never_features() -> None:
    truth = load_schema(SCHEMAS / "jetclass.yaml").truth
    assert {"label_Hbb", "fat_jets.aux_genpart_pt"} <= truth
    assert not any(name.startswith("fat_jets.constituents") for name in truth)


class Bomb:
    """What an attacker pickles: unpickling it would write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self.path,))


def test_nothing_is_ever_unpickled(tmp_path: Path, jets: Any) -> None:
    mark = tmp_path / "unpickled"
    np.savez(tmp_path / "a.npz", arr_0=np.array([Bomb(mark)], dtype=object))
    write_top_tagging(tmp_path / "b.h5", jets)
    with h5py.File(tmp_path / "b.h5", "a") as file:
        file["table/table"].attrs["values_block_0_kind"] = np.bytes_(pickle.dumps(Bomb(mark), protocol=0))
    for path, name in (("a.npz", "jet_arrays"), ("b.h5", "top_tagging")):
        with (
            pytest.raises(FileError, match=path),
            open_events(str(tmp_path / path), load_schema(SCHEMAS / f"{name}.yaml")),
        ):
            pass
    assert not mark.exists()


def test_three_files_of_one_sample(tmp_path: Path, jets: Any) -> None:
    for number in (1, 2, 3):
        write_arrays(tmp_path / f"sig_{number}.npz", jets[:, : number + 1])
    with open_events(str(tmp_path / "sig_1.npz"), load_schema(SCHEMAS / "three_streams.yaml")) as file:
        (events,) = file
    for number, name in enumerate(("leading", "second", "objects"), start=1):
        assert ak.array_equal(ak.num(events[name]), ak.num(jets[:, : number + 1]))
    assert np.allclose(ak.flatten(events.second.stored_energy), ak.flatten(jets[:, :3].energy), rtol=1e-6)
    np.savez(tmp_path / "sig_3.npz", arr_0=np.zeros((3, 4, 7)))
    with (
        pytest.raises(FileError, match="has 3 entries"),
        open_events(str(tmp_path / "sig_1.npz"), load_schema(SCHEMAS / "three_streams.yaml")),
    ):
        pass


FLAT: dict[str, Any] = {
    "name": "mine",
    "collections": {
        "jets": {
            "fields": {
                "px": {"branch": "jx", "factor": 0.001},
                "py": {"branch": "jy", "factor": 0.001},
                "pz": {"branch": "jz", "factor": 0.001},
                "energy": {"branch": "je", "factor": 0.001},
                "b_tag": {"branch": "score", "above": 0.5},
            },
        }
    },
}


def test_the_missing_momentum_of_a_flat_ntuple(tmp_path: Path, jets: Any) -> None:
    """One branch each, no collection's; or components in MeV."""
    angle = np.linspace(-3, 3, JETS)
    columns = {"met": np.arange(1.0, JETS + 1), "met_phi": angle}
    columns |= {"mpx": 1000 * columns["met"] * np.cos(angle), "mpy": 1000 * columns["met"] * np.sin(angle)}
    columns |= {
        f"j{k[-1] if k != 'energy' else 'e'}": getattr(jets, k) * 1000 for k in ("px", "py", "pz", "energy")
    }
    with uproot.recreate(tmp_path / "a.root") as file:
        file.mktree("ntuple", {**columns, "score": jets.pt})
    components = ["mpx", "mpy"]
    for met in (
        {"pt": "met", "phi": "met_phi"},
        {
            "pt": {"branch": components, "function": "transverse", "factor": 0.001},
            "phi": {"branch": components, "function": "azimuth"},
        },
    ):
        with open_events(str(tmp_path / "a.root"), load_schema({**FLAT, "met": {"fields": met}})) as file:
            (events,) = file
        assert np.allclose(events.met.pt, columns["met"])
        assert np.allclose(events.met.phi, angle)


@pytest.mark.parametrize("kind", ["counted", "rntuple", "parquet"])
def test_a_flat_ntuple_of_ones_own_in_mev(kind: str, jets: Any, tmp_path: Path) -> None:
    columns = {
        f"j{k[-1] if k != 'energy' else 'e'}": ak.values_astype(getattr(jets, k) * 1000, "f4")
        for k in ("px", "py", "pz", "energy")
    }
    columns["score"] = ak.values_astype(jets.pt / 100, "f4")
    path = tmp_path / ("x.parquet" if kind == "parquet" else "x.root")
    if kind == "parquet":
        ak.to_parquet(ak.zip(columns, depth_limit=1), path)
    else:
        with uproot.recreate(path) as file:
            if kind == "counted":
                file.mktree("ntuple", columns)
            else:
                file.mkrntuple("ntuple", columns)
    with open_events(str(path), load_schema(FLAT)) as file:
        (events,) = file
    assert np.allclose(ak.flatten(events.jets.pt), ak.flatten(jets.pt), rtol=1e-5)
    assert np.allclose(ak.flatten(events.jets.eta), ak.flatten(jets.eta), atol=1e-4)
    assert events.jets.b_tag.tolist() == (ak.values_astype(jets.pt / 100, "f4") > 0.5).tolist()
    assert isinstance(events.jets, vector.backends.awkward.MomentumAwkward4D | ak.Array)
