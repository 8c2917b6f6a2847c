"""Varied objects: what is moved, what follows from it, and what stays."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import awkward as ak
import numpy as np
import pyarrow.parquet as pq
import pytest
from pydantic import TypeAdapter

from jetlens.config.reading import ReadingConfig
from jetlens.config.skim import SkimConfig
from jetlens.config.variations import ObjectVariation, Variation
from jetlens.skim import Target, read_skim, skim_file, vary_file
from tests.conftest import DEMO

LOOSE = SkimConfig.model_validate(
    {
        "objects": {"jets": "(pt >= 30) & (abs(eta) <= 4.7)"},
        "cuts": [{"name": "two", "cut": "num(fat_jets) >= 2"}],
    }
)
Vary = Callable[..., dict[str, Any]]


def variation(**content: Any) -> ObjectVariation:
    found: ObjectVariation = TypeAdapter(Variation).validate_python({"kind": "objects", **content})
    return found


@pytest.fixture(scope="module")
def vary(tmp_path_factory: pytest.TempPathFactory) -> Vary:
    """Events of a demo file by side, ``nominal`` too; the file is read once per variation."""
    known: dict[str, Any] = {}

    def make(name: str = "v", skim: SkimConfig = LOOSE, part: str = "p", **content: Any) -> dict[str, Any]:
        key = f"{name} {part} {skim} {content}"
        if key not in known:
            folder = tmp_path_factory.mktemp("varied")
            of = variation(**content)
            common: dict[str, Any] = {
                "sample": "ttbar_had", "part": part, "reading": ReadingConfig(leading_jets=2), "skim": skim,
            }  # fmt: skip
            source, paths = str(DEMO / "ttbar_had_lo.root"), {}
            targets = [
                Target(folder / f"{s}.parquet", folder / f"{s}.json", m) for s, m in of.moves().items()
            ]
            vary_file(source, targets, variation=name, balance=of.balance, **common)
            paths = {side: folder / f"{side}.parquet" for side in of.moves()}
            paths["nominal"] = folder / "nominal.parquet"
            skim_file(source, paths["nominal"], folder / "nominal.json", **common)
            known[key] = {side: read_skim(path) for side, path in paths.items()}
            known[key]["folder"] = folder
        return dict(known[key])

    return make


def test_a_scale_moves_four_momenta_and_nothing_else(vary: Vary) -> None:
    found = vary(scale={"jets": 1.1, "fat_jets": "1 + 0.1 * (pt > 0)"})
    up, down, nominal = found["up"], found["down"], found["nominal"]
    assert np.allclose(ak.flatten(up.fat_jets.pt), 1.1 * ak.flatten(nominal.fat_jets.pt), rtol=1e-6)
    assert np.allclose(ak.flatten(down.fat_jets.mass), 0.9 * ak.flatten(nominal.fat_jets.mass), rtol=1e-6)
    for leaf in ("eta", "phi", "soft_drop_mass", "tau1"):
        assert ak.all(up.fat_jets[leaf] == nominal.fat_jets[leaf])
    assert ak.all(up.fat_jets.constituents.pt == nominal.fat_jets.constituents.pt)
    assert ak.all(up.met.pt == nominal.met.pt)
    # jets that were below the threshold are above it, as the selection comes after
    assert ak.sum(ak.num(up.jets)) > ak.sum(ak.num(nominal.jets)) > ak.sum(ak.num(down.jets))
    assert ak.min(up.jets.pt) >= 30
    layouts = [pq.read_schema(found["folder"] / f"{side}.parquet") for side in ("up", "nominal")]
    assert layouts[0].equals(layouts[1])


def test_cuts_see_what_was_moved(vary: Vary) -> None:
    tight = SkimConfig.model_validate({"cuts": [{"name": "pt", "quantity": "fat_jets[0].pt", "min": 400}]})
    found = vary(skim=tight, scale={"fat_jets": 1.05})
    assert len(found["up"]) > len(found["nominal"]) > len(found["down"]) > 0
    flows = [json.loads((found["folder"] / f"{s}.json").read_text()) for s in ("up", "nominal")]
    assert flows[0]["cuts"][0] == flows[1]["cuts"][0]
    assert flows[0]["cuts"][1]["events"] == len(found["up"])


def test_a_smearing_is_one_sided_repeatable_and_reorders(vary: Vary) -> None:
    found = vary("res", scale={"fat_jets": "1 + 0.3 * gauss1"})
    assert set(found) == {"up", "nominal", "folder"}
    up, nominal = found["up"], found["nominal"]
    assert up.event_number.tolist() == nominal.event_number.tolist()
    assert ak.all(up.fat_jets.pt[:, 1:] <= up.fat_jets.pt[:, :-1])
    # the same jets in another order: their soft-drop masses tell them apart
    assert ak.all(ak.sort(up.fat_jets.soft_drop_mass) == ak.sort(nominal.fat_jets.soft_drop_mass))
    assert not ak.all(up.fat_jets.soft_drop_mass == nominal.fat_jets.soft_drop_mass)
    order, same = ak.argsort(up.fat_jets.eta), ak.argsort(nominal.fat_jets.eta)
    ratio = ak.flatten(up.fat_jets.pt[order] / nominal.fat_jets.pt[same])
    assert np.std(ratio) == pytest.approx(0.3, rel=0.15)
    assert np.mean(ratio) == pytest.approx(1, abs=0.06)
    mass = ak.flatten(up.fat_jets.mass[order] / nominal.fat_jets.mass[same])
    assert np.allclose(mass, ratio, rtol=1e-4)
    # constituents go with their jets
    axes = up.fat_jets[:, :2]
    assert ak.max(abs(ak.sum(axes.constituents, axis=-1).deltaR(axes))) < 1e-3
    again = vary("res", scale={"fat_jets": "1+0.3 * gauss1"})["up"]
    assert ak.all(again.fat_jets.pt == up.fat_jets.pt)
    # of another variation, and of another file, whose events may have the same numbers
    for key in ({"name": "other"}, {"name": "res", "part": "q"}):
        other = vary(**key, scale={"fat_jets": "1 + 0.3 * gauss1"})["up"]
        assert not ak.all(ak.sort(other.fat_jets.pt) == ak.sort(up.fat_jets.pt))


def test_tracks_are_smeared_in_units_of_their_errors(vary: Vary) -> None:
    found = vary(shift={"fat_jets.constituents.d0": "where(charge != 0, d0_error * gauss2, 0)"})
    parts = [found[side].fat_jets.constituents for side in ("up", "nominal")]
    moved, before = (ak.flatten(part, axis=None) for part in (parts[0].d0, parts[1].d0))
    charged = ak.to_numpy(ak.flatten(parts[1].charge, axis=None)) != 0
    error = ak.to_numpy(ak.flatten(parts[1].d0_error, axis=None))
    pull = (ak.to_numpy(moved) - ak.to_numpy(before))[charged] / error[charged]
    assert np.mean(pull) == pytest.approx(0, abs=5 / np.sqrt(len(pull)))
    assert np.std(pull) == pytest.approx(1, abs=5 / np.sqrt(len(pull)))
    assert np.array_equal(ak.to_numpy(moved)[~charged], ak.to_numpy(before)[~charged])
    assert ak.all(parts[0].pt == parts[1].pt)


def test_constituents_come_in_the_order_of_their_momenta(vary: Vary) -> None:
    found = vary(scale={"fat_jets.constituents": "1 + 0.5 * gauss1"})
    pt = found["up"].fat_jets.constituents.pt
    assert ak.all(pt[..., 1:] <= pt[..., :-1])
    assert ak.min(pt) >= 0


def test_missing_momentum_balances_the_jets(vary: Vary) -> None:
    found = vary(skim=SkimConfig(), scale={"jets": 1.1, "ht": 1.1}, balance="jets")
    up, nominal = found["up"], found["nominal"]
    for axis in ("px", "py"):
        gained = 0.1 * ak.sum(getattr(nominal.jets, axis), axis=1)
        assert np.allclose(getattr(up.met, axis), getattr(nominal.met, axis) - gained, atol=1e-2)
    assert np.allclose(up.ht, 1.1 * nominal.ht)


def test_expressions_see_nominal_objects(vary: Vary) -> None:
    found = vary(
        skim=SkimConfig(), scale={"jets.mass": "1 + 0.01 * pt"}, shift={"jets.pt": 5}, scale_down={"jets": 1}
    )
    up, nominal = found["up"], found["nominal"]
    expected = nominal.jets.mass * (1 + 0.01 * nominal.jets.pt)
    assert np.allclose(ak.flatten(up.jets.mass), ak.flatten(expected), rtol=1e-5)
    assert np.allclose(ak.flatten(up.jets.pt), ak.flatten(nominal.jets.pt) + 5, rtol=1e-6)
    assert ak.all(found["down"].jets.pt == nominal.jets.pt)
