"""Training one variant with one seed: feature files in, a folder with the trained model out."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

import jetlens
from jetlens.config.models import GradientBoostingOptions, ModelOptions, model_file, stream_names
from jetlens.config.training import TrainingConfig
from jetlens.features.classes import Classes
from jetlens.features.normalisation import Normalisation
from jetlens.files import atomic_path, write_json, write_text
from jetlens.trained import runtime
from jetlens.trained.presence import check_samples, constant_features
from jetlens.trained.recipe import Recipe
from jetlens.training import augmentation
from jetlens.training.data import Dataset, Events
from jetlens.training.dropping import Dropped
from jetlens.training.hypothesis import Hypotheses
from jetlens.training.reporter import Reporter

CHECKPOINT = "checkpoint.npz"
HISTORY_COLUMNS = (
    "epoch",
    "training_loss",
    "validation_loss",
    "validation_auc",
    "learning_rate",
    "events_per_second",
    "seconds",
)


def train(
    features: Sequence[Path],
    output: Path,
    *,
    variant: str,
    options: ModelOptions,
    training: TrainingConfig,
    seed: int,
    rotation: int = 0,
    threads: int = 1,
    recipe: Recipe | None = None,
    classes: Classes | None = None,
    normalisation: Normalisation | None = None,
    start: Path | None = None,
    permuted: bool = False,
) -> None:
    """Train one variant with one seed and write ``model.keras`` (or ``model.txt``), ``history.csv``, ``manifest.json``.

    Weights, data order, augmentation and dropout follow from ``seed`` alone: two runs on one machine give the same
    bits. A run that was killed goes on from its last epoch, if settings and data are the same.

    Args:
        features: folders of all parts' feature files; their metadata say which folds train, validate and test.
        output: the folder to write to.
        variant: name of the variant, for the manifest and messages.
        options: the variant's section of the configuration.
        training: the training section.
        seed: of this training.
        rotation: of the test and validation folds, see :func:`jetlens.features.split.roles`.
        threads: threads for one operation; set before the back end starts.
        recipe: how the features were made, for the manifest: what :func:`jetlens.trained.score` needs.
        classes: class of each sample; None: as the feature files say, without names.
        normalisation: expected events per generator weight, for ``weights: physics``.
        start: folder of a trained network whose companion this is: training starts from its weights, and each event
            loses a random share of its tokens, see :mod:`jetlens.training.dropping`.
        permuted: labels are permuted among the events of a role, by the seed: what explanations must tell from the true
            (Adebayo et al., arXiv:1810.03292).

    Raises:
        ConfigError: if the back end is not installed, or streams do not exist.
        FileError: if feature files are unusable or disagree, or the loss stops being finite.
        NoEventsError: if a class has no training or validation event.
    """
    started = time.perf_counter()
    if not isinstance(options, GradientBoostingOptions):
        runtime.configure(training.backend, threads)
        training = training.with_overrides(options.training)
    streams = stream_names(options)
    data = {
        role: Dataset(
            features,
            streams,
            role,
            training.weights,
            training.memory_gb,
            rotation=rotation,
            normalisation=normalisation,
            permute=seed if permuted else None,
        )
        for role in ("training", "validation")
    }
    if not isinstance(options, GradientBoostingOptions):
        augmentation.check(data["training"].metadata, streams, training.augmentation)
    if classes is not None:
        classes.check(data["training"].parts)
    scales = None if normalisation is None or training.weights == "unit" else normalisation
    check_samples(data["training"].parts, streams, options.use_event, variant)
    job = _Job(
        Path(output),
        variant,
        options,
        training,
        seed,
        rotation,
        threads,
        data,
        recipe,
        classes,
        scales,
        start,
        permuted,
    )
    result = _train_boosting(job) if options.kind == "gradient_boosting" else _train_network(job)
    write_text(output / "history.csv", _csv(result.pop("history")))
    write_json(
        output / "manifest.json", {**_manifest(job), **result, "job_seconds": time.perf_counter() - started}
    )
    (output / CHECKPOINT).unlink(missing_ok=True)


@dataclass(frozen=True)
class _Job:
    """What one training is about."""

    output: Path
    variant: str
    options: Any
    training: TrainingConfig
    seed: int
    rotation: int
    threads: int
    data: dict[str, Dataset]
    recipe: Recipe | None
    classes: Classes | None
    normalisation: Normalisation | None
    start: Path | None
    permuted: bool = False

    @property
    def title(self) -> str:
        turn = f", rotation {self.rotation}" if self.rotation else ""
        companion = " (companion)" if self.start else " (permuted labels)" if self.permuted else ""
        return f"{self.variant}{companion}, seed {self.seed}{turn}"

    def fingerprint(self, policy: str) -> str:
        """Tell settings and data apart, so that no checkpoint of another training is gone on from."""
        content = {
            "options": self.options.model_dump(mode="json"),
            "training": self.training.model_dump(mode="json", exclude={"variants", "seeds", "k_fold"}),
            "precision": policy,
            "seed": self.seed,
            "folds": self.data["training"].folds,
            "keras": version("keras"),
            # every byte: rows, folds, classes, weights, values and names of features
            "features": [_digest(file) for part in self.data["training"].parts for file in part.files],
            "normalisation": self.normalisation.model_dump(mode="json") if self.normalisation else None,
        }
        if self.start:
            content["start"] = _digest(self.start / model_file(self.options))
        if self.permuted:
            content["permuted"] = True
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _train_network(job: _Job) -> dict[str, Any]:
    import keras

    from jetlens.models.arithmetic import fast_path
    from jetlens.models.complexity import flops_per_event
    from jetlens.models.registry import build_model
    from jetlens.training import loop

    policy = runtime.resolve_precision(job.training.precision)
    keras.utils.set_random_seed(job.seed)
    metadata = job.data["training"].metadata
    with (
        runtime.arithmetic(policy) as devices,
        fast_path(job.training.fast_path),
        Reporter(job.title, job.training.epochs) as reporter,
    ):
        model = build_model(job.options, metadata)
        training, validation, settings = _beginning(job, model)
        progress = loop.fit(
            model,
            training,
            validation,
            settings,
            seed=job.seed,
            checkpoint_path=job.output / CHECKPOINT,
            fingerprint=job.fingerprint(policy),
            reporter=reporter,
        )
    if policy != "float32" or model.compiled:
        # stored is a plain float32 network: its scores shall not depend on hardware or optimiser of the training
        trained, model = model, build_model(job.options, metadata)
        model.set_weights(trained.get_weights())
    with atomic_path(job.output / model_file(job.options)) as temporary:
        model.save(temporary)
    return {
        "history": progress.history,
        "parameters": int(sum(np.prod(v.shape) for v in model.trainable_variables)),
        "flops_per_event": flops_per_event(model, job.data["training"].parts[0].slots()),
        "best_epoch": progress.best_epoch,
        "epochs": progress.epoch,
        "validation_loss": progress.best_loss,
        "training_seconds": progress.seconds,
        "precision": policy,
        "devices": devices,
        "backend": keras.backend.backend(),
        "versions": _versions("keras", keras.backend.backend()),
    }


def _beginning(job: _Job, model: Any) -> tuple[Events, Events, TrainingConfig]:
    """Give a network what it starts from; return the events that it sees, and the loop's settings."""
    from jetlens.trained import load_model
    from jetlens.training import statistics

    training, validation = job.data["training"], job.data["validation"]
    if job.start is None:
        statistics.fit(model, training)
        return training, validation, job.training
    whole: Any = load_model(job.start, job.threads)
    model.set_weights(whole.model.get_weights())
    # symmetries look at whole jets: they come before anything is dropped
    settings = job.training.model_copy(update={"augmentation": []})
    return Dropped(training, job.training.augmentation), Dropped(validation), settings


def _train_boosting(job: _Job) -> dict[str, Any]:
    from jetlens.trained.trees import parameters, read
    from jetlens.training import boosting

    started = time.perf_counter()
    # trees are grown from all events at once
    training, validation = (boosting.whole(job.data[role]) for role in ("training", "validation"))
    if (hypotheses := Hypotheses.of(job.data["training"])) is not None:
        rng = np.random.default_rng(job.seed)
        training, validation = (hypotheses.redrawn(events, rng) for events in (training, validation))
    grown = boosting.grow(training, validation, job.options, job.seed, job.threads)
    seconds = time.perf_counter() - started
    number = len(grown.curves["validation_loss"])
    history = [
        {
            "epoch": tree + 1,
            **{name: values[tree] for name, values in grown.curves.items()},
            "learning_rate": job.options.learning_rate,
            "events_per_second": len(training) * number / seconds,
            "seconds": seconds * (tree + 1) / number,
        }
        for tree in range(number)
    ]
    path = job.output / model_file(job.options)
    write_text(path, grown.trees.model_to_string(num_iteration=grown.best))
    return {
        "history": history,
        "parameters": parameters(read(path)),
        "flops_per_event": None,  # trees compare, they do not multiply
        "best_epoch": grown.best,
        "epochs": number,
        "validation_loss": grown.curves["validation_loss"][grown.best - 1],
        "training_seconds": seconds,
        "backend": "lightgbm",
        "versions": _versions("lightgbm"),
    }


def _manifest(job: _Job) -> dict[str, Any]:
    metadata = job.data["training"].metadata
    return {
        "schema_version": 1,
        "variant": job.variant,
        "kind": job.options.kind,
        "seed": job.seed,
        "rotation": job.rotation,
        "folds": job.data["training"].folds,
        "threads": job.threads,
        "options": job.options.model_dump(mode="json"),
        "training": job.training.model_dump(
            mode="json",
            include={"weights"} if job.options.kind == "gradient_boosting" else None,
            exclude={"variants", "seeds", "k_fold", "memory_gb"},
        ),
        "features": metadata.model_dump(mode="json", exclude={"sample", "part"}),
        "constant_features": constant_features(
            job.data["training"].buffers(), metadata, stream_names(job.options)
        ),
        "classes": job.classes.classes if job.classes else None,
        "samples": sorted({part.metadata.sample for part in job.data["training"].parts}),
        "events": {role: data.counts() for role, data in job.data.items()},
        "recipe": job.recipe.model_dump(mode="json") if job.recipe else None,
        **({"companion": True} if job.start else {}),
        **({"permuted_labels": True} if job.permuted else {}),
    }


def _versions(*packages: str) -> dict[str, str]:
    found = {"python": platform.python_version(), "jetlens": jetlens.__version__, "numpy": version("numpy")}
    for package in packages:
        for name in (package, f"{package}-cpu"):
            try:
                found[package] = version(name)
                break
            except ModuleNotFoundError:
                continue
    return found


def _csv(history: list[dict[str, float]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, HISTORY_COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    return text.getvalue()
