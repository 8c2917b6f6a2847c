"""Impact parameters of the generator tell the label, where resonances have a width; smeared ones do not."""

from __future__ import annotations

from benchmarks.impact_parameters import LIMIT, SAMPLES, leak

from tests.conftest import shared_data


def test_smeared_tracks_do_not_tell_the_label() -> None:
    for sample in SAMPLES:
        shared_data(f"delphes_demo/{sample}.root")
    found = {what: area for what, (area, _) in leak(events=300).items()}
    assert found["as in the file"] > 0.95
    assert 0.5 < found["smeared"] < LIMIT
    assert found["smeared"] < found["with a floor of 1 µm"] < found["as in the file"]
