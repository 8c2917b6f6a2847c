"""Throughput and quality of the variants on the reference implementation's public data (../shared/data/reference_npz).

    python benchmarks/training.py throughput     events per second of CPU time on one pinned core, AUC after 3 epochs
    python benchmarks/training.py quality        best configuration against gradient boosting, three seeds

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

from jetlens.features.featurefile import FeatureMetadata, FeatureSet, StreamMetadata, write_features
from jetlens.training import runtime

REFERENCE = Path(__file__).resolve().parents[2] / "shared" / "data" / "reference_npz"
FOLDS = 20  # 0-3: test (20 %), 4: early stopping where used

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


def reference_features(folder: Path, seed: int) -> list[Path]:
    """Write the reference data as two feature files, split by ``seed``; padding is where all seven columns are zero."""
    files = []
    for number, (stem, label) in enumerate((("sig_J_TP1", 1), ("bkg1_J_TP1", 0))):
        raw = np.load(REFERENCE / f"{stem}.npz", allow_pickle=False)["arr_0"]
        real = (raw != 0).any(axis=-1)
        fold = np.random.default_rng([seed, number]).permutation(len(raw)) % FOLDS
        features = FeatureSet(
            streams={"jet1": _constituents(raw, real)},
            masks={"jet1": real},
            event=_sums(raw, real),
            label=np.full(len(raw), label, np.int8),
            weight=np.ones(len(raw)),
            event_number=np.arange(len(raw)),
            fold=fold.astype(np.uint8),
            metadata=_metadata(stem, label),
        )
        files.append(folder / f"{stem}.npz")
        write_features(files[-1], features)
    return files


def _constituents(raw: NDArray[Any], real: NDArray[Any]) -> NDArray[np.float32]:
    eta, phi, pt, energy, pt_share, energy_share, kind = np.moveaxis(raw, -1, 0)
    logs = [np.log(np.maximum(x, 1e-5)) for x in (pt, energy)]
    classes = [kind == k for k in range(5)]
    stacked = np.stack([eta, phi, *logs, pt_share, energy_share, np.hypot(eta, phi), *classes], axis=-1)
    return np.asarray(stacked * real[..., None], dtype=np.float32)


def _sums(raw: NDArray[Any], real: NDArray[Any]) -> NDArray[np.float32]:
    """Counts and moments of a jet: what a set network with mean pooling cannot count by itself."""
    eta, phi, pt, energy, _, _, kind = np.moveaxis(raw * real[..., None], -1, 0)
    total = np.maximum(pt.sum(1), 1e-5)
    mean_eta, mean_phi = ((pt * x).sum(1) / total for x in (eta, phi))
    px, py, pz = pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)
    mass2 = np.sum(pt * np.cosh(eta), 1) ** 2 - px.sum(1) ** 2 - py.sum(1) ** 2 - pz.sum(1) ** 2
    radius = np.hypot(eta - mean_eta[:, None], phi - mean_phi[:, None])
    columns = [
        real.sum(1),
        np.log(total),
        np.log(np.maximum(energy.sum(1), 1e-5)),
        0.5 * np.log(np.maximum(mass2, 1e-6)),
        mean_eta,
        mean_phi,
        *((pt * radius**p).sum(1) / total for p in (0.5, 1, 2)),
        np.log(np.maximum((pt**2).sum(1) / total**2, 1e-6)),
        *(((kind == k) & real).sum(1) for k in range(5)),
        *((pt * ((kind == k) & real)).sum(1) / total for k in range(5)),
    ]
    return np.stack(columns, axis=-1).astype(np.float32)


def _metadata(stem: str, label: int) -> FeatureMetadata:
    names = [
        "delta_eta",
        "delta_phi",
        "log_pt",
        "log_energy",
        "log_pt_fraction",
        "log_energy_fraction",
        "delta_r",
    ]
    names += [f"class_{k}" for k in range(5)]
    return FeatureMetadata(
        schema_version=1,
        sample=stem,
        process=stem,
        role="signal" if label else "background",
        part=stem,
        streams={"jet1": StreamMetadata(kind="constituents", features=names, units=[""] * len(names))},
        event=StreamMetadata(kind="event", features=[f"sum_{i}" for i in range(20)], units=[""] * 20),
        folds=FOLDS,
        test_folds=[0, 1, 2, 3],
        validation_folds=[4],
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
    clock = Clock()
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


QUALITY: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "self_attention + sums": (
        {
            "kind": "self_attention",
            "stream": "jet1",
            "width": 64,
            "embedding": [64],
            "head": [64],
            "dropout": 0.1,
            "pooling": "class_attention",
            "use_event": True,
            "encoder": {"layers": 2, "heads": 4, "feed_forward": 128},
        },
        {"batch_size": 128, "epochs": 30, "patience": 30, "ema": 0.995, "weight_decay": 0.05},
    ),
}


def quality(seeds: list[int]) -> None:
    """Print test AUC of the best network and of gradient boosting on the same split."""
    from jetlens.config.models import stream_names
    from jetlens.training import boosting
    from jetlens.training.data import Dataset
    from jetlens.training.metrics import weighted_auc

    trees = _options({"kind": "gradient_boosting", "streams": ["jet1"], "iterations": 600, "min_leaf": 20})
    table: dict[str, list[float]] = {name: [] for name in ("gradient_boosting", *QUALITY)}
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder:
            files = reference_features(Path(folder), seed)
            sets = (Dataset(files, stream_names(trees), role) for role in ("training", "validation", "test"))
            training, validation, test = (_leading(boosting.whole(data)) for data in sets)
            _, grown = boosting.grow(training, validation, trees, seed, 1)
            score = grown.predict(boosting.columns(test.inputs, trees))
            table["gradient_boosting"].append(weighted_auc(score, test.label, test.weight))
            for name, (content, settings) in QUALITY.items():
                started = time.process_time()
                table[name].append(fit_once(files, _options(content), settings, seed)[0])
                print(
                    f"seed {seed}  {name}  AUC {table[name][-1]:.4f}  {time.process_time() - started:.0f} s CPU",
                    flush=True,
                )
        print(f"seed {seed}  gradient_boosting  AUC {table['gradient_boosting'][-1]:.4f}", flush=True)
    for name, aucs in table.items():
        spread = np.std(aucs, ddof=1) if len(aucs) > 1 else 0.0
        print(f"{name}  AUC {np.mean(aucs):.4f} ± {spread:.4f} over {len(aucs)} seeds")


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
