"""What runs again after an edit, by Snakemake's own word; and that one run makes everything right."""

from __future__ import annotations

import copy
import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.workflow.conftest import Workspace

pytestmark = pytest.mark.workflow

Change = Callable[[dict[str, Any], list[dict[str, str]]], object]
ALWAYS = {"manifest", "html_report", "page"}
VARIED = {"vary", "vary_once", "varied_features"}
COSTLY = {"skim", "event_features", "stream_features", "train_network", "train_boosting", "apply", "explain"}
COSTLY |= VARIED
WEIGHED = {
    "normalisation",
    "evaluate",
    "summary",
    "significance",
    "explain",
    "figure_kinematics",
    "figure_scores",
}
TRAININGS = {"train_network", "train_boosting"}


def key(dotted: str, value: object) -> Change:
    def change(config: dict[str, Any], rows: list[dict[str, str]]) -> None:
        *path, last = dotted.split(".")
        for step in path:
            config = config[int(step) if isinstance(config, list) else step]
        config[last] = value

    return change


def column(sample: str, name: str, value: str) -> Change:
    def change(config: dict[str, Any], rows: list[dict[str, str]]) -> None:
        next(row for row in rows if row["sample"] == sample)[name] = value

    return change


def both(*changes: Change) -> Change:
    return lambda config, rows: [change(config, rows) for change in changes]


def one_more_variant(config: dict[str, Any], rows: list[dict[str, str]]) -> None:
    config["models"]["again"] = config["models"]["gradient_boosting"]
    config["training"]["variants"].append("again")


def harder_jets(config: dict[str, Any], rows: list[dict[str, str]]) -> None:
    next(cut for cut in config["skim"]["cuts"] if cut["quantity"] == "fat_jets[0].pt")["min"] = 320


CASES: dict[str, tuple[Change, set[str], set[str]]] = {
    # edit: what it is, which of the costly rules run, what else must run
    "nothing": (lambda config, rows: None, set(), set()),
    "luminosity": (key("luminosity_fb", 300), {"explain"}, WEIGHED | {"cutflow", "application_summary"}),
    "cross section": (column("ttbar_had", "cross_section_pb", "12.5"), {"explain"}, WEIGHED | {"cutflow"}),
    "process": (column("ttbar_had", "process", "top"), {"explain"}, WEIGHED | {"cutflow"}),
    "mass": (
        both(column("signal_H1000", "mass_GeV", "900"), key("inference.cross_sections_fb", {"900": 2.705})),
        set(),
        {"templates", "limit", "limits", "sculpting"},
    ),
    "role": (
        both(column("qcd_4b", "role", "signal"), column("qcd_4b", "mass_GeV", "1000")),
        {"event_features", "varied_features", "apply", "explain"} | TRAININGS,
        WEIGHED - {"normalisation"} | {"classes"},
    ),
    "luminosity and epochs": (
        both(key("luminosity_fb", 300), key("training.epochs", 3)),
        {"train_network", "apply", "explain"},
        WEIGHED | {"figure_training"},
    ),
    "memory of a training": (key("training.memory_gb", 2.0), set(), set()),
    "memory of reading": (key("reading.memory_gb", 2.0), set(), set()),
    "name of a cut": (key("skim.cuts.0.name", "another name"), set(), {"cutflow", "figure_cutflow"}),
    "a stream that no variant reads": (key("features.streams.objects.features", ["log_pt"]), set(), set()),
    "a stream of one variant": (
        key("features.streams.jet2.max_tokens", 20),
        {"stream_features", "train_network", "apply", "explain"},
        {"evaluate", "figure_jet_images"},
    ),
    "a setting that trees have not": (
        key("training.batch_size", 96),
        {"train_network", "apply", "explain"},
        {"evaluate"},
    ),
    "weights of trainings": (
        key("training.weights", "physics"),
        TRAININGS | {"apply", "explain"},
        {"evaluate"},
    ),
    "a cut": (
        harder_jets,
        COSTLY,
        {"cutflow", "normalisation", "sample_cutflow", "figure_kinematics"},
    ),
    "a companion": (
        key("explanation.companion_epochs", 1),
        {"explain"},
        {"train_companion", "figure_methods", "event_display"},
    ),
    "permuted labels": (
        key("explanation.permuted_labels", 1),
        {"explain"},
        {"train_companion", "figure_methods", "event_display"},
    ),
    "bins of maps": (key("explanation.bins", 12), set(), {"figure_attention", "figure_relevance"}),
    "uncertainty of the background": (key("evaluation.background_uncertainty", 0.2), set(), {"significance"}),
    "theory of the signal": (
        key("inference.theory_fb", {"1000": 1.0}),
        set(),
        {"limit", "limits", "figure_limits"},
    ),
    "a variation of objects": (
        key("variations.jet_scale.scale", {"jets": 1.05}),
        {"vary", "varied_features"},
        {"score_varied"},
    ),
    "a variation of weights": (key("variations.tags.up", "1.2"), set(), {"weigh"}),
    "a rate": (key("variations.luminosity.size", 0.03), set(), {"templates"}),
    "tag weights and no variation": (
        both(
            key("variations", {}),
            key("reading.also", ["jets.Flavor"]),
            key("inference.tag_weights", {"patterns": 3}),
        ),
        COSTLY - {"vary", "vary_once"},
        {"tag_efficiency", "tag_patterns", "tag_closure", "score_events", "figure_tag_closure"},
    ),
    "one more variation of objects": (
        key("variations.mass_scale", {"kind": "objects", "scale": {"fat_jets.mass": 1.03}}),
        {"vary", "varied_features"},
        {"score_varied", "templates"},
    ),
    "replicas": (key("inference.replicas", 3), set(), {"templates"}),
    "pruning": (key("inference.pruning", {"rate_sigma": 2.0}), set(), {"templates"}),
    "colour of a process": (
        key("figures.processes", {"tt̄ (all-hadronic)": {"color": "#000000"}}),
        set(),
        {"figure_kinematics", "figure_postfit"},
    ),
    "a category more": (key("inference.categories", 2), set(), {"templates", "limit", "sculpting"}),
    "label of the fitted observable": (
        key("inference.fit.label", "Another label"),
        set(),
        {"figure_postfit", "figure_sculpting"},
    ),
    "look of figures": (key("figures.label", "Another label"), set(), {"figure_roc", "figure_kinematics"}),
    "one more variant": (one_more_variant, {"train_boosting", "apply"}, {"evaluate", "summary"}),
    "rotations": (key("training.k_fold", 5), TRAININGS | {"apply"}, {"evaluate"}),
}
FITS = {"templates", "limit", "limits"} | {
    f"figure_{name}" for name in ("limits", "limits_of_all", "luminosity", "postfit", "pulls", "variations")
}
"""Templates and fits, tables and figures of these: all that follows from a systematic, and nothing made of events."""
ALONE = {
    "nothing": set(),
    "label of the fitted observable": {"figure_postfit", "figure_sculpting"},
    "memory of a training": set(),
    "memory of reading": set(),
    "name of a cut": {"cutflow", "figure_cutflow"},
    "a stream that no variant reads": set(),
    "uncertainty of the background": {"significance", "figure_significance"} | FITS,
    "a variation of objects": {"vary", "varied_features", "score_varied"} | FITS,
    "a variation of weights": {"weigh"} | FITS,
    "one more variation of objects": {"vary", "varied_features", "score_varied"} | FITS,
    "a rate": FITS,
    "replicas": FITS,
    "pruning": FITS,
}
"""Edits after which nothing else runs, besides what always does."""


def plans_of(workspace: Workspace, changes: dict[str, Change]) -> dict[str, Any]:
    """What every edit reruns, after a run whose jobs Snakemake has recorded without their having been done."""
    listed = workspace.snakemake("--summary").stdout
    for line in listed.splitlines():
        if line.startswith("results/"):
            path = workspace.folder / line.split("\t")[0]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("a result")
    touched = workspace.snakemake("--touch", "--forceall")
    assert touched.returncode == 0, touched.stdout
    edits = []
    for change in changes.values():
        config, rows = copy.deepcopy(workspace.config), copy.deepcopy(workspace.rows)
        change(config, rows)
        edited = Workspace(workspace.folder / "edited", config, rows)
        edited.folder.mkdir(exist_ok=True)
        edited.write()
        edits.append(
            {
                str(workspace.folder / "config" / name): (edited.folder / "config" / name).read_text(
                    encoding="utf-8"
                )
                for name in ("mini.yaml", "samples.tsv")
            }
        )
    words = workspace.command("--dry-run", "--nolock")[3:]
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "workflow" / "plans.py")],
        input=json.dumps({"words": words, "edits": edits}),
        capture_output=True,
        text=True,
        cwd=workspace.folder,
        env=os.environ | {"PYTHONPATH": ""},
        check=True,
    )
    return dict(zip(changes, json.loads(done.stdout), strict=True))


@pytest.fixture(scope="module")
def plans(new_workspace: Callable[[], Workspace]) -> dict[str, Any]:
    """Of an analysis with variations."""
    workspace = new_workspace()
    workspace.rows = [
        row for row in workspace.rows if not row["sample"].startswith(("qcd_2", "qcd_3", "qcd_jj"))
    ]
    workspace.config["variations"] = {
        "jet_scale": {"kind": "objects", "scale": {"jets": 1.02}},
        "resolution": {"kind": "objects", "scale": {"fat_jets": "1 + 0.1 * gauss1"}},
        "tags": {"kind": "weight", "up": "1.1"},
        "luminosity": {"kind": "rate", "size": 0.02},
    }
    return plans_of(workspace, {name: change for name, (change, _, _) in CASES.items()})


@pytest.mark.parametrize("edit", CASES)
def test_an_edit_reruns_what_depends_on_it(plans: dict[str, Any], edit: str) -> None:
    planned = plans[edit]
    assert isinstance(planned, dict), planned
    _, costly, others = CASES[edit]
    assert set(planned) & COSTLY == costly
    assert others <= set(planned)
    if edit in ALONE:
        assert set(planned) - ALWAYS == ALONE[edit]


SCORES = {
    "tag_patterns",
    "tag_closure",
    "varied_features",
    "score_events",
    "score_varied",
    "weigh",
    "sculpting",
}
SCORES |= FITS | {"figure_tag_closure", "figure_sculpting"}
"""From drawn patterns of tags to limits; nothing simulated, trained or evaluated."""
OF_TAGS: dict[str, tuple[Change, set[str]]] = {
    "nothing": (lambda config, rows: None, set()),
    "patterns": (key("inference.tag_weights.patterns", 4), SCORES),
    "seed of the tags": (key("inference.tag_weights.seed", 2), SCORES),
    "bins of efficiencies": (
        key("inference.tag_weights.pt_edges", [50.0, 100.0]),
        SCORES | {"tag_efficiency"},
    ),
    "asked tags": (
        key("inference.select", "tags >= 3"),
        FITS | {"sculpting", "figure_sculpting"},
    ),
    "scaled weights": (
        key("inference.scale", {"tt̄ (all-hadronic)": 0.5}),
        FITS | {"sculpting", "figure_sculpting"},
    ),
}


def test_an_edit_of_tag_weights(new_workspace: Callable[[], Workspace]) -> None:
    """From an analysis that has them: just what is drawn again, scored again and fitted again."""
    workspace = trees_only(new_workspace())
    workspace.config["reading"]["also"] = ["jets.Flavor"]
    workspace.config["variations"] = {
        "jet_scale": {"kind": "objects", "scale": {"jets": 1.02}},
        "luminosity": {"kind": "rate", "size": 0.02},
        "tags": {"kind": "weight", "up": "1.1"},
    }
    workspace.config["inference"] |= {"tag_weights": {"patterns": 3}, "select": "tags >= 2"}
    workspace.config["inference"]["observables"]["tags"] = "num(jets[jets.b_tag])"
    found = plans_of(workspace, {name: change for name, (change, _) in OF_TAGS.items()})
    assert {name: set(plan) - ALWAYS for name, plan in found.items()} == {
        name: rules for name, (_, rules) in OF_TAGS.items()
    }
    # three samples, nominal and two sides of a variation
    assert found["seed of the tags"]["tag_patterns"] == 9


def test_how_many_jobs(plans: dict[str, Any]) -> None:
    assert plans["nothing"] == {}
    assert plans["a setting that trees have not"]["train_network"] == 1
    of_one = plans["a variation of objects"]
    assert (of_one["vary"], of_one["varied_features"], of_one["score_varied"]) == (3, 6, 1)
    assert plans["rotations"]["train_network"] == plans["rotations"]["train_boosting"] == 4
    assert plans["one more variant"]["train_boosting"] == plans["one more variant"]["evaluate"] == 1
    assert not {"explain", "figure_training"} & set(plans["rotations"])  # of the first rotation alone
    for look in ("look of figures", "colour of a process"):
        assert {name for name in plans[look] if not name.startswith("figure_")} == ALWAYS


@pytest.mark.parametrize("profile", ["default", "slurm"])
def test_edited_code_reruns_nothing(profile: str) -> None:
    """A stage's number does, which is among the parameters."""
    content = yaml.safe_load((ROOT / "profiles" / profile / "config.yaml").read_text(encoding="utf-8"))
    assert set(content["rerun-triggers"]) == {"mtime", "params", "input", "software-env"}


def trees_only(workspace: Workspace) -> Workspace:
    """A few minutes' work less: three samples, boosted trees, one stream."""
    config = workspace.config
    workspace.rows = [r for r in workspace.rows if r["sample"] in ("signal_H1000", "qcd_4b", "ttbar_had")]
    config["training"]["variants"] = ["gradient_boosting"]
    config["models"] = {"gradient_boosting": config["models"]["gradient_boosting"] | {"iterations": 30}}
    config["explanation"]["variants"] = []
    config["features"]["streams"] = {"kinematics": config["features"]["streams"]["kinematics"]}
    kinematics = config["figures"]["kinematics"]
    config["figures"].pop("variants", None)  # of networks that are not there
    config["figures"] |= {"formats": ["pdf"], "kinematics": {n: kinematics[n] for n in list(kinematics)[:1]}}
    return workspace


def edit(workspace: Workspace) -> None:
    key("luminosity_fb", 300)(workspace.config, workspace.rows)
    column("ttbar_had", "cross_section_pb", "20")(workspace.config, workspace.rows)


WANTED = (
    "skim/cutflow.csv",
    "evaluation/summary.csv",
    "inference/significance.csv",
    "inference/limits.csv",
    "figures/cutflow.csv",
    "figures/scores/gradient_boosting.csv",
    "figures/limits_of_all.csv",
)
"""Tables that follow from the rest; of the figures, those that say something of weights."""


def run(workspace: Workspace) -> None:
    histogram = next(iter(workspace.config["figures"]["kinematics"]))
    files = [workspace.results(name) for name in (*WANTED, f"figures/kinematics/{histogram}.csv")]
    done = workspace.snakemake(*(f.relative_to(workspace.folder).as_posix() for f in files), timeout=1500)
    assert done.returncode == 0, done.stdout


def tables(workspace: Workspace) -> dict[str, Any]:
    """Content of every table, as numbers where they are numbers, without times."""
    found: dict[str, Any] = {}
    for path in sorted(workspace.results().rglob("*")):
        name = path.relative_to(workspace.results()).as_posix()
        if name == "configuration.json" or name.startswith(("logs/", "benchmarks/")):
            continue
        if path.suffix == ".csv":
            with path.open(encoding="utf-8") as stream:
                found[name] = [
                    {k: number(v) for k, v in row.items() if k not in TIMES} for row in csv.DictReader(stream)
                ]
        elif path.suffix == ".json":
            found[name] = without_times(json.loads(path.read_text(encoding="utf-8")))
    return found


TIMES = ("training_seconds", "seconds", "events_per_second", "job_seconds", "source", "devices", "threads")


def without_times(content: Any) -> Any:
    if isinstance(content, dict):
        return {k: without_times(v) for k, v in content.items() if k not in TIMES}
    return [without_times(v) for v in content] if isinstance(content, list) else content


def number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def test_one_run_after_an_edit_makes_every_table_right(new_workspace: Callable[[], Workspace]) -> None:
    """Luminosity and a cross section: as from scratch, digit by digit, and nothing is trained again."""
    edited, scratch = trees_only(new_workspace()), trees_only(new_workspace())
    run(edited)
    before = tables(edited)
    models = {p: p.stat().st_mtime_ns for p in edited.results("training").rglob("model.*")}
    features = {p: p.stat().st_mtime_ns for p in edited.results("features").rglob("*.npz")}
    assert len(models) == 1
    assert len(features) == 6
    edit(edited)
    run(edited)
    edit(scratch)
    run(scratch)
    after, wanted = tables(edited), tables(scratch)
    assert set(after) == set(wanted)
    wrong = [name for name in wanted if after[name] != wanted[name]]
    assert not wrong, wrong
    assert {p: p.stat().st_mtime_ns for p in (*models, *features)} == models | features
    changed = {name for name in wanted if before[name] != wanted[name]}
    assert {"skim/cutflow.csv", "features/normalisation.json"} <= changed
    assert any(name.startswith("figures/kinematics") for name in changed)
    assert any("significance" in name for name in changed)


def test_another_configuration_of_the_same_name_is_refused(new_workspace: Callable[[], Workspace]) -> None:
    workspace = new_workspace()
    classes = workspace.results("features", "classes.json").relative_to(workspace.folder).as_posix()
    assert workspace.snakemake(classes).returncode == 0
    other = workspace.folder / "config" / "other.yaml"
    workspace.write()
    other.write_bytes((workspace.folder / "config" / "mini.yaml").read_bytes())
    words = ["--configfile", str(other), "--dry-run", classes]
    refused = workspace.snakemake(*words)
    assert refused.returncode != 0
    assert "other.yaml" in refused.stdout
    assert "mini.yaml" in refused.stdout
    assert "Traceback" not in refused.stdout
    allowed = workspace.snakemake(*words, "--config", "take_over=true")
    assert allowed.returncode == 0, allowed.stdout


def test_what_is_no_longer_made_is_told(finished: Workspace, tmp_path: Path) -> None:
    assert "earlier configuration" not in finished.transcript
    shutil.copytree(finished.folder, tmp_path / "copy", symlinks=True)
    config = copy.deepcopy(finished.config)
    del config["figures"]["kinematics"]["met"]
    done = Workspace(tmp_path / "copy", config, finished.rows).snakemake("--config", "take_over=true")
    assert done.returncode == 0, done.stdout
    (line,) = (line for line in done.stdout.splitlines() if "earlier configuration" in line)
    names = ", ".join(f"figures/kinematics/met.{suffix}" for suffix in ("csv", "pdf", "png"))
    assert line.endswith(f"configuration: {names}; delete them if not wanted"), line
