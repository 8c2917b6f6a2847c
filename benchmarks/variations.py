"""Memory and time of systematic variations: every job that they add, on synthetic skims; exit status.

    python benchmarks/variations.py                                      # 50 variations of 1,000,000 events
    python benchmarks/variations.py --events 100000 --variations 10      # a first look

A skim of the demo is repeated, with momenta of its own in each copy, until it has the events asked for. Each job is a
process of its own, with its peak resident memory as the kernel counts it (``ru_maxrss``):

* ``vary``: both sides of a jet energy scale from a file of the demo, with the budget of 1 GB that jobs have;
* ``features``: event file and one stream of one side;
* ``score``: one side, with boosted trees;
* ``weigh``: factors of a variation of weights, both sides;
* ``templates``: the model of one classifier, half of the variations of objects, half of weights, each up and down; all
  events are in the fit, without a cut on the score. Time is quoted per variation.

The program fails if a job takes more than 2 GB.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "resources" / "demo" / "ttbar_had.root"
LIMIT_MB = 2000
COPY = 50_000
"""Events written at a time."""
FOLDS = 10
FEATURES = ["log_pt", "eta", "sin_phi", "cos_phi", "log_mass", "tau21", "tau32", "log_soft_drop_mass"]
MASS = {"mass_jj": "(fat_jets[0] + fat_jets[1]).mass"}


def configuration() -> Any:
    """Return the demo's, without constituents, and with one stream of jets."""
    import yaml

    from jetlens.config.load import validate

    content = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))
    content["reading"]["leading_jets"] = 0
    stream = {"kind": "kinematics", "tokens": ["fat_jets[0]", "fat_jets[1]"], "features": FEATURES}
    content["features"]["streams"] = {"kinematics": stream}
    trees = {"kind": "gradient_boosting", "streams": ["kinematics"], "iterations": 100}
    content |= {"models": {"trees": trees}, "variations": {}}
    content["figures"]["variants"] = {}
    content["training"] |= {"variants": ["trees"], "seeds": [1], "k_fold": 1}
    content["explanation"]["variants"], content["inference"]["variants"] = [], ["trees"]
    return validate(content)


def make(folder: Path, events: int) -> None:
    """Skims of two processes: one with all events, one as small as the demo's; and trees trained on them."""
    import awkward as ak
    import pyarrow.parquet as pq

    from jetlens.events.layout import to_table
    from jetlens.features import build_features
    from jetlens.skim import read_skim, skim_file
    from jetlens.skim.parquet import FACTS
    from jetlens.training import train

    config = configuration()
    common: dict[str, Any] = {"reading": config.reading, "skim": config.skim}
    for name, file in (("signal", "signal_H1000_hh_4b.root"), ("small", "ttbar_had.root")):
        parquet, flow = folder / f"{name}.parquet", folder / f"{name}.json"
        skim_file(str(SOURCE.with_name(file)), parquet, flow, sample=name, part="p", **common)
        label = int(name == "signal")
        build_features(parquet, folder / name, features=config.features, sample=name, part="p", label=label)
    inputs = [folder / "signal", folder / "small"]
    train(
        inputs,
        folder / "seed1",
        variant="trees",
        options=config.models["trees"],
        training=config.training,
        seed=1,
    )
    schema = pq.read_schema(folder / "small.parquet")
    facts = pq.ParquetFile(folder / "small.parquet").metadata.metadata[FACTS.encode()]
    skimmed, rng = read_skim(folder / "small.parquet"), np.random.default_rng(1)
    with pq.ParquetWriter(folder / "large.parquet", schema.remove_metadata(), compression="zstd") as writer:
        for start in range(0, events, COPY):
            number = min(COPY, events - start)
            copy = skimmed[rng.integers(len(skimmed), size=number)]
            copy = ak.with_field(copy, np.arange(start, start + number), "event_number")
            for name in ("fat_jets", "jets"):
                jets = copy[name]
                scale = ak.unflatten(rng.normal(1, 0.05, int(ak.sum(ak.num(jets)))), ak.num(jets))
                copy = ak.with_field(copy, ak.with_field(jets, jets.pt * scale, "pt"), name)
            writer.write_table(to_table(copy, schema))
        writer.add_key_value_metadata({FACTS: facts.decode()})


def vary(folder: Path) -> None:
    """Both sides of a jet energy scale."""
    from jetlens.config.variations import ObjectVariation
    from jetlens.skim import Target, vary_file

    config = configuration()
    moves = ObjectVariation(kind="objects", scale={"jets": 1.02, "fat_jets": 1.02}).moves()
    targets = [Target(folder / f"{side}.parquet", folder / f"{side}.json", of) for side, of in moves.items()]
    names = {"variation": "scale", "sample": "small", "part": "p"}
    vary_file(str(SOURCE), targets, reading=config.reading, skim=config.skim, **names)


def features(folder: Path) -> None:
    """Event file and stream of the large skim."""
    from jetlens.features import build_features

    recipe = configuration().features
    build_features(
        folder / "large.parquet", folder / "large", features=recipe, sample="small", part="p", label=0
    )


def score(folder: Path) -> None:
    """Scores and observable of the large skim, of those folds that the trees were not trained on."""
    from jetlens.evaluation import evaluate
    from jetlens.features.normalisation import Normalisation
    from jetlens.inference.scored import PartFiles, Scorer, write_events

    config = configuration()
    parts = {name: {"process": name, "scale": 1.0} for name in ("signal", "small")}
    known = Normalisation.model_validate({"luminosity_fb": 1.0, "samples": parts})
    inputs = [folder / "signal", folder / "small"]
    settings = config.evaluation.model_copy(update={"bootstrap": 2})
    evaluate([folder / "seed1"], inputs, folder, variant="trees", normalisation=known, evaluation=settings)
    scorer = Scorer([folder / "seed1"], folder / "scores.npz")
    files = PartFiles(folder / "large", folder / "large.parquet")
    write_events([files], folder / "scored.parquet", scorer=scorer, observables=MASS)


def weigh(folder: Path) -> None:
    """Factors of every event of the large skim."""
    from jetlens.inference.scored import PartFiles
    from jetlens.inference.weights import write_weights

    factors = {side: f"prod(where(jets.b_tag, {f}, 1))" for side, f in (("up", 1.05), ("down", 0.95))}
    files = PartFiles(folder / "large", folder / "large.parquet")
    write_weights({"small": [files]}, folder / "weights.parquet", factors=factors)


def make_events(folder: Path, events: int, variations: int) -> None:
    """Scored events of a signal and a background, and of their variations, as scoring writes them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(2)
    for name, size, mean in (("signal", events // 10, 2.0), ("background", events, -1.0)):
        number = np.arange(size)
        mass = rng.normal(1000, 80, size) if name == "signal" else 400 + rng.exponential(300, size)
        columns = {
            "event": number,
            "fold": (number * 7 % FOLDS).astype(np.uint8),
            "weight": rng.uniform(0.5, 1.5, size),
            "score": rng.normal(mean, 1, size),
            "mass_jj": mass,
        }
        (folder / "parts" / name / "p").mkdir(parents=True)
        np.savez(folder / "parts" / name / "p" / "event.npz", weight=columns["weight"], fold=columns["fold"])
        (folder / "events").mkdir(exist_ok=True)
        pq.write_table(pa.table(columns), folder / "events" / f"{name}.parquet")
        for k in range(variations // 2):
            for side, sign in (("up", 1), ("down", -1)):
                moved = columns | {
                    "mass_jj": mass * (1 + sign * 0.001 * (k + 1)),
                    "score": columns["score"] + rng.normal(0, 0.1, size),
                }
                pq.write_table(pa.table(moved), folder / "events" / f"{name}@objects{k}_{side}.parquet")
        if name == "background":
            (folder / "weights").mkdir()
            of = {"sample": pa.array([name] * size), **{n: columns[n] for n in ("event", "fold")}}
            for k in range(variations - variations // 2):
                slope = 0.01 * (k + 1) * (mass - 700) / 700
                table = pa.table(of | {"up": 1 + slope, "down": 1 - slope})
                pq.write_table(table, folder / "weights" / f"weights{k}.parquet")


def templates(folder: Path) -> None:
    """The model of one classifier."""
    from jetlens.config.inference import InferenceConfig
    from jetlens.features.normalisation import Normalisation
    from jetlens.inference.stage import make_model, simulation_of
    from jetlens.inference.systematics import Systematic

    config = InferenceConfig(variants=["trees"], observables=MASS, categories=0)
    weights = {path.stem: (path, ["background"]) for path in sorted((folder / "weights").iterdir())}
    moved = dict.fromkeys(p.stem.split("@")[1].rpartition("_")[0] for p in (folder / "events").glob("*@*"))
    parts = {name: {"process": name, "scale": 0.1} for name in ("signal", "background")}
    make_model(
        simulation_of(
            sorted((folder / "events").iterdir()),
            [folder / "parts" / name / "p" for name in ("signal", "background")],
            Normalisation.model_validate({"luminosity_fb": 1.0, "samples": parts}),
            [
                {"name": "signal", "process": "signal", "role": "signal", "mass_gev": 1000.0},
                {"name": "background", "process": "background", "role": "background", "mass_gev": None},
            ],
            config,
            [2],
            weights=weights,
        ),
        folder / "model",
        config=config,
        systematics=[Systematic(name, ("signal", "background")) for name in moved]
        + [Systematic(name, ("background",)) for name in weights],
        background_uncertainty=0.1,
    )


def job(name: str, folder: Path, *arguments: int) -> tuple[float, float]:
    """Run a job in a process of its own; returns seconds and MB."""
    words = [sys.executable, __file__, "--job", name, "--folder", str(folder), *map(str, arguments)]
    done = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True)
    seconds, peak = json.loads(done.stdout.splitlines()[-1])
    return float(seconds), float(peak)


def main() -> int:
    """Make the files, run the jobs, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--variations", type=int, default=50)
    parser.add_argument("--job", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("numbers", type=int, nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.job:
        start = time.process_time()
        globals()[options.job](options.folder, *options.numbers)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
        print(json.dumps([time.process_time() - start, peak]))
        return 0
    peaks = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        job("make", folder, options.events)
        job("make_events", folder, options.events, options.variations)
        print(
            f"{options.variations} variations of {options.events:,} events; CPU time with imports, peak memory"
        )
        for each in ("vary", "features", "score", "weigh", "templates"):
            seconds, peak = job(each, folder)
            peaks.append(peak)
            per = f", {seconds / options.variations:.2f} s per variation" if each == "templates" else ""
            print(f"{each:10}{seconds:8.1f} s{peak:8.0f} MB{per}", flush=True)
    return int(max(peaks) > LIMIT_MB)


if __name__ == "__main__":
    sys.exit(main())
