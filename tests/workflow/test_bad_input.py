"""Bad input ends in one clear message, and leaves nothing under a final name."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import uproot

from tests.conftest import DEMO, shared_data
from tests.workflow.conftest import Workspace

pytestmark = [pytest.mark.workflow]


def qcd_jj(workspace: Workspace) -> dict[str, str]:
    return next(row for row in workspace.rows if row["sample"] == "qcd_jj")


def line_of(workspace: Workspace) -> int:
    """The line of that sample in the table, under the header."""
    return 2 + workspace.rows.index(qcd_jj(workspace))


def refuses(workspace: Workspace, target: str, *expected: str) -> str:
    """Run for one target and check the message, that there is no traceback, and that the target is not there."""
    done = workspace.snakemake(workspace.results(target).relative_to(workspace.folder).as_posix())
    assert done.returncode != 0, done.stdout
    for words in expected:
        assert words in done.stdout
    assert "Traceback" not in done.stdout
    message, log = [line for line in done.stdout.splitlines() if line.strip()][-2:]
    assert message.startswith("jetlens: "), done.stdout
    assert "; log: results/" in log, done.stdout
    assert not workspace.results(target).exists()
    leftovers = [
        p for p in workspace.folder.rglob("*") if p.suffix in (".parquet", ".npz") and p.name.startswith(".")
    ]
    assert not leftovers
    return done.stdout


def test_a_truncated_file(new_workspace: Callable[[], Workspace]) -> None:
    workspace = new_workspace()
    broken = workspace.folder / "broken.root"
    broken.write_bytes((DEMO / "qcd_jj.root").read_bytes()[:1_500_000])
    qcd_jj(workspace)["files"] = str(broken)
    text = refuses(workspace, "skim/qcd_jj/broken.parquet", "jetlens: ", "broken.root")
    message = next(
        line for line in text.splitlines() if line.startswith("jetlens: ") and "broken.root" in line
    )
    assert len(message) < 500


def test_a_file_without_a_tree(new_workspace: Callable[[], Workspace]) -> None:
    workspace = new_workspace()
    source = shared_data("delphes_formats/foreign_no_tree.root")
    qcd_jj(workspace)["files"] = str(source)
    refuses(workspace, f"skim/qcd_jj/{source.stem}.parquet", source.name, "tree")


def test_no_fat_jet_branch(new_workspace: Callable[[], Workspace]) -> None:
    workspace = new_workspace()
    workspace.config["reading"]["branches"] = {"fat_jets": "FatJets"}
    refuses(workspace, "skim/qcd_jj/qcd_jj.parquet", "qcd_jj.root", "'FatJets'", "FatJet")


def test_a_missing_branch(new_workspace: Callable[[], Workspace]) -> None:
    """A file with fat jets but without their azimuth."""
    workspace = new_workspace()
    poor = workspace.folder / "poor.root"
    names = ["FatJet.PT", "FatJet.Eta", "FatJet.Mass", "Event.Number"]
    with uproot.open(DEMO / "qcd_jj.root") as source, uproot.recreate(poor) as target:
        arrays = source["Delphes"].arrays(names, entry_stop=10)
        target.mktree("Delphes", dict.fromkeys(names, "var * float32"))
        target["Delphes"].extend({name: arrays[name] for name in names})
    qcd_jj(workspace)["files"] = str(poor)
    refuses(workspace, "skim/qcd_jj/poor.parquet", "poor.root", "FatJet")


def test_no_event_selected(new_workspace: Callable[[], Workspace]) -> None:
    workspace = new_workspace()
    cut = next(cut for cut in workspace.config["skim"]["cuts"] if cut["quantity"] == "fat_jets[0].pt")
    cut["min"] = 50_000
    text = refuses(workspace, "skim/cutflow.csv", "no event", "50000 <= fat_jets[0].pt")
    assert "signal_H1000" in text


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda c: c["training"].update(epoch=3), "unknown key 'training.epoch'; did you mean 'epochs'?"),
        (lambda c: c["training"]["variants"].append("transformer"), "unknown variant 'transformer'"),
        (lambda c: c["skim"]["cuts"][0].update(quantity="num(fat_jet)"), "did you mean"),
        (lambda c: c["features"]["streams"]["jet1"]["features"].append("log_ptt"), "log_ptt"),
    ],
)
def test_a_wrong_configuration(
    new_workspace: Callable[[], Workspace], change: Callable[[dict], None], expected: str
) -> None:
    workspace = new_workspace()
    change(workspace.config)
    done = workspace.snakemake("--dry-run")
    assert done.returncode != 0
    assert expected in done.stdout
    assert "mini.yaml" in done.stdout
    assert "Traceback" not in done.stdout


def test_a_wrong_sample_table(new_workspace: Callable[[], Workspace]) -> None:
    workspace = new_workspace()
    qcd_jj(workspace)["cross_section_pb"] = "-10556"
    done = workspace.snakemake("--dry-run")
    assert done.returncode != 0
    where = f"samples.tsv, line {line_of(workspace)}"
    assert f"{where}: cross_section_pb must be a positive number, found -10556" in done.stdout


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (lambda arrays: arrays.pop("mask"), "mask"),
        (lambda arrays: arrays.update(metadata=older(arrays["metadata"])), "schema version"),
    ],
)
def test_a_bad_feature_file(finished: Workspace, damage: Callable[[dict], None], expected: str) -> None:
    """Training refuses a feature file that breaks the contract."""
    path = finished.results("features", "qcd_jj", "qcd_jj", "jet1.npz")
    good, times = path.read_bytes(), path.stat()
    seed = finished.config["training"]["seeds"]
    with np.load(path, allow_pickle=False) as archive:
        arrays = dict(archive)
    damage(arrays)
    np.savez(path, **arrays)
    finished.config["training"]["seeds"] = [7]
    try:
        refuses(finished, "training/cross_attention_three_stream/seed7/model.keras", "jet1.npz", expected)
    finally:
        finished.config["training"]["seeds"] = seed
        path.write_bytes(good)
        os.utime(
            path, ns=(times.st_atime_ns, times.st_mtime_ns)
        )  # nothing of the shared analysis is to rerun


def older(metadata: np.ndarray) -> np.ndarray:
    """The metadata of a file from another version of the schema."""
    text = str(metadata)
    assert '"schema_version":2' in text
    return np.array(text.replace('"schema_version":2', '"schema_version":0'))


def test_a_missing_file(new_workspace: Callable[[], Workspace], tmp_path: Path) -> None:
    workspace = new_workspace()
    qcd_jj(workspace)["files"] = str(tmp_path / "none.root")
    done = workspace.snakemake("--dry-run")
    assert done.returncode != 0
    assert f"samples.tsv, line {line_of(workspace)}: file" in done.stdout
    assert "none.root' does not exist" in done.stdout
