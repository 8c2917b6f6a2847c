"""Events of Delphes and NanoAOD files as awkward records of four-momenta."""

from __future__ import annotations

from pathlib import Path

import awkward as ak
import numpy as np
import pyarrow.parquet as pq
import pytest

from jetlens.errors import ConfigError, FileError
from jetlens.events.arrays import padded
from jetlens.events.eventfile import ReadOptions, open_events
from jetlens.events.layout import arrow_schema, empty_events, from_table, to_table
from jetlens.events.schemas import load_schema
from jetlens.events.selection import select_columns
from tests.conftest import DEMO, ROOT, shared_data

DELPHES, NANO = load_schema("delphes"), load_schema("nanoaod")
FILE = str(next(iter(sorted(DEMO.glob("signal*.root")))))


def test_events_are_four_momenta_and_survive_a_skim_file(tmp_path: Path) -> None:
    with open_events(FILE, DELPHES) as file:
        batch = next(file.batches(300))
        events = batch.with_constituents(batch.events)
    two = events[ak.num(events.fat_jets) > 1]
    distance = two.fat_jets[:, 0].deltaR(two.jets)
    assert ak.min(distance) >= 0
    layout = arrow_schema(DELPHES, select_columns(DELPHES, None))
    pq.write_table(to_table(events, layout), tmp_path / "x.parquet")
    back = from_table(pq.read_table(tmp_path / "x.parquet"))
    assert ak.array_equal(back, events)
    assert str(back.type) == str(events.type)
    assert ak.array_equal(from_table(to_table(two[::2], layout)), two[::2])
    assert str(empty_events(layout).type).split(" * ", 1)[1] == str(events.type).split(" * ", 1)[1]


def test_only_leading_jets_have_constituents_and_these_add_up_to_them() -> None:
    with open_events(FILE, DELPHES, ["fat_jets", "fat_jets.constituents.d0"]) as file:
        events = next(iter(file))
    assert set(events.fat_jets.constituents.fields) == {"pt", "eta", "phi", "mass", "d0"}
    assert not ak.any(ak.num(events.fat_jets.constituents, axis=2)[:, 2:])
    total = ak.sum(events.fat_jets[:, :2].constituents, axis=2)
    assert np.allclose(ak.flatten(total.pt), ak.flatten(events.fat_jets[:, :2].pt), rtol=1e-5)
    values, mask = padded(ak.flatten(events.fat_jets[:, :2].constituents.pt), 50)
    assert (np.diff(values, axis=1) <= 0).all()
    assert (values[~mask] == 0).all()


@pytest.mark.parametrize(
    ("name", "schema"),
    [
        ("delphes_formats/merged_by_hadd_200_events.root", DELPHES),
        ("delphes_formats/foreign_delphes34_10_events.root", DELPHES),
        ("foreign_formats/pfnano.root", NANO),
    ],
)
def test_plain_uproot_gives_the_same_numbers(name: str, schema: object) -> None:
    path = str(shared_data(name))
    found = []
    for fast in (True, False):
        with open_events(path, schema, fast=fast) as file:  # type: ignore[arg-type]
            found.append(ak.concatenate(list(file)))
    assert ak.array_equal(*found)


def test_nanoaod_as_a_tree_and_as_an_rntuple() -> None:
    columns = ["jets", "electrons", "muons", "photons", "taus", "met", "ht", "jets.btagDeepFlavB"]
    found = []
    for name in ("nano_dy.root", "nano_dy_rntuple.root"):
        with open_events(
            str(shared_data(f"foreign_formats/{name}")), NANO, columns[-1:] + columns[1:-1]
        ) as file:
            found.append(next(iter(file)))
            generated = file.generated
            if name == "nano_dy.root":
                assert generated is not None
                assert generated["events"] == 850098
    assert ak.array_equal(*found)
    assert "btagDeepFlavB" in found[0].jets.fields


def test_batches_of_any_size_hold_the_same_events() -> None:
    whole = []
    for size in (None, 97):
        with open_events(FILE, DELPHES) as file:
            whole.append(ak.concatenate([b.with_constituents(b.events) for b in file.batches(size)]))
    assert ak.array_equal(*whole)


def test_a_schema_is_extended_by_a_field_a_collection_and_what_the_file_calls_its_own() -> None:
    mine = {
        "extends": "delphes",
        "collections": {
            "jets": {"fields": {"hadronic": {"branch": "{}.EhadOverEem"}}},
            "loose_tracks": {
                "branch": "EFlowTrack",
                "counter": "{}",
                "fields": {"pt": "{}.PT", "eta": "{}.Eta", "phi": "{}.Phi", "mass": 0.13957},
            },
            "muons": None,
        },
    }
    schema = load_schema(mine)
    assert "muons" not in schema.collections
    with open_events(FILE, schema, ["jets.hadronic", "loose_tracks", "jets.NCharged", "photons"]) as file:
        events = next(iter(file))
    assert {"hadronic", "NCharged"} <= set(events.jets.fields)
    assert np.allclose(ak.flatten(events.loose_tracks.mass), 0.13957)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"colections": {}}, "unknown key 'colections'; did you mean 'collections'"),
        ({"collections": {"jets": {"fields": {"pt": "a", "eta": "b", "phi": "c"}}}}, "a momentum is"),
        ({"collections": {"jets": {"layout": "rows", "fields": {}}}}, "unknown layout 'rows'"),
        ({"collections": {"jets": {"momentum": False, "fields": {"tau": "a"}}}}, ""),
        ({"collections": {"jets": {"fields": {"pt": None}}}}, "expected a branch or keys"),
        ({"collections": {"met": {"momentum": False, "fields": {"a": "b"}}}}, "means something else"),
        (
            {"collections": {"jets": {"fields": {"pt": {"branch": "a", "high": "1e6"}}}}},
            "high: expected a number",
        ),
        ({"extends": "delfes"}, "did you mean 'delphes'"),
    ],
)
def test_a_wrong_schema_is_told_what_is_wrong(change: dict, words: str) -> None:
    if words:
        with pytest.raises(ConfigError, match="schema") as error:
            load_schema(change)
        assert words in str(error.value)
    else:
        load_schema(change)


def test_unknown_columns_and_missing_collections_are_named() -> None:
    with pytest.raises(ConfigError, match="jetz"):
        select_columns(DELPHES, ["jetz.pt"])
    other = load_schema({"extends": "delphes", "collections": {"jets": {"branch": "JetPUPPI"}}})
    with (
        pytest.raises(
            FileError, match=r"has no jet collection 'JetPUPPI' \(reading.branches.jets\); it has: "
        ),
        open_events(FILE, other),
    ):
        pass


def test_what_a_file_lacks_is_recorded(tmp_path: Path) -> None:
    path = shared_data("delphes_formats/foreign_delphes34_10_events.root")
    with open_events(str(path), DELPHES) as file:
        next(iter(file))
    assert file.filled["fat_jets.constituents.mass"] == "0, as EFlowTrack.Mass is missing"
    assert file.assumed["constituents"] == "EFlowTrack, EFlowPhoton, EFlowNeutralHadron"
    with open_events(str(path), DELPHES, options=ReadOptions(leading=0)) as file:
        assert "constituents" not in next(iter(file)).fat_jets.fields


def test_events_whose_numbers_repeat_are_counted() -> None:
    """As of files that were merged: folds and random numbers go by the number, and it tells events apart."""
    schema = load_schema(
        {"extends": "delphes", "scalars": {"event_number": {"branch": "Event.ProcessID", "dtype": "int64"}}}
    )
    with open_events(FILE, schema, ["jets"]) as file:
        numbers = np.concatenate([np.asarray(batch.events.event_number) for batch in file.batches(97)])
        assert numbers.tolist() == list(range(file.entries))
        assert file.assumed["event_number"] == "position in the file, as Event.ProcessID repeats"
    with open_events(FILE, DELPHES, ["jets"]) as file:
        assert "event_number" not in file.assumed
        assert next(iter(file)).event_number.tolist() != list(range(file.entries))


def test_every_shipped_schema_can_be_read() -> None:
    for path in sorted((ROOT / "config" / "schemas").glob("*.yaml")):
        schema = load_schema(path)
        assert schema.columns()
        assert all(field.meaning for name, field in schema.columns().items()), path
