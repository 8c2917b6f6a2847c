"""Throughput and quality of the variants on the reference implementation's public data (../shared/data/reference_npz).

    python benchmarks/training.py throughput     events per second of CPU time on one pinned core, AUC after 3 epochs
    python benchmarks/training.py quality        networks against gradient boosting, three seeds

2 × 15,000 jets of about 5 constituents; split by a seeded permutation, 80 % to train on, 20 % to test on.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jetlens.training import runtime
from reference_data import REFERENCE, reference_features

PUBLISHED = {"layers": 3, "heads": 5, "head_width": 8, "feed_forward": 64}
THROUGHPUT: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "self_attention published batch=50": (
        {
            "kind": "self_attention",
            "stream": "jet1",
            "width": 40,
            "embedding": [],
            "head": [128, 64],
            "dropout": 0.2,
            "encoder": PUBLISHED,
        },
        {"batch_size": 50},
    ),
}
THROUGHPUT["self_attention published batch=128"] = (
    THROUGHPUT["self_attention published batch=50"][0],
    {"batch_size": 128},
)


class Clock:
    """Takes the CPU time at the end of each epoch, in place of a progress bar."""

    def __init__(self) -> None:
        self.marks: list[float] = []

    def batch(self, epoch: int, number: int, batches: int, loss: float) -> None:
        if epoch > len(self.marks) and number == 1:
            self.marks.append(time.process_time())

    def epoch(self, record: Mapping[str, float], epochs: int) -> None:
        if record["epoch"] == epochs:
            self.marks.append(time.process_time())


def fit_once(
    files: list[Path],
    options: Any,
    settings: dict[str, Any],
    seed: int,
    folds: tuple[list[int], list[int]] | None = None,
) -> tuple[float, float, Any]:
    """Train once; return test AUC, events/s of CPU time from the second epoch on, and the network.

    Epochs are timed whole: reading batches, steps, validation and checkpoint.
    """
    import keras

    from jetlens.config.models import stream_names
    from jetlens.config.training import TrainingConfig
    from jetlens.models.registry import build_model
    from jetlens.training import loop, statistics
    from jetlens.training.data import Dataset
    from jetlens.training.step import make_predict

    config = TrainingConfig(variants=["benchmark"], seeds=[seed], **settings).with_overrides(options.training)
    training, validation, test = (
        Dataset(files, stream_names(options), role, folds=folds)
        for role in ("training", "validation", "test")
    )
    keras.utils.set_random_seed(seed)
    model = build_model(options, training.metadata)
    statistics.fit(model, training)
    clock: Any = Clock()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint.npz"
        loop.fit(
            model,
            training,
            validation,
            config,
            seed=seed,
            checkpoint_path=path,
            fingerprint="",
            reporter=clock,
        )
    epochs = len(clock.marks) - 1
    speed = (epochs - 1) * len(training) / (clock.marks[-1] - clock.marks[1])
    return loop.evaluate(make_predict(model), test).auc, speed, model


def throughput(seeds: list[int]) -> None:
    """Print one line per variant and setting: ``<variant> … <N> events/s``."""
    for name, (content, settings) in THROUGHPUT.items():
        results = []
        for seed in seeds:
            with tempfile.TemporaryDirectory() as folder:
                files = reference_features(Path(folder), seed)
                results.append(
                    fit_once(files, _options(content), {"epochs": 3, "patience": 3, **settings}, seed)[:2]
                )
        aucs, speeds = np.array(results).T
        print(
            f"{name}  AUC after 3 epochs {aucs.mean():.4f} ± {aucs.std(ddof=1) if len(aucs) > 1 else 0:.4f}  "
            f"{speeds.mean():.0f} events/s",
            flush=True,
        )


def _options(content: dict[str, Any]) -> Any:
    from pydantic import TypeAdapter

    from jetlens.config.models import ModelOptions

    return TypeAdapter(ModelOptions).validate_python(content)


QUALITY: tuple[dict[str, Any], dict[str, Any]] = (
    {
        "kind": "particle_transformer",
        "streams": ["jet1"],
        "width": 48,
        "embedding": [64],
        "head": [128, 64],
        "dropout": 0.1,
        "use_event": True,
        "bins": 20,
        "pair_embedding": [16],
        "encoder": {"layers": 2, "heads": 4, "feed_forward": 96},
        "class_attention": {"layers": 1, "heads": 4, "feed_forward": 96},
    },
    {
        "batch_size": 256,
        "epochs": 12,
        "patience": 12,
        "learning_rate": 0.003,
        "ema": 0.995,
        "weight_decay": 0.05,
    },
)
TREES = {"kind": "gradient_boosting", "streams": ["jet1"], "iterations": 600, "min_leaf": 20}


def quality(seeds: list[int]) -> None:
    """Print test AUC of networks and of gradient boosting, each seed its own split, and their mean."""
    from jetlens.training.metrics import weighted_auc

    table: dict[str, list[float]] = {}
    for seed in seeds:
        with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
            sums, masses = (
                reference_features(Path(first), seed),
                reference_features(Path(second), seed, masses=True),
            )
            label, plain = _trees(sums, seed)
            trees = _trees(masses, seed)[1]
            started = time.process_time()
            network = _network(masses, seed)
            spent = time.process_time() - started
        logits = {
            "gradient_boosting, sums": plain,
            "gradient_boosting, sums + masses": trees,
            "particle_transformer, sums + masses": network,
            "mean of the two with masses": 0.5 * (trees + network),
        }
        for name, logit in logits.items():
            table.setdefault(name, []).append(weighted_auc(logit, label, np.ones(len(label))))
            print(f"seed {seed}  {name}  AUC {table[name][-1]:.5f}", flush=True)
        print(f"seed {seed}  the network took {spent:.0f} s CPU", flush=True)
    for name, aucs in table.items():
        spread = np.std(aucs, ddof=1) if len(aucs) > 1 else 0.0
        print(f"{name}  AUC {np.mean(aucs):.5f} ± {spread:.5f} over {len(aucs)} seeds")


def _network(files: list[Path], seed: int) -> NDArray[np.float64]:
    """Train a network; return the logits of the test events, in the order of the files."""
    from jetlens.training.data import Dataset
    from jetlens.training.step import make_predict

    options, settings = _options(QUALITY[0]), QUALITY[1]
    model = fit_once(files, options, settings, seed)[2]
    predict = make_predict(model)
    parts = [predict(batch.inputs) for batch in Dataset(files, ["jet1"], "test").batches(512)]
    return np.concatenate(parts).astype(np.float64)


def _trees(files: list[Path], seed: int) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Return labels and boosting's logits of the test events, from the event vector and eight constituents."""
    from jetlens.training import boosting
    from jetlens.training.data import Dataset

    options = _options(TREES)
    sets = (Dataset(files, ["jet1"], role) for role in ("training", "validation", "test"))
    training, validation, test = (_leading(boosting.whole(data)) for data in sets)
    grown = boosting.grow(training, validation, options, seed, 1)[1]
    return test.label, grown.predict(boosting.columns(test.inputs, options))


def _leading(batch: Any) -> Any:
    """Keep the eight leading constituents as columns for the trees."""
    from jetlens.training.data import Batch

    cut = {k: v[:, :8] if k.startswith("jet1") else v for k, v in batch.inputs.items()}
    return Batch(cut, batch.label, batch.weight)


def main() -> None:
    """Pin to one core, then run what is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["throughput", "quality"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--core", type=int, default=0, help="core to be pinned to")
    arguments = parser.parse_args()
    if not REFERENCE.is_dir():
        sys.exit(f"{REFERENCE}: the reference data are not here; nothing is measured")
    os.sched_setaffinity(0, {arguments.core})
    runtime.configure("tensorflow", 1)
    {"throughput": throughput, "quality": quality}[arguments.what](arguments.seeds)


if __name__ == "__main__":
    main()
