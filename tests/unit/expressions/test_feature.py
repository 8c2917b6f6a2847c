"""The shipped features: all fit, and change under symmetries as they say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import awkward as ak
import numpy as np
import pytest

from jetlens.errors import ConfigError
from jetlens.expressions import Namespace, check
from jetlens.expressions.evaluate import Evaluator
from jetlens.expressions.feature import HYPOTHESIS, LEVELS, Feature, about_constituents, shipped


def turned(events: Any, mirror: int, angle: float) -> Any:
    """Events mirrored in η and turned about the beam."""

    def move(record: Any) -> Any:
        moved = {}
        for name in record.fields:
            if name == "phi":
                moved[name] = (record[name] + angle + np.pi) % (2 * np.pi) - np.pi
            else:
                moved[name] = record[name] * mirror if name in ("eta", "dz") else record[name]
        return moved

    content = {name: events[name] for name in ("ht", "event_number", "weight")}
    content["met"] = ak.zip(move(events.met), with_name="Momentum2D")
    for name in ("fat_jets", "jets", "electrons", "muons"):
        moved = move(events[name])
        if name == "fat_jets":
            moved["constituents"] = ak.zip(move(events[name].constituents), with_name="Momentum4D")
        content[name] = ak.zip(moved, depth_limit=2, with_name="Momentum4D")
    return ak.zip(content, depth_limit=1)


def values(events: Any, names: Namespace, level: str, feature: Feature) -> Any:
    """A feature of all events, of all constituents of leading fat jets, or of all jets."""
    if level == "event":
        checked = feature.fit(names)
        return None if checked is None else Evaluator(events).numbers(checked)
    if level == "constituents":
        jets = events.fat_jets[ak.num(events.fat_jets) > 0][:, 0]
        owner = np.repeat(np.arange(len(jets)), np.asarray(ak.num(jets.constituents)))
        rows = Evaluator(events[ak.num(events.fat_jets) > 0], {"jet": jets}).rows(
            ak.flatten(jets.constituents), owner
        )
        about = about_constituents(names, "fat_jets")
        for name, text in (("delta_eta", "deltaeta(jet)"), ("delta_phi", "deltaphi(jet)")):
            rows.coordinates[name] = rows.numbers(check(text, about))
        checked = feature.fit(about)
    else:
        collection = "fat_jets" if "tau" in feature.name else "jets"
        owner = np.repeat(np.arange(len(events)), np.asarray(ak.num(events[collection])))
        rows = Evaluator(events).rows(ak.flatten(events[collection]), owner)
        checked = feature.fit(names.about(collection))
    return None if checked is None else rows.numbers(checked)


def without_absent(names: Namespace) -> Namespace:
    """The namespace with the fields that the test's events do not have, of which the values are never looked at."""
    more = {"area", "soft_drop_mass", "n_charged", "n_neutrals"}
    jets = names.collections["fat_jets"]
    inner = replace(
        jets.nested["constituents"],
        fields={
            **jets.nested["constituents"].fields,
            **dict.fromkeys(("d0", "d0_error", "dz", "dz_error"), "number"),
        },
    )
    fat_jets = replace(
        jets, fields={**jets.fields, **dict.fromkeys(more, "number")}, nested={"constituents": inner}
    )
    return replace(names, collections={**names.collections, "fat_jets": fat_jets})


def test_every_shipped_feature_fits_and_is_described(names: Namespace) -> None:
    full = without_absent(names)
    spaces = {
        "event": replace(full, scalars={**full.scalars, HYPOTHESIS: "number"}),
        "tokens": full.about("fat_jets"),
        "constituents": about_constituents(full, "fat_jets"),
    }
    for level in LEVELS:
        for feature in shipped()[level].values():
            feature.fit(spaces[level])
            assert feature.meaning, feature
            assert feature.label, feature
            assert feature.symmetry, feature


def test_shipped_features_change_under_symmetries_as_they_say(events: Any, names: Namespace) -> None:
    compared, angle = 0, 2.1
    mirrored, rotated = turned(events, -1, 0.0), turned(events, 1, angle)
    for level in LEVELS:
        for feature in shipped()[level].values():
            try:
                before = values(events, names, level, feature)
            except ConfigError:  # the test's events have no impact parameters
                continue
            if before is None:
                continue
            symmetry = feature.symmetry
            assert symmetry
            mirror = values(mirrored, names, level, feature)
            assert np.allclose(mirror, symmetry.mirror * before, atol=1e-6, equal_nan=True), feature.name
            assert symmetry.mirror == 1 or not np.allclose(mirror, before, equal_nan=True), feature.name
            after = values(rotated, names, level, feature)
            if symmetry.azimuth == "angle":
                assert np.allclose(np.cos(after), np.cos(before + angle)), feature.name
            elif symmetry.azimuth:
                shift = {"cos": 0.0, "sin": -np.pi / 2}[symmetry.azimuth.split()[0]]
                phi = values(events, names, level, shipped()[level][symmetry.azimuth.split()[1]])
                assert np.allclose(after, np.cos(phi + angle + shift)), feature.name
            else:
                assert np.allclose(after, before, atol=1e-6, equal_nan=True), feature.name
            compared += 1
    assert compared > 40


def test_what_a_kind_of_token_lacks_is_filled_or_an_error(names: Namespace) -> None:
    tau21, charge = shipped()["tokens"]["tau21"], Feature("q", "charge")
    total = replace(names, own=check("fat_jets[0] + fat_jets[1]", names).type.record)
    assert tau21.fit(names.about("fat_jets"))
    assert tau21.fit(names.about("jets")) is None
    assert tau21.fit(total) is None
    with pytest.raises(ConfigError, match="feature 'q' needs 'charge', which a sum of objects has not; give"):
        charge.fit(total)
    with pytest.raises(ConfigError, match="feature 'q' needs 'charge', which one of jets has not"):
        charge.fit(names.about("jets"))
    with pytest.raises(ConfigError, match=r"feature 'x': .* unknown name 'chargee'; did you mean 'charge'"):
        Feature("x", "chargee", fill=0).fit(names.about("electrons"))
    with pytest.raises(ConfigError, match=r"feature 'x': .* expected one number per event"):
        Feature("x", "jets.pt").fit(names)
