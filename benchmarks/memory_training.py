"""Peak memory of training on data 1, 5 and 20 times as large as its memory budget.

    python benchmarks/memory_training.py

The data are the reference jets (../shared/data/reference_npz) written over and over into as many feature files as are
needed; each size is trained for one epoch in a process of its own. Flat memory means: the last line's peak is not
above the first one's by more than the budget itself.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

BUDGET_GB = 0.1


def one(folder: Path, factor: int) -> None:
    """Train one epoch on ``factor`` times the budget, and print the peak of this process."""
    import training as reference
    from jetlens.config.training import TrainingConfig
    from jetlens.features.featurefile import Part
    from jetlens.trained import runtime
    from jetlens.training import train

    runtime.configure("tensorflow", 1)
    files = reference.reference_features(folder, seed=1)
    per_pair = sum(part.events * part.row_bytes() for part in (Part(f, ["jet1"]) for f in files))
    for copy in range(
        1, round(factor * BUDGET_GB * 2**30 / per_pair / 0.75)
    ):  # 75 % of events are trained on
        for file in list(files[:2]):
            files.append(folder / f"{file.stem}_{copy}")
            shutil.copytree(file, files[-1])
    config = TrainingConfig(variants=["m"], epochs=1, batch_size=512, memory_gb=BUDGET_GB)
    content, _ = reference.THROUGHPUT["self_attention published batch=128"]
    options = reference._options(
        {**content, "encoder": {"layers": 1, "heads": 2, "feed_forward": 16}, "width": 8}
    )
    train(files, folder / "out", variant="memory", options=options, training=config, seed=1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    size = sum(f.stat().st_size for part in files for f in part.iterdir()) / 2**30
    print(f"data {size:.2f} GB, budget {BUDGET_GB:.2f} GB: peak {peak:.2f} GB", flush=True)


def main() -> None:
    """Measure each size in a process of its own."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--factor", type=int, help="measure this one only, in this process")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if arguments.factor:
            one(Path(folder), arguments.factor)
            return
    for factor in (1, 5, 20):
        command = [sys.executable, __file__, "--factor", str(factor)]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
