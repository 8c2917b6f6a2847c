"""All explainers on one table: do they agree with leave-one-out, and does the logit go with what they mark?

    python benchmarks/explanations.py [--folder build/explanations] [--cores 2] [--events 500] [--few 100]

Trains every kind of transformer of config/full.yaml with three seeds in ``--folder`` on five twelfths of the demo's
events, and explains ``--events`` per class of the others (integrated gradients, which take half of the time, the first
``--few``; Shapley values are of ``--permutations`` orders). Columns: Spearman's rank correlation over an event's
constituents with leave-one-out; the logit lost with the first 20 % of them removed, masked or replaced by those of
other jets; CPU seconds for all seeds. All values are in favour of the event's class. Behind ± stands the standard error
over events, behind the comma the standard deviation over trainings. Tables are left in ``--folder``, too.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
VARIANTS = [
    "self_attention",
    "particle_transformer",
    "analysis_object",
    "cross_attention_two_stream",
    "concatenation",
    "cross_attention_three_stream",
]
SEEDS = [1, 2, 3]
SPLIT = {"folds": 12, "test": [0, 1, 2, 3, 4, 5, 6], "validation": [7], "locked": [], "seed": 1}
SHARE = 0.2
COSTLY = ("integrated_gradients",)
METHODS = [
    "leave_one_out",
    "shapley",
    "integrated_gradients",
    "relevance",
    "relevance_signed",
    "gradcam",
    "attention",
]
Floats = NDArray[np.float64]


def train(folder: Path, cores: int) -> Path:
    """Train all variants through the workflow; return the folder of results."""
    content: dict[str, Any] = yaml.safe_load((ROOT / "config" / "full.yaml").read_text(encoding="utf-8"))
    content |= {"analysis": "explanations", "samples": str(ROOT / "config" / "samples.tsv")}
    content["features"]["split"] = SPLIT
    content["training"] |= {"variants": VARIANTS, "seeds": SEEDS, "k_fold": 1}
    content["explanation"]["variants"] = []
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "config.yaml"
    config.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    results = Path("results", "explanations")
    if not (folder / "resources").exists():  # the table of samples names files from where the workflow runs
        (folder / "resources").symlink_to(ROOT / "resources")
    runs = [f"training/{name}/seed{seed}/manifest.json" for name in VARIANTS for seed in SEEDS]
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--quiet", "rules"]
    command += ["--directory", str(folder), "--configfile", str(config), "--cores", str(cores), "--"]
    command += [str(results / run) for run in [*runs, "features/normalisation.json"]]
    subprocess.run(command, check=True, env=os.environ | {"PYTHONPATH": str(ROOT / "src")})
    return folder / results


def measure(
    results: Path, variant: str, events: int, few: int, permutations: int, methods: list[str]
) -> list[dict[str, Any]]:
    """Return one row per class and order of one variant."""
    from jetlens.config.explanation import ExplanationConfig, methods_of
    from jetlens.evaluation.testset import read_test_set
    from jetlens.explanation.registry import METHODS as EXPLAINERS
    from jetlens.explanation.relevance import assemble, layout
    from jetlens.explanation.stage import in_favour
    from jetlens.features.normalisation import Normalisation
    from jetlens.trained import load_model

    models = [load_model(results / "training" / variant / f"seed{seed}") for seed in SEEDS]
    normalisation = Normalisation.read(results / "features" / "normalisation.json")
    folders = sorted({path.parent for path in results.glob("features/*/*/event.npz")})
    features = read_test_set(folders, normalisation, None, models[0].streams).features
    rng = np.random.default_rng(1)  # samples stand one behind the other
    first = [rng.permutation(np.flatnonzero(features.label == truth))[:events] for truth in (1, 0)]
    settings = ExplanationConfig(variants=[variant], methods=methods, permutations=permutations)
    rows = []
    for (kind, sign), chosen in zip((("signal", 1), ("background", -1)), first, strict=True):
        part = features.select(chosen)
        about = layout(part, models[0].streams)
        logits = np.stack([model.predict_logits(part) for model in models]).astype(np.float64)
        answers, seconds = {}, {}
        for name in methods_of(models[0].options, settings.methods):
            own = part.select(np.arange(min(few, len(part)))) if name in COSTLY else part
            started = time.process_time()
            found = [EXPLAINERS[name].explain(model, own, settings) for model in models]
            seconds[name] = time.process_time() - started
            if "residual" in found[0].per_event:
                _print_residuals(variant, kind, found)
            arrays = assemble(name, EXPLAINERS[name].signed, found, logits, SEEDS, about)
            answers[name] = in_favour(arrays)[kind]
        for row in judge(models, part, about, answers, sign):
            row["seconds"] = round(seconds[row["order"]], 1) if row["order"] in seconds else ""
            rows.append({"variant": variant, "class": kind, **row})
    return rows


def _print_residuals(variant: str, kind: str, found: list[Any]) -> None:
    for m, baseline in enumerate(found[0].maps):
        missed = np.concatenate([np.abs(each.per_event["residual"][m]) for each in found])
        scale = np.concatenate([np.abs(each.per_event["difference"][m]) for each in found]).mean()
        print(
            f"{variant}, {kind}, integrated gradients from {baseline}: residual / mean |Δz|: median "
            f"{np.median(missed) / scale:.4f}, worst {missed.max() / scale:.4f}",
            flush=True,
        )


def judge(
    models: list[Any], part: Any, about: Mapping[str, Any], answers: dict[str, Floats], sign: int
) -> list[dict[str, Any]]:
    """Return one row per order of the events of one class."""
    from jetlens.explanation import curves, yardsticks

    removable = about["mask"] & yardsticks.removable_slots(about)[None]
    log_pt = yardsticks.known_log_pt(about)
    d0 = yardsticks.size_of_d0(part, models[0].streams)
    rng = np.random.default_rng(2)
    copies = (len(models), 1, 1)
    orders = answers | {"pT": np.tile(log_pt, copies), "random": rng.random((len(models), *log_pt.shape))}
    if d0 is not None:
        orders["|d0|"] = np.tile(d0, copies)
    random = orders["random"]
    orders["random of the same pT as leave-one-out"] = np.stack(
        [
            curves.matched_in_pt(value, log_pt, removable, seed)
            for seed, value in enumerate(answers.get("leave_one_out", random))
        ]
    )
    rows = []
    for name, values in orders.items():
        number = values.shape[1]
        own, real = removable[:number], about["mask"][:number]
        row: dict[str, Any] = {"order": name, "events": number}
        if name != "leave_one_out" and "leave_one_out" in answers:
            pairs = zip(values, answers["leave_one_out"][:, :number], strict=True)
            row["rank correlation"] = _text(np.stack([_correlations(a, b, own) for a, b in pairs]))
        events = part.select(np.arange(number))
        for way in ("masked", "replaced"):
            lost = []
            for model, value in zip(models, values, strict=True):
                asked = curves.masked(model, events) if way == "masked" else curves.replaced(model, events, 1)
                turns = {"": curves.order_of(value, own)}
                away = np.maximum(1, np.round(SHARE * own.sum(axis=1)))[:, None]
                kept = real & ~(own & (turns[""] < away))
                everything = np.arange(number)
                lost.append(sign * (asked(everything, real) - asked(everything, kept)))
            row[way] = _text(np.stack(lost))
        rows.append(row)
    return rows


def _correlations(a: Floats, b: Floats, mask: NDArray[np.bool_]) -> Floats:
    """Return Spearman's rank correlation event by event (N,); NaN where there is none."""
    from jetlens.explanation.agreement import rank_correlation

    found = [rank_correlation(a[[n]], b[[n]], mask[[n]]) for n in range(len(a))]
    return np.array([np.nan if pair is None else pair[0] for pair in found])


def _text(values: Floats) -> str:
    """Return mean, standard error over events and standard deviation over trainings of (S, N) values."""
    with np.errstate(invalid="ignore"):
        events = np.nanmean(values, axis=0)
    events = events[np.isfinite(events)]
    if not len(events):
        return ""
    spread = np.nanmean(values, axis=1).std(ddof=1)
    return f"{events.mean():.2f} ± {events.std(ddof=1) / np.sqrt(len(events)):.2f}, ±{spread:.2f}"


def main() -> None:
    """Train, measure each variant in a process of its own, print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "explanations")
    parser.add_argument("--results", type=Path, help="of a run with these trainings: nothing is trained")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--events", type=int, default=500, help="per class")
    parser.add_argument("--few", type=int, default=500, help="per class, by integrated gradients")
    parser.add_argument("--permutations", type=int, default=4, help="orders of Shapley values")
    parser.add_argument("--methods", nargs="+", default=METHODS, choices=METHODS)
    parser.add_argument("--variants", nargs="+", default=VARIANTS, choices=VARIANTS)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    folder = options.folder.resolve()
    if options.one:
        rows = measure(
            options.results, options.one, options.events, options.few, options.permutations, options.methods
        )
        pd.DataFrame(rows).to_csv(folder / f"{options.one}.csv", index=False)
        return
    folder.mkdir(parents=True, exist_ok=True)
    results = options.results or train(folder, options.cores)
    commands = {
        name: [
            *(
                sys.executable,
                __file__,
                "--folder",
                str(folder),
                "--one",
                name,
                "--results",
                str(results.resolve()),
            ),
            *("--events", str(options.events), "--few", str(options.few)),
            *("--permutations", str(options.permutations), "--methods", *options.methods),
        ]
        for name in options.variants
    }
    with ThreadPoolExecutor(options.cores) as pool:
        for name, done in zip(commands, pool.map(_run, commands.values()), strict=True):
            print(f"{name}: {done:.0f} s", flush=True)
    table = pd.concat([pd.read_csv(folder / f"{name}.csv") for name in options.variants])
    for name, part in table.groupby("variant", sort=False):
        print(f"\n{name}")
        print(part.drop(columns="variant").fillna("").to_string(index=False))
    for column in ("rank correlation", "masked", "replaced"):
        print(f"\n{column}, signal / background, ± over trainings\n{compact(table, column)}")


def compact(table: pd.DataFrame, column: str) -> str:
    """Return one column of all variants in Markdown: orders by variants, signal / background."""
    short = table[column].fillna("").str.replace(r" ± [0-9.]+, ±", " ± ", regex=True)
    wide = (
        table.assign(short=short)
        .pivot(index="order", columns=["variant", "class"], values="short")
        .fillna("")
    )
    variants, orders = (list(dict.fromkeys(table[name])) for name in ("variant", "order"))
    lines = [f"| order | {' | '.join(variants)} |", "|---" * (len(variants) + 1) + "|"]
    for order in orders:
        pairs = [[wide.loc[order, (name, kind)] for kind in ("signal", "background")] for name in variants]
        cells = [" / ".join(pair).replace("-", "−") if all(pair) else "" for pair in pairs]
        lines.append(f"| {order.replace('|', chr(92) + '|').replace('_', ' ')} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _run(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, env=os.environ | {"PYTHONPATH": str(ROOT / "src")})
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
