from __future__ import annotations

from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot
import yaml
from typer.testing import CliRunner

from jetlens.cli import app
from jetlens.config.reading import ReadingConfig
from jetlens.errors import FileError
from jetlens.events import load_schema, open_events
from jetlens.events.inspect import inspect_file
from tests.conftest import DEMO, ROOT, shared_data

EFLOW = ("EFlowTrack", "EFlowPhoton", "EFlowNeutralHadron")


def test_demo_file() -> None:
    summary = inspect_file(str(DEMO / "ttbar_had.root"))
    assert (summary.format, summary.tree, summary.events) == ("delphes", "Delphes", 900)
    jet, fat = summary.collections
    assert (jet.name, fat.name) == ("Jet", "FatJet")
    assert "Jet.Constituents" in jet.problem
    assert fat.constituents == EFLOW
    assert fat.match_rate == 1
    assert fat.closure < 1e-6
    assert summary.sizes["EFlowTrack"] > 10
    assert summary.reading == {"format": "delphes"}


@pytest.mark.parametrize(
    ("name", "pointing"),
    [
        ("stock_card_signal_30_events", {"FatJet": EFLOW, "Jet": EFLOW, "GenJet": ("Particle",)}),
        ("foreign_delphes34_10_events", {"FatJet": EFLOW, "Jet": EFLOW, "GenJet": ("Particle",)}),
        ("foreign_nanoaod_v15_200_events", {"FatJet": ("PFCand",)}),
    ],
)
def test_where_constituents_are(name: str, pointing: dict[str, tuple[str, ...]]) -> None:
    summary = inspect_file(str(shared_data(f"delphes_formats/{name}.root")))
    found = {c.name: c for c in summary.collections if c.references}
    for collection, branches in pointing.items():
        assert set(found[collection].constituents) == set(branches)
        assert found[collection].match_rate == 1


def test_a_file_without_jets_gets_a_configuration_that_works() -> None:
    path = shared_data("delphes_formats/foreign_no_jets_1000_events.root")
    summary = inspect_file(str(path))
    assert summary.collections == ()
    with ReadingConfig.model_validate(summary.reading).open(str(path)) as file:
        assert sum(len(events) for events in file) == 1000


@pytest.mark.parametrize(
    ("name", "fat_jets"),
    [("delphes_jetclass2_card_10_events", "JetPUPPIAK8"), ("delphes_34_gen_jets_10_events", "Jet")],
)
def test_nothing_of_the_generator_is_proposed(name: str, fat_jets: str) -> None:
    path = str(shared_data(f"foreign_formats/{name}.root"))
    summary = inspect_file(path)
    assert summary.reading["branches"]["fat_jets"] == fat_jets
    generated = [c for c in summary.collections if c.name.startswith("Gen")]
    assert generated
    assert all(
        c.match_rate == 1 and not c.problem for c in generated
    )  # the files are healthy, and said to be
    assert {c.name for c in summary.collections}.isdisjoint({"Particle"})
    with ReadingConfig.model_validate(summary.reading).open(path) as file:
        batch = next(file.batches())
        found = batch.resolve(batch.events)[1]["fat_jets"]
        assert found.matched == found.references > 0
        assert "Particle," not in file.assumed["constituents"] + ","


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="does not exist"):
        inspect_file(str(tmp_path / "none.root"))


@pytest.mark.parametrize(
    ("name", "format_"),
    [
        ("nano_tt_v12.root", "nanoaod"),
        ("nano_dy_rntuple.root", "nanoaod"),
        ("jetclass2_example.parquet", "config/schemas/jetclass2.yaml"),
        ("test_FCC_Winter2023.root", "unknown"),
    ],
)
def test_other_formats_get_a_reading_section_that_works(
    name: str, format_: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(shared_data(f"foreign_formats/{name}"))
    monkeypatch.chdir(ROOT)
    summary = inspect_file(path)
    assert summary.format == format_
    written = tmp_path / "mine.yaml"
    result = CliRunner().invoke(app, ["inspect", path, "--write", str(written)])
    assert result.exit_code == 0, result.output
    reading = ReadingConfig.model_validate(yaml.safe_load(written.read_text(encoding="utf-8"))["reading"])
    with reading.open(path) as file:
        assert sum(len(events) for events in file) == summary.events
    if format_ == "unknown":
        assert all(column in result.output for column in summary.columns)
        assert {"jet", "reconstructedparticles"} <= set(file.schema.collections)


def test_a_flat_ntuple_gets_a_schema_of_its_own(tmp_path: Path) -> None:
    pt = ak.Array([[40e3, 30e3], [], [50e3]])
    columns = {
        f"el_{name}": pt * factor for name, factor in (("pt", 1), ("eta", 1e-5), ("phi", 1e-5), ("e", 2))
    }
    columns |= {"el_truthType": pt * 0, "event_label": [1, 0, 1]}
    with uproot.recreate(tmp_path / "flat.root") as file:
        file.mktree("ntuple", columns)
    summary = inspect_file(str(tmp_path / "flat.root"))
    assert summary.schema is not None
    schema = load_schema(summary.schema)
    assert "el.truthType" in schema.truth
    with open_events(str(tmp_path / "flat.root"), schema) as events:
        assert next(iter(events)).el.pt.tolist() == [[40, 30], [], [50]]


def test_nanoaod_is_known_by_its_columns(tmp_path: Path) -> None:
    """In parquet, awkward's own list types included, and in a tree of another name."""
    pt = ak.Array([[50.0, 30.0], [], [40.0]])
    columns = {"event": np.arange(3), "luminosityBlock": np.ones(3, int), "nJet": ak.num(pt)}
    columns |= {f"Jet_{name}": ak.values_astype(pt * 0.01, "f4") for name in ("eta", "phi", "mass", "area")}
    columns |= {"Jet_pt": pt, "genWeight": np.ones(3), "PuppiMET_pt": np.ones(3), "PuppiMET_phi": np.ones(3)}
    for extension in (False, True):
        ak.to_parquet(
            ak.zip(columns, depth_limit=1), tmp_path / f"{extension}.parquet", extensionarray=extension
        )
    with uproot.recreate(tmp_path / "a.root") as file:
        file.mkrntuple("Selected", columns)
    for name in ("False.parquet", "True.parquet", "a.root"):
        path = str(tmp_path / name)
        summary = inspect_file(path)
        assert (summary.format, summary.sizes["Jet"]) == ("nanoaod", 1.0)
        assert summary.reading.get("tree") == ("Selected" if name == "a.root" else None)
        with ReadingConfig.model_validate(summary.reading).open(path) as file:
            assert next(iter(file)).jets.pt.tolist() == [[50, 30], [], [40]]


def test_records_in_an_rntuple_and_one_unit_for_all(tmp_path: Path) -> None:
    """ROOT's vectors are records in lists; soft photons are in MeV as the hard jets are."""
    pt = ak.Array([[40e3, 30e3], [], [50e3]])
    four = ak.zip({"fPt": pt, "fEta": pt * 1e-5, "fPhi": pt * 1e-5, "fE": pt * 2})
    columns = {"Jets": ak.zip({"fCoordinates": four}), "Jets_score": pt * 0, "true_beam": four}
    columns |= {f"photon_{k}": pt * f for k, f in (("pt", 0.1), ("eta", 1e-5), ("phi", 1e-5), ("e", 0.2))}
    with uproot.recreate(tmp_path / "a.root") as file:
        file.mkrntuple("PreSelection", columns)
    summary = inspect_file(str(tmp_path / "a.root"))
    assert summary.schema is not None
    with open_events(str(tmp_path / "a.root"), load_schema(summary.schema)) as file:
        (events,) = file
    assert set(events.fields) == {"event_number", "weight", "jets", "photon"}
    assert set(events.jets.fields) == {"pt", "eta", "phi", "mass", "score"}
    assert events.jets.pt.tolist() == [[40, 30], [], [50]]
    assert np.allclose(ak.flatten(events.photon.pt), [4, 3, 5])


def test_records_in_parquet_with_constituents_and_missing_momentum(tmp_path: Path) -> None:
    """As awkward writes events: lists of records, lists of records within them, and a record per event."""
    pt = ak.Array([[[30.0, 20.0], [25.0]], [], [[50.0]]])
    parts = ak.zip({"pt": pt, "eta": pt * 0.01, "phi": pt * 0.02, "mass": pt * 0}, depth_limit=3)
    total = ak.sum(ak.with_name(parts, "Momentum4D"), axis=2)
    jets = {name: getattr(total, name) for name in ("pt", "eta", "phi", "mass")}
    columns = {"jets": ak.zip({**jets, "constituents": parts}, depth_limit=2)}
    columns |= {"met": ak.Array({"pt": [10.0, 20.0, 30.0], "phi": [0.1, 0.2, 0.3]}), "eventNumber": [7, 8, 9]}
    ak.to_parquet(ak.zip(columns, depth_limit=1), tmp_path / "a.parquet")
    summary = inspect_file(str(tmp_path / "a.parquet"))
    with open_events(str(tmp_path / "a.parquet"), load_schema(summary.schema or {})) as file:
        (events,) = file
    assert events.event_number.tolist() == [7, 8, 9]
    assert events.met.pt.tolist() == [10, 20, 30]
    assert np.allclose(ak.flatten(events.jets.pt), ak.flatten(total.pt))
    assert events.jets.constituents.pt.tolist() == pt.tolist()


def test_nothing_is_proposed_where_nothing_is_known(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((4, 3)))
    result = CliRunner().invoke(
        app, ["inspect", str(tmp_path / "a.npy"), "--write", str(tmp_path / "a.yaml")]
    )
    assert result.exit_code == 1
    assert "no momenta were recognised" in result.output
    assert "reading" not in result.output
    assert not (tmp_path / "a.yaml").exists()


def test_a_file_of_the_users_is_never_written_over(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((4, 3)))
    written = tmp_path / "mine.yaml"
    written.write_text("analysis: mine\n", encoding="utf-8")
    result = CliRunner().invoke(app, ["inspect", str(tmp_path / "a.npy"), "--write", str(written)])
    assert result.exit_code == 1
    assert "mine.yaml: is there already; give --write another name" in result.output.replace("\n", "")
    assert written.read_text(encoding="utf-8") == "analysis: mine\n"


def test_names_are_never_cut() -> None:
    path = str(shared_data("foreign_formats/delphes_jetclass2_card_10_events.root"))
    result = CliRunner().invoke(app, ["inspect", path], env={"COLUMNS": "40"})
    lines = result.output.splitlines()
    for name in ("JetPUPPIAK15", "ParticleFlowCandidate", "constituents in", "references"):
        assert any(name in line for line in lines)
