"""Real Delphes files: closure of constituents with their jet, formats, and messages for what cannot be read."""

from __future__ import annotations

import shutil
from pathlib import Path

import awkward as ak
import numpy as np
import pytest

from jetlens.config.reading import ReadingConfig
from jetlens.errors import FileError, JetlensWarning
from jetlens.events import load_schema, open_events, padded
from jetlens.events.eventfile import open_any
from jetlens.events.referencelink import ReferenceLink
from tests.conftest import DEMO, shared_data

DEMO_FILES = [f"{name}.root" for name in ("signal_H1000_hh_4b", "qcd_4b", "qcd_jj", "ttbar_had")]
FORMATS = ["stock_card_signal_30_events", "merged_by_hadd_200_events", "foreign_delphes34_10_events"]


def closure(path: Path, config: ReadingConfig) -> tuple[float, float, int, int]:
    """Largest |ΔpT|/pT and |Δm| [GeV] of summed constituents against their jet; references and how many match."""
    worst_pt = worst_mass = 0.0
    references = matched = 0
    with config.open(str(path)) as file:
        for batch in file.batches():
            events, found = batch.resolve(batch.events)
            references += found["fat_jets"].references
            matched += found["fat_jets"].matched
            jets = ak.flatten(events.fat_jets[:, : config.leading_jets])
            assert ak.all(ak.num(jets.constituents) > 0)
            total = ak.sum(jets.constituents, axis=1)
            worst_pt = max(worst_pt, float(ak.max(np.abs(total.pt / jets.pt - 1))))
            worst_mass = max(worst_mass, float(ak.max(np.abs(total.mass - jets.mass))))
            pt = jets.constituents.pt
            assert ak.all(pt[:, 1:] <= pt[:, :-1])
    return worst_pt, worst_mass, references, matched


@pytest.mark.parametrize("name", DEMO_FILES)
def test_closure_of_demo_files(name: str) -> None:
    pt, mass, references, matched = closure(DEMO / name, ReadingConfig())
    assert pt < 1e-6
    assert mass < 1e-3
    assert matched == references > 50_000


@pytest.mark.parametrize("name", FORMATS)
def test_closure_of_other_formats(name: str) -> None:
    path = shared_data(f"delphes_formats/{name}.root")
    pt, mass, references, matched = closure(path, ReadingConfig())
    assert pt < 1e-6
    assert mass < 1e-3
    assert matched == references > 100


@pytest.mark.parametrize("name", ["stock_card_signal_30_events", "foreign_delphes34_10_events"])
def test_generator_jets_point_to_particles(name: str) -> None:
    path = shared_data(f"delphes_formats/{name}.root")
    pt, mass, references, matched = closure(path, ReadingConfig(branches={"fat_jets": "GenJet"}))
    assert pt < 1e-6
    assert mass < 1e-3
    assert matched == references > 100


def test_small_jets_resolve_too_though_they_are_calibrated() -> None:
    path = shared_data("delphes_formats/stock_card_signal_30_events.root")
    pt, _, references, matched = closure(path, ReadingConfig(branches={"fat_jets": "Jet"}, leading_jets=4))
    assert matched == references > 100
    assert 1e-3 < pt < 0.2


def test_memory_budget_sets_the_batches() -> None:
    sizes = {}
    for budget in (0.002, 0.01, 1.0):
        with ReadingConfig(memory_gb=budget).open(str(DEMO / "qcd_jj.root")) as file:
            sizes[budget] = [len(batch.events) for batch in file.batches()]
            assert sum(sizes[budget]) == 700
    assert max(sizes[0.002]) < max(sizes[0.01]) < max(sizes[1.0])


def test_tracks_of_delphes_34_are_massless_and_that_is_said() -> None:
    path = shared_data("delphes_formats/foreign_delphes34_10_events.root")
    with ReadingConfig().open(str(path)) as file:
        for events in file:
            constituents = ak.flatten(ak.flatten(events.fat_jets.constituents))
            assert not ak.any(constituents.mass)
            assert ak.all(np.isfinite(constituents.energy))
        assert file.filled["fat_jets.constituents.mass"] == "0, as EFlowTrack.Mass is missing"


def test_padded_constituents_agree_with_a_plain_read() -> None:
    """The array that networks see, against uproot's own arrays and a loop, for one event."""
    import uproot

    path = DEMO / "ttbar_had.root"
    tree = uproot.open(path)["Delphes"]
    event = 5
    objects = []
    for branch, pt in (("EFlowTrack", "PT"), ("EFlowPhoton", "ET"), ("EFlowNeutralHadron", "ET")):
        leaves = [
            tree[f"{branch}.{leaf}"].array(library="np")[event] for leaf in ("fUniqueID", pt, "Eta", "Phi")
        ]
        objects += [(int(key) & 0xFFFFFF, *rest) for key, *rest in zip(*leaves, strict=True)]
    refs = [int(ref) & 0xFFFFFF for ref in tree["FatJet.Constituents"].array()[event, 0].refs]
    expected = sorted((row[1:] for row in objects if row[0] in refs), reverse=True)[:50]
    with ReadingConfig().open(str(path)) as file:
        own = next(iter(file)).fat_jets[event : event + 1, 0].constituents
    found = [padded(own[name], 50) for name in ("pt", "eta", "phi")]
    assert found[0][1].sum() == len(expected)
    values = np.stack([values[mask] for values, mask in found], axis=1)
    assert np.array_equal(values.astype(np.float32), np.array(expected, dtype=np.float32))


def test_wrong_branches_are_counted_and_refused() -> None:
    path = str(DEMO / "qcd_jj.root")
    config = ReadingConfig(constituents=["EFlowTrack"])
    with config.open(path) as file, pytest.raises(FileError, match=r"match no object in EFlowTrack"):
        next(iter(file))
    with config.model_copy(update={"unmatched": "warn"}).open(path) as file:
        batch = next(file.batches())
        with pytest.warns(JetlensWarning, match="match no object"):
            events, found = batch.resolve(batch.events)
    one = found["fat_jets"]
    assert 0 < one.matched < one.references
    assert ak.sum(ak.num(events.fat_jets.constituents, axis=2)) == one.matched


def message(path: Path | str, **config: object) -> str:
    with pytest.raises(FileError) as caught:
        ReadingConfig.model_validate(config).open(str(path))
    text = str(caught.value)
    assert "\n" not in text
    assert str(path) in text
    return text


def test_missing_file(tmp_path: Path) -> None:
    assert "does not exist" in message(tmp_path / "nothing.root")


def test_not_a_root_file(tmp_path: Path) -> None:
    (tmp_path / "text.root").write_text("hello " * 100)
    assert "is not a ROOT file" in message(tmp_path / "text.root")


@pytest.mark.parametrize("fraction", [0.0001, 0.3, 0.999])
def test_truncated_file(tmp_path: Path, fraction: float) -> None:
    content = (DEMO / "qcd_jj.root").read_bytes()
    short = tmp_path / "short.root"
    short.write_bytes(content[: int(len(content) * fraction)])
    assert "is truncated" in message(short)


def test_no_tree() -> None:
    assert "holds no tree at all" in message(shared_data("delphes_formats/foreign_no_tree.root"))


def test_wrong_tree_name() -> None:
    assert "has no tree 'Events' (reading.tree); it holds: Delphes" in message(
        DEMO / "qcd_jj.root", tree="Events"
    )


def test_no_jets_at_all() -> None:
    text = message(shared_data("delphes_formats/foreign_no_jets_1000_events.root"))
    assert "has no jet collection 'FatJet' (reading.branches.fat_jets); it has none at all" in text


def test_misspelt_collection() -> None:
    text = message(DEMO / "qcd_jj.root", branches={"fat_jets": "FatJets"})
    assert "it has: Jet, FatJet; did you mean 'FatJet'?" in text


def test_missing_constituents() -> None:
    text = message(DEMO / "qcd_jj.root", branches={"fat_jets": "Jet"})
    assert "has no 'Jet.Constituents': the file holds no constituents of 'Jet'; use a file with them" in text


def test_a_file_of_no_bytes(tmp_path: Path) -> None:
    (tmp_path / "none.root").touch()
    assert "none.root: is empty (0 bytes)" in message(tmp_path / "none.root")


def test_missing_constituent_branch() -> None:
    text = message(DEMO / "qcd_jj.root", constituents=["EFlowTracks"])
    assert "has no branch 'EFlowTracks.fUniqueID'" in text
    assert "did you mean 'EFlowTrack.fUniqueID'?" in text


def test_a_branch_without_momenta_holds_no_constituents() -> None:
    text = message(DEMO / "qcd_jj.root", constituents=["Event"])
    assert "has no branch 'Event.PT', needed for the constituents of fat_jets" in text
    text = message(DEMO / "qcd_jj.root", constituents=["EFlowTrack", "MissingET"])
    assert "has no branch 'MissingET.PT', needed for the constituents of fat_jets" in text


def test_file_without_jets_reads_when_told_so() -> None:
    path = shared_data("delphes_formats/foreign_no_jets_1000_events.root")
    config = ReadingConfig(branches=dict.fromkeys(("fat_jets", "jets", "electrons", "muons", "met")))
    with config.open(str(path)) as file:
        assert sum(len(events) for events in file) == 1000
        assert "ht" in file.assumed


def test_several_weights() -> None:
    path = str(DEMO / "qcd_jj.root")
    with ReadingConfig(weight_index=0).open(path) as file:
        assert ak.all(next(iter(file)).weight == 1)
    with (
        ReadingConfig(weight_index=3).open(path) as file,
        pytest.raises(FileError, match=r"1 values of 'Weight\.Weight'; weight asks for number 3"),
    ):
        next(iter(file))


def test_events_without_reading_constituents_do_not_touch_them(tmp_path: Path) -> None:
    """Cuts come first: a file whose constituents are damaged still gives its jets."""
    path = tmp_path / "damaged.root"
    shutil.copy(DEMO / "qcd_jj.root", path)
    import uproot

    with uproot.open(path) as file:
        branch = file["Delphes"]["EFlowTrack.PT"]
        begin = int(branch.member("fBasketSeek")[0]) + 200
    with path.open("r+b") as stream:
        stream.seek(begin)
        stream.write(b"\xff" * 64)
    with ReadingConfig(constituents=["EFlowTrack"]).open(str(path)) as events:
        batch = next(events.batches())
        assert len(batch.events) == 700
        with pytest.raises(FileError, match="damaged"):
            batch.with_constituents(batch.events)


def test_a_group_of_branches_is_taken_whole() -> None:
    """The fat jets of this file's event 329 have tracks and photons, but no neutral hadron."""
    group = ("EFlowTrack", "EFlowPhoton", "EFlowNeutralHadron")
    with ReadingConfig().open(str(DEMO / "qcd_jj.root")) as file:
        link = file.objects["fat_jets"].link
        assert isinstance(link, ReferenceLink)
        assert link._probe([(branch,) for branch in group], 329, 330) == [group[:1], group[1:2]]
        assert link._probe([group], 329, 330) == [group]
        assert link.settled() == list(group)


def test_what_is_filled_with_zeros_is_said() -> None:
    path = str(DEMO / "qcd_jj.root")
    with ReadingConfig().open(path) as file:
        file.columns()
        assert not file.filled
    with ReadingConfig(constituents=["EFlowPhoton"]).open(path) as file:
        assert file.filled["fat_jets.constituents.d0"] == "0, as no branch of constituents holds tracks"
    source, _ = open_any(path)
    for leaf in ("FatJet.Area", "FatJet.NCharged", "Jet.Area", "EFlowTrack.ErrorD0", "EFlowTrack.Charge"):
        del source._tree._branches[leaf]  # type: ignore[attr-defined]
    with open_events(source, load_schema("delphes")) as poor:
        poor.columns()
        filled = poor.filled
    assert filled["fat_jets.area"] == "0, as FatJet.Area is missing"
    assert filled["jets.area"] == "0, as Jet.Area is missing"
    assert filled["fat_jets.n_charged"] == "0, as FatJet.NCharged is missing"
    assert filled["fat_jets.constituents.d0_error"] == "0, as EFlowTrack.ErrorD0 is missing"
    assert filled["fat_jets.constituents.charge"] == "0, as EFlowTrack.Charge is missing"
    assert "fat_jets.constituents.d0" not in filled
