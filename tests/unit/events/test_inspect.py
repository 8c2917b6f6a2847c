from __future__ import annotations

from pathlib import Path

import pytest

from jetlens.config.reading import ReadingConfig
from jetlens.errors import FileError
from jetlens.events import open_events
from jetlens.events.inspect import inspect_file
from tests.conftest import DEMO, shared_data

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
    assert summary.reading == {}


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
    with open_events(str(path), ReadingConfig.model_validate(summary.reading)) as reader:
        assert sum(len(chunk) for chunk in reader.chunks()) == 1000


@pytest.mark.parametrize(
    ("name", "fat_jets"),
    [("delphes_jetclass2_card_10_events", "JetPUPPIAK8"), ("delphes_34_gen_jets_10_events", "Jet")],
)
def test_nothing_of_the_generator_is_proposed(name: str, fat_jets: str) -> None:
    path = str(shared_data(f"foreign_formats/{name}.root"))
    summary = inspect_file(path)
    assert summary.reading["fat_jets"] == fat_jets
    generated = [c for c in summary.collections if c.name.startswith("Gen")]
    assert generated
    assert all(
        c.match_rate == 1 and not c.problem for c in generated
    )  # the files are healthy, and said to be
    assert {c.name for c in summary.collections}.isdisjoint({"Particle"})
    with open_events(path, ReadingConfig.model_validate(summary.reading)) as reader:
        events = next(reader.chunks())
        found = events.constituents(events.collections["fat_jets"]["row"])
        assert found.matched == found.references > 0
        assert "Particle," not in reader.conventions["constituents"] + ","


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="does not exist"):
        inspect_file(str(tmp_path / "none.root"))
