"""Unmeasured impact parameters are recognised, and smeared in a way that depends on nothing but the track."""

from __future__ import annotations

from pathlib import Path

import awkward as ak
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from jetlens.config.reading import ReadingConfig
from jetlens.errors import FileError
from jetlens.events.impact_parameters import Resolution, decide, disagreement, gaussian, smear
from tests.conftest import DEMO, ROOT, shared_data

UNSMEARED = ROOT / "tests" / "data" / "unsmeared_200_events.root"
D0, DZ = Resolution(15, 100), Resolution(60, 150)
COLUMNS = ("d0", "d0_error", "dz", "dz_error")


def reading(mode: str, **more: object) -> ReadingConfig:
    return ReadingConfig.model_validate({"impact_parameters": {"mode": mode}, **more})


def tracks(
    path: Path, mode: str = "auto", chunk: int | None = None, sample: str = "s"
) -> dict[str, np.ndarray]:
    """Charged constituents of the two leading fat jets."""
    parts = []
    with reading(mode).open(str(path), sample) as file:
        for batch in file.batches(chunk):
            jets = batch.with_constituents(batch.events).fat_jets
            own = ak.flatten(ak.flatten(jets.constituents))
            own = own[own["type"] == 0]
            parts.append({name: np.asarray(own[name]) for name in ("pt", "eta", *COLUMNS)})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def test_unsmeared_tracks_are_recognised_and_smeared() -> None:
    truth, smeared = tracks(UNSMEARED, "as_is"), tracks(UNSMEARED)
    assert np.mean(np.abs(truth["d0"]) < 1e-6) > 0.3
    assert not truth["d0_error"].any()
    for name, resolution, correlated in (("d0", D0, 0.02), ("dz", DZ, 0.02)):
        sigma = resolution.sigma(truth["pt"], truth["eta"])
        np.testing.assert_allclose(smeared[f"{name}_error"], sigma, rtol=1e-6)
        pull = (smeared[name].astype(float) - truth[name]) / sigma
        near = np.abs(truth[name]) < 100  # mm; beyond, float32 rounds
        assert stats.kstest(pull[near], "norm").pvalue > 1e-3
        assert abs(np.corrcoef(pull[near][:-1], pull[near][1:])[0, 1]) < correlated
    assert not np.any(smeared["d0"] == 0)


def test_measured_ones_stay_as_they_are() -> None:
    path = DEMO / "ttbar_had_lo.root"
    assert all(np.array_equal(tracks(path)[name], tracks(path, "as_is")[name]) for name in COLUMNS)
    with pytest.raises(
        FileError, match=r"ttbar_had_lo\.root: its impact parameters have errors: .*smeared already"
    ):
        tracks(path, "smear")
    assert not any(tracks(path, "none")[name].any() for name in COLUMNS)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("foreign_formats/delphes_34_gen_jets_10_events.root", "measured"),
        ("delphes_formats/foreign_delphes34_10_events.root", "no errors"),
        ("delphes_formats/stock_card_signal_30_events.root", "smeared"),
        ("delphes_demo/qcd_jj.root", "smeared"),
    ],
)
def test_files_of_other_makers(name: str, kind: str) -> None:
    names = {"fat_jets": "Jet", "electrons": None, "muons": None, "met": None} if "gen_jets" in name else {}
    with ReadingConfig(branches=names).open(str(shared_data(name))) as file:
        assert file.impact_parameters is not None
        assert file.impact_parameters.kind == kind
        assert "impact parameters" in file.assumed


def test_what_was_neither_measured_nor_left_by_the_generator_is_not_smeared() -> None:
    path = shared_data("delphes_formats/foreign_delphes34_10_events.root")
    with pytest.raises(FileError, match=r"are 0 for only 0\.0%.* set auto or as_is"):
        tracks(path, "smear")


def test_free_tracks_are_smeared_as_constituents_are() -> None:
    """Delphes gives a track the same id wherever it stands: both ways to it lead to the same number."""
    found = {}
    for mode in ("as_is", "auto"):
        columns = ["fat_jets.constituents", "tracks.pt", "tracks.d0"]
        with reading(mode, branches={"tracks": "EFlowTrack"}).open(str(UNSMEARED), "s", columns) as file:
            batches = [batch.with_constituents(batch.events) for batch in file.batches(70)]
            assert file.impact_parameters is not None
        found[mode] = ak.concatenate(batches)
        assert set(found[mode].tracks.fields) == {"pt", "eta", "phi", "mass", "d0"}
    for events, truth in zip(found["auto"], found["as_is"], strict=True):
        known = dict(zip(events.tracks.pt.tolist(), events.tracks.d0.tolist(), strict=True))
        own = ak.flatten(events.fat_jets.constituents)
        own = own[own["type"] == 0]
        same = [known.get(pt) == d0 for pt, d0 in zip(own.pt.tolist(), own.d0.tolist(), strict=True)]
        assert np.mean(same or [1]) > 0.97  # two tracks of one pT are taken for each other here
        assert np.mean(np.abs(truth.tracks.d0) < 1e-6) > 0.1
    assert not ak.any(found["auto"].tracks.d0 == 0)
    with reading("auto").open(str(UNSMEARED), "s", ["tracks"]) as file:  # without constituents as well
        assert file.impact_parameters is not None
        assert file.impact_parameters.kind == "smeared"
        assert not ak.any(ak.concatenate(list(file)).tracks.d0_error == 0)
    with reading("none").open(str(UNSMEARED), "s", ["tracks"]) as file:
        assert not ak.any(ak.concatenate(list(file)).tracks.d0 != 0)


def test_neither_chunks_nor_merging_nor_order_matter() -> None:
    whole = tracks(UNSMEARED)
    pieces = tracks(UNSMEARED, chunk=33)
    assert all(np.array_equal(whole[name], pieces[name]) for name in COLUMNS)
    reader_of = {}
    for path in (UNSMEARED, shared_data("delphes_demo/signal_H1000_hh_4b.root")):
        with ReadingConfig(leading_jets=1).open(str(path), "s") as file:
            batch = next(file.batches(100))  # the merged file begins with events of the other one
            events = batch.with_constituents(batch.events)
            reader_of[path] = (
                batch.numbers,
                np.asarray(ak.flatten(events.fat_jets.constituents.d0, axis=None)),
            )
    (number, d0), (original_number, original_d0) = reader_of.values()
    assert np.array_equal(number, original_number)
    assert np.array_equal(d0, original_d0)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 200), st.integers(0, 2**31))
def test_a_track_keeps_its_deviate_among_others(number: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    columns = [rng.exponential(5, number), rng.normal(0, 1, number), np.zeros(number), np.zeros(number)]
    columns += [rng.integers(0, 2**40, number), rng.integers(0, 2**24, number)]
    chosen = rng.permutation(number)[: number // 2]
    whole, part = smear(*columns, "s", D0, DZ), smear(*(c[chosen] for c in columns), "s", D0, DZ)
    assert all(np.array_equal(whole[name][chosen], part[name]) for name in COLUMNS)


def test_deviates_are_independent_of_sample_event_track_and_kind() -> None:
    event, track = np.repeat(np.arange(300), 300), np.tile(np.arange(300), 300)
    one = gaussian(event, track, "s:d0")
    assert stats.kstest(one, "norm").pvalue > 1e-3
    others = (gaussian(event, track, "s:dz"), gaussian(event, track, "t:d0"))
    others += (
        gaussian(event + 1, track, "s:d0"),
        gaussian(event, track + 1, "s:d0"),
        gaussian(track, event, "s:d0"),
    )
    for other in others:
        assert abs(np.corrcoef(one, other)[0, 1]) < 5 / np.sqrt(len(one))


def test_resolutions_that_disagree() -> None:
    rng = np.random.default_rng(1)
    pt, eta = rng.uniform(0.5, 15, 20_000), rng.uniform(-2, 2, 20_000)

    def measured(d0: Resolution, dz: Resolution = DZ) -> dict:
        columns = {"pt": pt, "eta": eta} | smear(
            pt, eta, 0 * pt, 0 * pt, np.arange(20_000), np.arange(20_000), "s", d0, dz
        )
        return decide("auto", D0, DZ, columns, "file").describe()

    zero = {name: np.zeros(20_000) for name in COLUMNS} | {"pt": pt, "eta": eta}
    smeared = decide("auto", D0, DZ, zero, "file").describe()
    truth = decide("as_is", D0, DZ, zero, "file").describe()
    assert disagreement(smeared, measured(D0)) == ""
    assert disagreement(smeared, measured(Resolution(15, 100, 0.1))) == ""
    assert "σ(d0)" in disagreement(smeared, measured(Resolution(25, 150)))
    assert "σ(dz)" in disagreement(smeared, measured(D0, Resolution(30, 150)))
    assert disagreement(smeared, truth) == "smeared and truth"
    assert disagreement(smeared, decide("auto", D0, DZ, {}, "file").describe()) == ""
