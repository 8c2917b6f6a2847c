"""Tag weights against tags: closure where efficiencies are right, and none where they are wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
from scipy import stats

from jetlens.config.inference import TagWeightsConfig
from jetlens.config.reading import ReadingConfig
from jetlens.config.skim import SkimConfig
from jetlens.errors import FileError
from jetlens.inference import tagclosure
from jetlens.inference.tagclosure import ALL, TAGS, Closure, add_patterns, tag_closure
from jetlens.inference.tagging import Corrections, efficiency_of, write_efficiencies, write_patterns
from jetlens.skim import read_skim, skim_file
from tests.conftest import DEMO

SAMPLES = {"ttbar_had": "ttbar_had", "qcd_4b": "qcd_4b", "qcd_jj": "qcd_jj"}
CONFIG = TagWeightsConfig(patterns=20)
READING = ReadingConfig(leading_jets=0, also=["jets.Flavor"])


def skimmed(folder: Path, name: str, reading: ReadingConfig = READING) -> Path:
    parquet = folder / f"{name}.parquet"
    source, objects = str(DEMO / f"{name}.root"), SkimConfig(objects={"jets": "pt > 20"})
    skim_file(source, parquet, folder / "f.json", sample=name, part="p", reading=reading, skim=objects)
    return parquet


@pytest.fixture(scope="module")
def skims(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    folder = tmp_path_factory.mktemp("skims")
    return {name: [skimmed(folder, file)] for name, file in SAMPLES.items()}


def drawn(
    skims: dict[str, list[Path]], efficiencies: Path, folder: Path, config: Any
) -> dict[str, list[Path]]:
    made = {}
    for name, (skim,) in skims.items():
        made[name] = [folder / f"{name}.parquet"]
        write_patterns(
            skim, made[name][0], efficiency_of(efficiencies, name, config), config, sample=name, part="p"
        )
    return made


def closure(skims: dict[str, list[Path]], folder: Path, config: TagWeightsConfig = CONFIG) -> Any:
    write_efficiencies(skims, folder / "e.json", config)
    patterns = drawn(skims, folder / "e.json", folder, config)
    table = tag_closure(skims, patterns, {name: (name, 1.0) for name in skims}, config, folder / "e.json")
    return table, patterns


def pulls(table: Any) -> Any:
    own = table[table["test"] != ALL]
    return ((own["found"] - own["estimated"]) / own["error"])[own["estimated"] > 0.5]


def test_closure_in_0_1_2_and_3_tags(skims: dict[str, list[Path]], tmp_path: Path) -> None:
    table, patterns = closure(skims, tmp_path)
    assert list(table["test"]) == 3 * [*TAGS, ALL]
    assert (abs(pulls(table)) < 3.5).all(), table
    together = table[table["test"] == ALL]
    assert (together["p_value"] > 1e-3).all(), table
    assert set(together["ndf"]) <= {1.0, 2.0, 3.0}  # what all add up to does not fluctuate
    of_one = table[table["p_value"].notna() & (table["test"] != ALL)]
    assert np.allclose(of_one["chi2"], ((of_one["found"] - of_one["estimated"]) / of_one["error"]) ** 2)
    assert (table["found"] > 0).sum() >= 10  # there are events to tell
    # weights are shared out: none is lost
    sums = table[table["test"] != ALL].groupby("region")[["found", "estimated"]].sum()
    assert np.allclose(sums["found"], sums["estimated"])
    # where tags leave few events, patterns leave many
    light = read_skim(patterns["qcd_jj"][0], ["jets", "event_number"])
    events = read_skim(skims["qcd_jj"][0], ["jets"])
    several = [np.asarray(ak.sum(e.jets.b_tag, axis=1)) >= 2 for e in (events, light)]
    assert len(np.unique(light.event_number[several[1]])) > 3 * several[0].sum()


def test_no_closure_without_flavour(skims: dict[str, list[Path]], tmp_path: Path) -> None:
    """The null test: efficiencies by transverse momentum alone do not close."""
    table, _ = closure(skims, tmp_path, TagWeightsConfig(flavour="charge"))
    assert abs(pulls(table)).max() > 4.5
    assert table[table["test"] == ALL]["p_value"].min() < 1e-6


EFFICIENCY = np.array([0.1, 0.5, 0.7])


def toy(rng: Any, *, follows: bool = True, truth: Any = EFFICIENCY) -> Closure:
    """A sample of 300 events of lognormal weights, up to six objects each; efficiencies are measured on them."""
    events, k, size = 300, 20, len(TAGS)
    objects = rng.multinomial(rng.integers(1, 7, events), [0.4, 0.3, 0.3])
    weight = rng.lognormal(0, 0.5, events)
    tagged = rng.binomial(objects, truth)
    total = objects.sum(axis=0)
    measured = tagged.sum(axis=0) / total if follows else EFFICIENCY
    number = np.minimum(tagged.sum(axis=1), size - 1)
    variance = total * measured * (1 - measured) if follows else np.full(3, np.inf)
    zero = np.zeros
    made = Closure(
        *(np.bincount(number, weight, size), zero(size), zero(size), zero((size, size)), zero((size, 3))),
        *(variance, zero(3, dtype=bool)),
    )
    patterns = rng.binomial(objects[:, None], measured, (events, k, 3))
    add_patterns(made, np.eye(size)[np.minimum(patterns.sum(axis=2), size - 1)], patterns, weight)
    return made


def p_values(toys: list[list[Closure]]) -> Any:
    return np.array([[row["p_value"] for row in tagclosure.tests(parts)] for parts in toys])


def test_p_values_of_what_closes_are_uniform() -> None:
    """Efficiencies given, and measured on the events themselves, for which the covariance knows that they follow."""
    rng = np.random.default_rng(3)
    for follows in (False, True):
        toys = [[toy(rng, follows=follows), toy(rng, follows=follows)] for _ in range(400)]
        for column in p_values(toys).T:
            assert stats.kstest(column, "uniform").pvalue > 1e-3
    # the null test: as if efficiencies did not follow, agreement would look too good
    for parts in toys:
        for part in parts:
            part.variance[:] = np.inf
    assert np.mean(p_values(toys)[:, -1]) > 0.53


def test_wrong_efficiencies_have_small_p_values() -> None:
    rng = np.random.default_rng(4)
    found = p_values([[toy(rng, follows=False, truth=EFFICIENCY * 1.25)] for _ in range(20)])
    assert np.median(found[:, -1]) < 1e-3


def test_few_expected_events_are_joined_and_tested_by_no_number_of_their_own() -> None:
    rng = np.random.default_rng(5)
    few = toy(rng)
    few.squares[3] = few.estimated[3] ** 2 / 2.0
    rows = tagclosure.tests([few])
    assert np.isnan(rows[3]["p_value"])
    assert rows[-1]["ndf"] == 2


def test_rows_of_an_event(skims: dict[str, list[Path]], tmp_path: Path) -> None:
    _, patterns = closure(skims, tmp_path)
    before, after = read_skim(skims["ttbar_had"][0]), read_skim(patterns["ttbar_had"][0])
    assert after.event_number.tolist() == np.repeat(before.event_number, 20).tolist()
    assert np.allclose(after.weight, np.repeat(before.weight, 20) / 20)
    assert ak.all(after.jets.pt[::20] == before.jets.pt)
    assert ak.all(after.fat_jets.b_tag[::20] == before.fat_jets.b_tag)
    again = tmp_path / "again"
    again.mkdir()
    _, other = closure(skims, again)
    assert other["ttbar_had"][0].read_bytes() == patterns["ttbar_had"][0].read_bytes()
    known = efficiency_of(tmp_path / "e.json", "ttbar_had", CONFIG)
    write_patterns(
        skims["ttbar_had"][0], again / "o.parquet", known, CONFIG, sample="ttbar_had", part="other"
    )
    # events of another file have tags of their own, whatever their numbers
    assert ak.any(read_skim(again / "o.parquet", ["jets"]).jets.b_tag != after.jets.b_tag)


def corrections(folder: Path, kind: str = "int") -> Path:
    inputs = [{"name": "flavor", "type": kind}, {"name": "pt", "type": "real"}]
    binning = {
        "nodetype": "binning", "input": "pt", "edges": [0.0, 100.0, 1e5], "content": [0.6, 0.7], "flow": "clamp",
    }  # fmt: skip
    choice = [{"key": 5, "value": binning}]
    content = {"nodetype": "category", "input": "flavor", "content": choice, "default": 0.01}
    one = {
        "name": "btag",
        "version": 1,
        "inputs": inputs,
        "output": {"name": "e", "type": "real"},
        "data": content,
    }
    path = folder / "c.json"
    path.write_text(json.dumps({"schema_version": 2, "corrections": [one]}))
    return path


def test_efficiencies_of_correctionlib(skims: dict[str, list[Path]], tmp_path: Path) -> None:
    path = corrections(tmp_path)
    config = TagWeightsConfig(corrections=str(path), correction="btag", inputs=["Flavor", "pt"], patterns=50)
    write_patterns(
        skims["ttbar_had"][0],
        tmp_path / "o.parquet",
        efficiency_of(None, "s", config),
        config,
        sample="s",
        part="p",
    )
    jets = ak.flatten(read_skim(tmp_path / "o.parquet", ["jets"]).jets)
    for chosen, expected in (
        ((jets.Flavor == 5) & (jets.pt > 100), 0.7),
        ((jets.Flavor == 5) & (jets.pt < 100), 0.6),
        (jets.Flavor != 5, 0.01),
    ):
        assert ak.mean(jets.b_tag[chosen]) == pytest.approx(expected, rel=0.03)
    with pytest.raises(FileError, match=r"takes flavor \(int\), pt \(real\); .* has 1 expressions"):
        Corrections(config.model_copy(update={"inputs": ["pt"]}))
    with pytest.raises(FileError, match="has no correction 'tag'; did you mean 'btag'"):
        Corrections(config.model_copy(update={"correction": "tag"}))


def test_without_flavour_it_is_told(tmp_path: Path) -> None:
    skim = skimmed(tmp_path, "ttbar_had_lo", ReadingConfig(leading_jets=0))
    with pytest.raises(FileError, match=r"jets have no 'Flavor'.*add 'jets.Flavor' to reading.also"):
        write_efficiencies({"s": [skim]}, tmp_path / "e.json", CONFIG)
