"""Real Delphes files: closure of constituents with their jet, formats, and messages for what cannot be read."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from jetlens.events.delphes import DelphesReader

from jetlens.config.reading import ReadingConfig
from jetlens.errors import FileError, JetlensWarning
from jetlens.events import open_events
from jetlens.events.kinematics import cartesian, from_cartesian
from jetlens.events.rootfile import RootTree
from tests.conftest import DEMO, shared_data

DEMO_FILES = [f"{name}.root" for name in ("signal_H1000_hh_4b", "qcd_4b", "qcd_jj", "ttbar_had")]
FORMATS = ["stock_card_signal_30_events", "merged_by_hadd_200_events", "foreign_delphes34_10_events"]


def closure(path: Path, config: ReadingConfig, events: int | None = None) -> tuple[float, float, int, int]:
    """Largest |ΔpT|/pT and |Δm| [GeV] of summed constituents against their jet; references and how many match."""
    worst_pt = worst_mass = 0.0
    references = matched = 0
    with open_events(str(path), config) as reader:
        for chunk in reader.chunks(events):
            jets = chunk.collections["fat_jets"].leading(config.leading_jets)
            found = chunk.constituents(jets["row"])
            references, matched = references + found.references, matched + found.matched
            own = found.jets
            assert (own.counts > 0).all()
            pt, mass = own["pt"], own["mass"]
            total = np.add.reduceat(cartesian(pt, own["eta"], own["phi"], mass), own.offsets[:-1])
            sum_pt, _, _, sum_mass = from_cartesian(total)
            worst_pt = max(worst_pt, np.abs(sum_pt / jets["pt"] - 1).max())
            worst_mass = max(worst_mass, np.abs(sum_mass - jets["mass"]).max())
            falling = np.diff(pt) <= 0
            falling[own.offsets[1:-1] - 1] = True
            assert falling.all()
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
    pt, mass, references, matched = closure(path, ReadingConfig(fat_jets="GenJet"))
    assert pt < 1e-6
    assert mass < 1e-3
    assert matched == references > 100


def test_small_jets_resolve_too_though_they_are_calibrated() -> None:
    path = shared_data("delphes_formats/stock_card_signal_30_events.root")
    pt, _, references, matched = closure(path, ReadingConfig(fat_jets="Jet", leading_jets=4))
    assert matched == references > 100
    assert 1e-3 < pt < 0.2


@pytest.mark.parametrize("events", [1, 37, 200])
def test_chunks_do_not_change_what_is_read(events: int) -> None:
    path = shared_data("delphes_formats/merged_by_hadd_200_events.root")
    parts: dict[int, list[np.ndarray]] = {}
    for size in (events, 10_000):
        with open_events(str(path), ReadingConfig()) as reader:
            values = []
            for chunk in reader.chunks(size):
                jets = chunk.collections["fat_jets"].leading(2)
                values.append(np.concatenate([chunk.number, chunk.met, jets["pt"], jets["tau2"]]).sum())
                values.append(chunk.constituents(jets["row"]).jets["pt"].sum(dtype=np.float64))
            parts[size] = [np.sum(values)]
    assert np.isclose(parts[events][0], parts[10_000][0], rtol=1e-9)


def test_memory_budget_sets_the_chunks() -> None:
    path = str(DEMO / "qcd_jj.root")
    sizes = {}
    for budget in (0.002, 0.01, 1.0):
        with open_events(path, ReadingConfig(memory_gb=budget)) as reader:
            sizes[budget] = [len(chunk) for chunk in reader.chunks()]
            assert sum(sizes[budget]) == 700
    assert max(sizes[0.002]) < max(sizes[0.01]) < max(sizes[1.0])


def test_tracks_of_delphes_34_are_massless_and_that_is_said() -> None:
    path = shared_data("delphes_formats/foreign_delphes34_10_events.root")
    with open_events(str(path), ReadingConfig()) as reader:
        for chunk in reader.chunks():
            constituents = chunk.constituents(chunk.collections["fat_jets"]["row"])
            assert not constituents.jets["mass"].any()
            assert np.isfinite(constituents.padded(50)[0]).all()
        assert "Mass is missing" in reader.conventions["track mass"]


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
    with open_events(str(path), ReadingConfig()) as reader:
        chunk = next(reader.chunks())
        leading = chunk.collections["fat_jets"].leading(1)
        values, mask = chunk.constituents(leading["row"]).padded(50)
    row = int(leading.offsets[event])
    assert mask[row].sum() == len(expected)
    assert np.array_equal(values[row][mask[row]][:, :3], np.array(expected, dtype=np.float32))
    assert not values[~mask].any()


def test_wrong_branches_are_counted_and_refused() -> None:
    path = str(DEMO / "qcd_jj.root")
    config = ReadingConfig(constituents=["EFlowTrack"])
    with open_events(path, config) as reader:
        chunk = next(reader.chunks())
        with pytest.raises(FileError, match=r"match no object in EFlowTrack"):
            chunk.constituents(chunk.collections["fat_jets"]["row"])
    lenient = config.model_copy(update={"unmatched": "warn"})
    with open_events(path, lenient) as reader:
        chunk = next(reader.chunks())
        with pytest.warns(JetlensWarning, match="match no object"):
            found = chunk.constituents(chunk.collections["fat_jets"]["row"])
    assert 0 < found.matched < found.references
    assert found.jets.offsets[-1] == found.matched


def message(path: Path | str, **config: object) -> str:
    with pytest.raises(FileError) as caught:
        open_events(str(path), ReadingConfig.model_validate(config))
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
    assert "it holds no tree at all" in message(shared_data("delphes_formats/foreign_no_tree.root"))


def test_wrong_tree_name() -> None:
    assert "has no tree 'Events' (reading.tree); it holds: Delphes" in message(
        DEMO / "qcd_jj.root", tree="Events"
    )


def test_no_jets_at_all() -> None:
    text = message(shared_data("delphes_formats/foreign_no_jets_1000_events.root"))
    assert "has no jet collection 'FatJet' (reading.fat_jets); it has none at all" in text


def test_misspelt_collection() -> None:
    text = message(DEMO / "qcd_jj.root", fat_jets="FatJets")
    assert "it has: Jet, FatJet; did you mean 'FatJet'?" in text


def test_missing_constituents() -> None:
    assert "has no branch 'Jet.Constituents'" in message(DEMO / "qcd_jj.root", fat_jets="Jet")


def test_missing_constituent_branch() -> None:
    text = message(DEMO / "qcd_jj.root", constituents=["EFlowTracks"])
    assert "has no branch 'EFlowTracks.fUniqueID'" in text
    assert "did you mean 'EFlowTrack.fUniqueID'?" in text


def test_a_branch_without_momenta_holds_no_constituents() -> None:
    text = message(DEMO / "qcd_jj.root", constituents=["Event"])
    assert "has no branch 'Event.Eta', needed for constituents (reading.constituents)" in text
    text = message(DEMO / "qcd_jj.root", constituents=["EFlowTrack", "MissingET"])
    assert "has no branch 'MissingET.PT', needed for constituents (reading.constituents)" in text


def test_file_without_jets_reads_when_told_so() -> None:
    path = shared_data("delphes_formats/foreign_no_jets_1000_events.root")
    config = ReadingConfig(fat_jets=None, jets=None, electrons=None, muons=None, missing_energy=None)
    with open_events(str(path), config) as reader:
        assert sum(len(chunk) for chunk in reader.chunks()) == 1000
        assert "ht" in reader.conventions


def test_several_weights() -> None:
    path = str(DEMO / "qcd_jj.root")
    with open_events(path, ReadingConfig(weight_index=0)) as reader:
        assert (next(reader.chunks()).weight == 1).all()
    with (
        open_events(path, ReadingConfig(weight_index=3)) as reader,
        pytest.raises(FileError, match="weight_index 3"),
    ):
        next(reader.chunks())


def test_events_without_reading_constituents_do_not_touch_them(tmp_path: Path) -> None:
    """Light leaves are read first: a file whose constituents are damaged still gives its jets."""
    path = tmp_path / "damaged.root"
    shutil.copy(DEMO / "qcd_jj.root", path)
    import uproot

    with uproot.open(path) as file:
        branch = file["Delphes"]["EFlowTrack.PT"]
        begin = int(branch.member("fBasketSeek")[0]) + 200
    with path.open("r+b") as stream:
        stream.seek(begin)
        stream.write(b"\xff" * 64)
    with open_events(str(path), ReadingConfig(constituents=["EFlowTrack"])) as reader:
        chunk = next(reader.chunks())
        assert len(chunk) == 700
        with pytest.raises(FileError, match="damaged"):
            chunk.constituents(chunk.collections["fat_jets"]["row"])


def test_a_group_of_branches_is_taken_whole() -> None:
    """The fat jets of this file's event 329 have tracks and photons, but no neutral hadron."""
    group = ("EFlowTrack", "EFlowPhoton", "EFlowNeutralHadron")
    with open_events(str(DEMO / "qcd_jj.root"), ReadingConfig()) as reader:
        assert reader._probe("FatJet", [(branch,) for branch in group], 329, 330) == [group[:1], group[1:2]]
        assert reader._probe("FatJet", [group], 329, 330) == [group]
        assert reader._constituent_branches() == list(group)


def test_what_is_filled_with_zeros_is_said() -> None:
    path = str(DEMO / "qcd_jj.root")
    with open_events(path, ReadingConfig()) as reader:
        reader.leaves()
        assert not [topic for topic, text in reader.conventions.items() if text.startswith("0, as ")]
    with open_events(path, ReadingConfig(constituents=["EFlowPhoton"])) as reader:
        assert reader.conventions["constituents.d0"] == "0, as no branch of constituents holds tracks"
    tree = RootTree.open(path, None, ("Delphes",))
    for leaf in ("FatJet.Area", "FatJet.NCharged", "Jet.Area", "EFlowTrack.ErrorD0", "EFlowTrack.Charge"):
        del tree._branches[leaf]
    with DelphesReader(tree, ReadingConfig()) as poor:
        poor.leaves()
        assert poor.conventions["fat_jets.area"] == "0, as FatJet.Area is missing"
        assert poor.conventions["jets.area"] == "0, as Jet.Area is missing"
        assert poor.conventions["fat_jets.n_charged"] == "0, as FatJet.NCharged is missing"
        assert poor.conventions["constituents.d0_error"] == "0, as EFlowTrack.ErrorD0 is missing"
        assert poor.conventions["constituents.charge"] == "0, as EFlowTrack.Charge is missing"
        assert "constituents.d0" not in poor.conventions
