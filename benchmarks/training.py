"""Throughput and quality of the variants on the reference implementation's public data (../shared/data/reference_npz).

    python benchmarks/training.py throughput     events per second of CPU time on one pinned core, AUC after 3 epochs
    python benchmarks/training.py quality        networks against gradient boosting, three seeds

2 × 15,000 jets of about 5 constituents; split by a seeded permutation, 80 % to train on, 20 % to test on.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jetlens.trained import runtime
from reference_data import REFERENCE, Columns, masses_and_cones, reference_features, substructure

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
    from jetlens.models.arithmetic import fast_path
    from jetlens.models.registry import build_model
    from jetlens.trained.predict import make_predict
    from jetlens.training import loop, statistics
    from jetlens.training.data import Dataset

    config = TrainingConfig(variants=["benchmark"], seeds=[seed], **settings).with_overrides(options.training)
    training, validation, test = (
        Dataset(files, stream_names(options), role, folds=folds)
        for role in ("training", "validation", "test")
    )
    keras.utils.set_random_seed(seed)
    model = build_model(options, training.metadata)
    statistics.fit(model, training)
    clock: Any = Clock()
    with tempfile.TemporaryDirectory() as folder, fast_path(config.fast_path):
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
        "augmentation": ["rotate_constituents", "mirror_eta"],
    },
)
SUMS_TREES = {"kind": "gradient_boosting", "streams": ["jet1"], "iterations": 600, "min_leaf": 20}
TREES = {
    **SUMS_TREES,
    "iterations": 800,
    "learning_rate": 0.04,
    "leaves": 10,
    "column_share": 0.15,
}
MEMBERS = {"network": 2, "trees": 3}
"""Trainings that are averaged: each with a seed and with validation folds of its own, out of the training part."""

BASELINE = "gradient_boosting, sums"


def quality(seeds: list[int]) -> None:
    """Print test AUC of networks and of gradient boosting, each seed its own split, and what they gain on it."""
    from jetlens.training.metrics import weighted_auc

    table: dict[str, list[float]] = {}
    for seed in seeds:
        label, logits = _compared(seed)
        reference = logits[BASELINE]
        for name, logit in logits.items():
            table.setdefault(name, []).append(weighted_auc(logit, label, np.ones(len(label))))
            gain, error = _gain(logit, reference, label, seed)
            print(
                f"seed {seed}  {name}  AUC {table[name][-1]:.5f}  gain {gain:+.5f} ± {error:.5f}", flush=True
            )
    for name, aucs in table.items():
        gains = np.subtract(aucs, table[BASELINE])
        spreads = [np.std(x, ddof=1) if len(seeds) > 1 else 0.0 for x in (aucs, gains)]
        print(
            f"{name}  AUC {np.mean(aucs):.5f} ± {spreads[0]:.5f}  gain {gains.mean():+.5f} ± {spreads[1]:.5f} "
            f"over {len(seeds)} seeds"
        )


def _compared(seed: int) -> tuple[NDArray[Any], dict[str, NDArray[np.float64]]]:
    """Train everything on the split of ``seed``; return labels and logits of the test events."""
    with contextlib.ExitStack() as stack:

        def features(*more: Columns) -> list[Path]:
            return reference_features(Path(stack.enter_context(tempfile.TemporaryDirectory())), seed, more)

        sums, masses = features(), features(masses_and_cones)
        rich = features(masses_and_cones, substructure)
        marks = [time.process_time()]
        label, plain = _trees(sums, SUMS_TREES, seed, 0, leading=8)
        marks.append(time.process_time())
        trees = [_trees(rich, TREES, seed, member, leading=0)[1] for member in range(MEMBERS["trees"])]
        marks.append(time.process_time())
        networks = [_network(masses, seed, member) for member in range(MEMBERS["network"])]
        marks.append(time.process_time())
    took = ", ".join(f"{t:.0f} s" for t in np.diff(marks))
    print(f"seed {seed}  CPU time of boosting on sums, of trees, of networks: {took}", flush=True)
    tree, network = np.mean(trees, axis=0), np.mean(networks, axis=0)
    return label, {
        BASELINE: plain,
        "gradient_boosting": trees[0],
        f"{len(trees)} gradient_boosting": tree,
        "particle_transformer": networks[0],
        f"{len(networks)} particle_transformer": network,
        "networks and trees": 0.5 * (tree + network),
    }


def _gain(
    logit: NDArray[Any], reference: NDArray[Any], label: NDArray[Any], seed: int, draws: int = 200
) -> tuple[float, float]:
    """Return the difference of two AUCs on the same events, and its error from a paired bootstrap."""
    from jetlens.training.metrics import weighted_auc

    def difference(index: NDArray[Any]) -> float:
        weight = np.ones(len(index))
        return weighted_auc(logit[index], label[index], weight) - weighted_auc(
            reference[index], label[index], weight
        )

    rng = np.random.default_rng(seed)
    drawn = [difference(rng.integers(0, len(label), len(label))) for _ in range(draws)]
    return difference(np.arange(len(label))), float(np.std(drawn, ddof=1))


def _folds(member: int) -> tuple[list[int], list[int]]:
    """Return validation and test folds of a member of an ensemble."""
    return [4 + member], [0, 1, 2, 3]


def _network(files: list[Path], seed: int, member: int) -> NDArray[np.float64]:
    """Train a network; return the logits of the test events, in the order of the files."""
    from jetlens.trained.predict import make_predict
    from jetlens.training.data import Dataset

    options, settings = _options(QUALITY[0]), QUALITY[1]
    model = fit_once(files, options, settings, 100 * member + seed, _folds(member))[2]
    predict = make_predict(model)
    parts = [predict(batch.inputs) for batch in Dataset(files, ["jet1"], "test").batches(512)]
    return np.concatenate(parts).astype(np.float64)


def _trees(
    files: list[Path], content: dict[str, Any], seed: int, member: int, leading: int
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Return labels and boosting's logits of the test events, from the event vector and the leading constituents."""
    from jetlens.trained.trees import columns
    from jetlens.training import boosting
    from jetlens.training.data import Dataset

    options = _options(content)
    sets = (
        Dataset(files, ["jet1"], role, folds=_folds(member)) for role in ("training", "validation", "test")
    )
    training, validation, test = (_leading(boosting.whole(data), leading) for data in sets)
    grown = boosting.grow(training, validation, options, 100 * member + seed, 1)
    X = columns(test.inputs, options)
    return test.label, grown.trees.predict(X, raw_score=True, num_iteration=grown.best)


def _leading(batch: Any, number: int) -> Any:
    """Keep the leading constituents as columns for the trees."""
    from jetlens.features.batches import Batch

    cut = {k: v[:, :number] if k.startswith("jet1") else v for k, v in batch.inputs.items()}
    return Batch(cut, batch.label, batch.weight)


def main() -> None:
    """Pin to one core, then run what is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["throughput", "quality"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--backend", default="tensorflow", choices=["tensorflow", "jax", "torch"])
    parser.add_argument("--core", type=int, default=0, help="core to be pinned to")
    arguments = parser.parse_args()
    if not REFERENCE.is_dir():
        sys.exit(f"{REFERENCE}: the reference data are not here; nothing is measured")
    os.sched_setaffinity(0, {arguments.core})
    runtime.configure(arguments.backend, 1)
    {"throughput": throughput, "quality": quality}[arguments.what](arguments.seeds)


if __name__ == "__main__":
    main()
