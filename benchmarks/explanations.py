"""All explainers on one table: do they agree with leave-one-out, and does the logit go with what they mark?

    python benchmarks/explanations.py [--folder build/explanations] [--cores 2] [--events 500] [--permutations 4]

Makes the demo's features in ``--folder``, then, one process per core and variant, the costliest first: trains every
kind of transformer of config/full.yaml with three seeds on a third of the demo's events, and explains ``--events`` per
class of those that no training has seen. Columns: Spearman's rank correlation over an event's constituents with
leave-one-out; the logit lost with the first 20 % of them removed, masked or replaced by those of other jets of the
class. All values are in favour of the event's class. Behind ± stands the standard error over events, behind the comma
the standard deviation over trainings. Tables are left in ``--folder``, too. With ``--results``, trainings that are
there are taken.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

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
CONFIG = "config.yaml"
SHARE = 0.2
COSTLIEST_FIRST = [
    "particle_transformer",
    "cross_attention_two_stream",
    "cross_attention_three_stream",
    "concatenation",
    "self_attention",
    "analysis_object",
]
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


def make_features(folder: Path, cores: int) -> Path:
    """Make the features that all variants read through the workflow; return the folder of results."""
    content: dict[str, Any] = yaml.safe_load((ROOT / "config" / "full.yaml").read_text(encoding="utf-8"))
    content |= {"analysis": "explanations", "samples": str(ROOT / "config" / "samples.tsv")}
    content["features"]["split"] = SPLIT
    content["training"] |= {"variants": VARIANTS, "seeds": SEEDS, "k_fold": 1}
    content["explanation"]["variants"] = []
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / CONFIG
    config.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    results = Path("results", "explanations")
    if not (folder / "resources").exists():  # the table of samples names files from where the workflow runs
        (folder / "resources").symlink_to(ROOT / "resources")
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--quiet", "rules"]
    command += ["--directory", str(folder), "--configfile", str(config), "--cores", str(cores)]
    command += ["--until", "event_features", "stream_features", "normalisation", "--"]
    wanted = [f"training/{name}/seed1/manifest.json" for name in VARIANTS]
    command += [str(results / path) for path in [*wanted, "features/normalisation.json"]]
    subprocess.run(command, check=True, env=os.environ | {"PYTHONPATH": str(ROOT / "src")})
    return folder / results


def train_all(folder: Path, results: Path, variant: str) -> None:
    """Train a variant with all seeds, in this process: a training by itself spends half of its time on starting."""
    from jetlens.config.load import load
    from jetlens.training import train

    config = load(folder / CONFIG)
    for seed in SEEDS:
        output = results / "training" / variant / f"seed{seed}"
        if not (output / "manifest.json").exists():
            output.mkdir(parents=True, exist_ok=True)
            train(
                _parts(results), output, variant=variant, options=config.models[variant],
                training=config.training, seed=seed,
            )  # fmt: skip


def _parts(results: Path) -> list[Path]:
    return sorted({path.parent for path in results.glob("features/*/*/event.npz")})


def measure(
    results: Path, variant: str, events: int, permutations: int, methods: list[str]
) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """Return one row per class and order of one variant, and the CPU seconds of each method."""
    from jetlens.config.explanation import ExplanationConfig, methods_of
    from jetlens.evaluation.testset import read_test_set
    from jetlens.explanation.registry import METHODS as EXPLAINERS
    from jetlens.explanation.relevance import assemble, layout
    from jetlens.explanation.stage import in_favour
    from jetlens.features.normalisation import Normalisation
    from jetlens.trained import load_model

    models = [load_model(results / "training" / variant / f"seed{seed}") for seed in SEEDS]
    normalisation = Normalisation.read(results / "features" / "normalisation.json")
    features = read_test_set(_parts(results), normalisation, None, models[0].streams).features
    rng = np.random.default_rng(1)  # samples stand one behind the other
    first = [rng.permutation(np.flatnonzero(features.label == truth))[:events] for truth in (1, 0)]
    part = features.select(np.concatenate(first))
    settings = ExplanationConfig(variants=[variant], methods=methods, permutations=permutations)
    about = layout(part, models[0].streams)
    logits = np.stack([model.predict_logits(part) for model in models]).astype(np.float64)
    areas = ", ".join(
        f"{roc_auc_score(features.label, model.predict_logits(features)):.3f}" for model in models
    )
    print(f"{variant}: AUC of the trainings {areas}", flush=True)
    answers, seconds = {}, {}
    for name in methods_of(models[0].options, settings.methods):
        started = time.process_time()
        found = [EXPLAINERS[name].explain(model, part, settings) for model in models]
        seconds[name] = time.process_time() - started
        if "residual" in found[0].per_event:
            _print_residuals(variant, found)
        answers[name] = in_favour(assemble(name, EXPLAINERS[name].signed, found, logits, SEEDS, about))
    started, rows = time.process_time(), []
    for kind, truth, sign in (("signal", 1, 1), ("background", 0, -1)):
        members = np.flatnonzero(part.label == truth)
        own = {name: sides[kind][:, members] for name, sides in answers.items()}
        judged = judge(models, part.select(members), own, sign)
        rows += [{"variant": variant, "class": kind, **row} for row in judged]
    seconds["judging the orders"] = time.process_time() - started
    return rows, seconds


def _print_residuals(variant: str, found: list[Any]) -> None:
    for m, baseline in enumerate(found[0].maps):
        missed = np.concatenate([np.abs(each.per_event["residual"][m]) for each in found])
        scale = np.concatenate([np.abs(each.per_event["difference"][m]) for each in found]).mean()
        print(
            f"{variant}: integrated gradients from {baseline}: residual / mean |Δz|: median "
            f"{np.median(missed) / scale:.4f}, worst {missed.max() / scale:.4f}",
            flush=True,
        )


def judge(models: list[Any], part: Any, answers: dict[str, Floats], sign: int) -> list[dict[str, Any]]:
    """Return one row per order of the events of one class; answers are values (S, N, T) in its favour."""
    from jetlens.explanation import curves, yardsticks
    from jetlens.explanation.relevance import layout

    about = layout(part, models[0].streams)
    real = about["mask"]
    removable = real & yardsticks.removable_slots(about)[None]
    log_pt = yardsticks.known_log_pt(about)
    d0 = yardsticks.size_of_d0(part, models[0].streams)
    rng = np.random.default_rng(2)
    copies = (len(models), 1, 1)
    orders = answers | {"pT": np.tile(log_pt, copies), "random": rng.random((len(models), *log_pt.shape))}
    if d0 is not None:
        orders["|d0|"] = np.tile(d0, copies)
    reference = answers.get("leave_one_out", orders["random"])
    orders["leave-one-out, shuffled at equal pT"] = np.stack(
        [curves.shuffled_at_equal(value, log_pt, removable, seed) for seed, value in enumerate(reference)]
    )
    everything = np.arange(len(part))
    away = np.maximum(1, np.round(SHARE * removable.sum(axis=1)))[:, None]
    rows: list[dict[str, Any]] = [{"order": name, "events": len(part)} for name in orders]
    for row, (name, values) in zip(rows, orders.items(), strict=True):
        if name != "leave_one_out":
            pairs = zip(values, reference, strict=True)
            row["rank correlation"] = _text(np.stack([_correlations(a, b, removable) for a, b in pairs]))
    for way in ("masked", "replaced"):
        lost: list[Floats] = []
        for s, model in enumerate(models):
            asked = curves.masked(model, part) if way == "masked" else curves.replaced(model, part, 1)
            gone = [removable & (curves.order_of(values[s], removable) < away) for values in orders.values()]
            choices = [real, *(real & ~which for which in gone)]
            z = asked(np.tile(everything, len(choices)), np.concatenate(choices)).reshape(len(choices), -1)
            lost.append(sign * (z[0] - z[1:]))
        for i, row in enumerate(rows):
            row[way] = _text(np.stack([own[i] for own in lost]))
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


def one(options: argparse.Namespace, folder: Path) -> None:
    """Train and measure one variant, in a process of its own."""
    train_all(folder, options.results, options.one)
    trained = time.process_time()
    rows, seconds = measure(
        options.results, options.one, options.events, options.permutations, options.methods
    )
    pd.DataFrame(rows).to_csv(folder / f"{options.one}.csv", index=False)
    seconds = {"start and training": trained, **seconds, "all": time.process_time()}
    seconds["peak memory [MB]"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    pd.Series(seconds, name=options.one).to_csv(folder / f"{options.one}_seconds.csv", index_label="step")


def main() -> None:
    """Train and measure each variant in a process of its own, print the tables."""
    started = time.perf_counter()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "explanations")
    parser.add_argument("--results", type=Path, help="with features, and trainings that are not made again")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--events", type=int, default=500, help="per class")
    parser.add_argument("--permutations", type=int, default=4, help="orders of Shapley values")
    parser.add_argument("--methods", nargs="+", default=METHODS, choices=METHODS)
    parser.add_argument("--variants", nargs="+", default=VARIANTS, choices=VARIANTS)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    folder = options.folder.resolve()
    if options.one:
        one(options, folder)
        return
    results = options.results or make_features(folder, options.cores)
    common = [sys.executable, __file__, "--folder", str(folder), "--results", str(results.resolve())]
    common += ["--events", str(options.events), "--permutations", str(options.permutations)]
    common += ["--methods", *options.methods]
    commands = [[*common, "--one", name] for name in sorted(options.variants, key=COSTLIEST_FIRST.index)]
    with ThreadPoolExecutor(options.cores) as pool:
        list(pool.map(_run, commands))
    table = pd.concat([pd.read_csv(folder / f"{name}.csv") for name in options.variants])
    for name, part in table.groupby("variant", sort=False):
        print(f"\n{name}")
        print(part.drop(columns="variant").fillna("").to_string(index=False))
    for column in ("rank correlation", "masked", "replaced"):
        print(f"\n{column}, signal / background, ± over trainings\n{compact(table, column)}")
    seconds = [
        pd.read_csv(folder / f"{name}_seconds.csv", index_col="step")[name] for name in options.variants
    ]
    print(f"\nCPU seconds, of three trainings\n{pd.concat(seconds, axis=1).round(1).to_string()}")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        f"\nin all {used.ru_utime + used.ru_stime:.0f} CPU seconds, {time.perf_counter() - started:.0f} s of wall time"
    )


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


def _run(command: list[str]) -> None:
    single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    subprocess.run(command, check=True, env=os.environ | single | {"PYTHONPATH": str(ROOT / "src")})


if __name__ == "__main__":
    main()
