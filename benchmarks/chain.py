"""How many events per second go through the skim and through the features, beside another revision's in the same run.

    python benchmarks/chain.py [--parent REVISION] [--rounds 3] [--repeat 3] [--copies 4] [FILE]

On one pinned core: the demo's selection and features (all streams of ``config/config.yaml`` and the event vector) of
events of the demo's signal. Revisions take turns, each in a process of its own on a ``git worktree`` of its own; of the
repetitions the fastest counts, in seconds of CPU, as other work on the machine slows both. Printed per revision:

    skim N events/s          events of the input file
    features N events/s      selected events, from the skim file to all feature files
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "resources" / "demo" / "signal_H1000_hh_4b.root"
WORKER = """
import inspect, json, sys, time
from pathlib import Path
import pyarrow as pa
import pyarrow.parquet as pq
from jetlens.config.load import load
from jetlens.features.build import build_features
from jetlens.skim import skim_file

folder, config, source = Path(sys.argv[1]), load("config/config.yaml"), sys.argv[2]
repeat, copies = int(sys.argv[3]), int(sys.argv[4])

def call(function, *args, **options):  # what these take has changed with the revisions
    taken = inspect.signature(function).parameters
    return function(*args, **{name: value for name, value in options.items() if name in taken})

best = {"skim": 1e9, "features": 1e9}
parquet, cutflow, large = folder / "part.parquet", folder / "part.json", folder / "large.parquet"
definitions = getattr(config, "define", {})
for turn in range(repeat):
    begin = time.process_time()
    call(skim_file, source, parquet, cutflow, sample="s", part="p", reading=config.reading, skim=config.skim,
         definitions=definitions)
    best["skim"] = min(best["skim"], time.process_time() - begin)
    table = pa.concat_tables([pq.read_table(parquet)] * copies).combine_chunks()
    facts = {key: value for key, value in pq.ParquetFile(parquet).metadata.metadata.items() if key != b"ARROW:schema"}
    pq.write_table(table.replace_schema_metadata(facts), large)
    begin = time.process_time()
    call(build_features, large, folder / "features", features=config.features, sample="s", part="p", label=1,
         definitions=definitions)
    best["features"] = min(best["features"], time.process_time() - begin)
cuts = json.loads(cutflow.read_text())["cuts"]
read, selected = cuts[0]["events"], cuts[-1]["events"] * copies
print(json.dumps({"skim": read / best["skim"], "features": selected / best["features"]}))
"""


def measure(tree: Path, source: str, repeat: int, copies: int) -> dict[str, float]:
    """Events per second of the code in a tree."""
    environment = os.environ | {"PYTHONPATH": str(tree / "src"), "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", WORKER, folder, source, str(repeat), str(copies)]
        run = subprocess.run(command, cwd=tree, env=environment, check=True, capture_output=True, text=True)
    return json.loads(run.stdout.splitlines()[-1])


def main() -> None:
    """Measure, and print what is in the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("file", nargs="?", default=str(FILE))
    parser.add_argument("--parent", default="HEAD~1", help="the revision to compare with")
    parser.add_argument("--rounds", type=int, default=3, help="how often the revisions take turns")
    parser.add_argument("--repeat", type=int, default=3, help="repetitions in each turn")
    parser.add_argument(
        "--copies", type=int, default=4, help="how many times the selected events are repeated"
    )
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    source = str(Path(options.file).resolve())
    with tempfile.TemporaryDirectory() as folder:
        other = Path(folder) / "parent"
        subprocess.run(
            ["git", "worktree", "add", "-q", "--detach", other, options.parent], cwd=ROOT, check=True
        )
        try:
            trees = {"this": ROOT, options.parent: other}
            runs = [
                {n: measure(t, source, options.repeat, options.copies) for n, t in trees.items()}
                for _ in range(options.rounds)
            ]
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", other], cwd=ROOT, check=True)
    best = {n: {stage: max(run[n][stage] for run in runs) for stage in ("skim", "features")} for n in trees}
    for name, speeds in best.items():
        for stage, speed in speeds.items():
            print(f"{name}: {stage} {speed:.0f} events/s")
    for stage in ("skim", "features"):
        print(f"{stage}: {best['this'][stage] / best[options.parent][stage]:.2f} of {options.parent}")


if __name__ == "__main__":
    main()
