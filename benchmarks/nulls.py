"""Null tests of the whole chain from features to figures of merit; exit status 1 if one fails.

    python benchmarks/nulls.py --quick          # trees and a small network, one rotation: a minute or two
    python benchmarks/nulls.py                  # one variant of every kind of config/full.yaml, five rotations

1. *Labels permuted* over all events: AUC 0.5 within its error, every kind of variant. It fails if labels reach the
   inputs, if test events are trained on, or if an error is too small.
2. *Inputs permuted* (jet masses and b-tags) over all training, validation and test events: the AUC of a training
   without them, within the error of their paired difference. With the inputs as they are the AUC must be larger:
   otherwise nothing is shown.
3. *Samples and files in another order*: the same digits, of the training and of the evaluation.

Within errors: two-sided p above 1 % after Holm's correction for the number of comparisons of a kind.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

from jetlens.config import Config  # noqa: E402
from jetlens.config.evaluation import EvaluationConfig  # noqa: E402
from jetlens.config.load import load  # noqa: E402
from jetlens.config.samples import class_of, read_samples  # noqa: E402
from jetlens.config.training import TrainingConfig  # noqa: E402
from jetlens.evaluation import evaluate, mean_area, paired_difference  # noqa: E402
from jetlens.evaluation.gather import score_variant  # noqa: E402
from jetlens.evaluation.scores import Scores  # noqa: E402
from jetlens.features import build_features  # noqa: E402
from jetlens.features.featurefile import FeatureSet  # noqa: E402
from jetlens.features.normalisation import Normalisation  # noqa: E402
from jetlens.skim import skim_file  # noqa: E402
from jetlens.statistics import holm  # noqa: E402
from jetlens.training import train  # noqa: E402

SMALLEST_P = 0.01
STREAM, INPUT = "kinematics", ("log_mass", "log_soft_drop_mass", "n_matched_b_tags")
"""Stream and features that the second test permutes, together: each by itself can be made up for by the others."""
Change = Callable[[list[FeatureSet]], list[FeatureSet]]


@dataclasses.dataclass
class Setting:
    """What all tests share: features of the demo, and how trainings are made."""

    config: Config
    features: list[Path]
    normalisation: Normalisation
    folder: Path
    rotations: int
    seeds: tuple[int, ...]
    training: TrainingConfig

    def changed(self, name: str, change: Change) -> list[Path]:
        """Write the features again, changed, all parts at once."""
        sets = change([FeatureSet.read(folder) for folder in self.features])
        folders = [self.folder / name / folder.parent.name / folder.name for folder in self.features]
        for features, folder in zip(sets, folders, strict=True):
            features.write(folder)
        return folders

    def models(
        self, name: str, variant: str, features: Sequence[Path], seeds: Iterable[int] = ()
    ) -> list[Path]:
        """Train all seeds and rotations of a variant."""
        folders = []
        for seed in tuple(seeds) or self.seeds:
            for rotation in range(self.rotations):
                folders.append(self.folder / "training" / name / variant / f"seed{seed}_rotation{rotation}")
                options = self.config.models[variant]
                about = {"variant": variant, "options": options, "training": self.training}
                train(features, folders[-1], **about, seed=seed, rotation=rotation)
        return folders

    def scores(self, name: str, variant: str, features: Sequence[Path]) -> Scores:
        return score_variant(self.models(name, variant, features), features, self.normalisation)[0]


def demo_features(
    config: Config, folder: Path, parts: int, events: int | None
) -> tuple[list[Path], Normalisation]:
    """Make the features of the demo's samples by the library itself; each sample in several parts.

    Args:
        config: the analysis.
        folder: to write to.
        parts: of each sample, so that files have an order.
        events: of each sample, the first ones at most.
    """
    samples = [s for s in read_samples(str(ROOT / config.samples)).values() if s.role != "application"]
    folders, flows = [], []
    for sample in samples:
        for part, source in sample.files.items():
            parquet, flow = folder / f"{sample.name}.parquet", folder / f"{sample.name}.{part}.json"
            skim_file(
                source, parquet, flow, sample=sample.name, part=part, reading=config.reading, skim=config.skim
            )
            flows.append(flow)
            whole = folder / "whole" / sample.name / part
            about = {"sample": sample.name, "part": part, "label": class_of(sample)}
            build_features(parquet, whole, features=config.features, **about)
            features = FeatureSet.read(whole)
            chosen = np.array_split(np.arange(min(len(features), events or len(features))), parts)
            for number, index in enumerate(chosen):
                folders.append(folder / "features" / sample.name / f"{part}_{number}")
                metadata = features.metadata.model_copy(update={"part": f"{part}_{number}"})
                dataclasses.replace(features.select(index), metadata=metadata).write(folders[-1])
    return folders, Normalisation.of(flows, samples, config.luminosity_fb)


def labels_permuted(setting: Setting, variants: Sequence[str]) -> bool:
    """AUC 0.5 within its error, of every variant."""

    def permute(sets: list[FeatureSet]) -> list[FeatureSet]:
        label = np.random.default_rng(1).permutation(np.concatenate([s.label for s in sets]))
        edges = np.cumsum([len(s) for s in sets])[:-1]
        return [
            dataclasses.replace(s, label=own) for s, own in zip(sets, np.split(label, edges), strict=True)
        ]

    features = setting.changed("labels", permute)
    p_values, lines = [], []
    for variant in variants:
        scores = setting.scores("labels", variant, features)
        area = mean_area(scores.logits, scores.label)
        p_values.append(area.spread.p_value(area.value - 0.5))
        lines.append(
            f"{variant} ({setting.config.models[variant].kind}): AUC {area.value:.4f} ± {area.spread.error:.4f}"
        )
    return verdict("labels permuted, AUC 0.5 expected", lines, p_values)


def input_permuted(setting: Setting, variants: Sequence[str]) -> bool:
    """Permuted inputs are worth as much as none."""
    stream, feature = STREAM, " + ".join(INPUT)
    names = FeatureSet.read(setting.features[0], [stream]).metadata.streams[stream].features
    column = [names.index(name) for name in INPUT]

    def permute(sets: list[FeatureSet]) -> list[FeatureSet]:
        values = np.concatenate([s.streams[stream][..., column] for s in sets])
        edges = np.cumsum([len(s) for s in sets])[:-1]
        shuffled = np.split(np.random.default_rng(2).permutation(values), edges)
        return [
            _with(s, stream, _replaced(s.streams[stream], column, own))
            for s, own in zip(sets, shuffled, strict=True)
        ]

    def drop(sets: list[FeatureSet]) -> list[FeatureSet]:
        return [_without(s, stream, column) for s in sets]

    folders = {"permuted": setting.changed("permuted", permute), "without": setting.changed("without", drop)}
    folders["as it is"] = setting.features
    p_values, lines, shown = [], [], True
    for variant in variants:
        found = {
            name: setting.scores(name.replace(" ", "_"), variant, files) for name, files in folders.items()
        }
        null = paired_difference(found["permuted"].logits, found["without"].logits, found["without"].label)
        gain = paired_difference(found["as it is"].logits, found["without"].logits, found["without"].label)
        p_values.append(null.p_value)
        shown &= gain.value > 0 and gain.z > 2
        lines.append(
            f"{variant}: {stream}.{feature} permuted − without {null.value:+.4f} ± {null.spread.error:.4f}, "
            f"as it is − without {gain.value:+.4f} ± {gain.spread.error:.4f}"
        )
    good = verdict(f"{stream}.{feature} permuted, AUC as without it expected", lines, p_values)
    if not shown:
        print("FAIL the input makes no difference to begin with: the test shows nothing")
    return good and shown


def order_permuted(setting: Setting, variants: Sequence[str]) -> bool:
    """Samples and files in another order: the same digits."""
    orders = {"first": setting.features, "second": setting.features[::-1]}
    good = True
    for variant in variants:
        written = {}
        for name, files in orders.items():
            models = setting.models(f"order_{name}", variant, files, setting.seeds[:1])
            output = setting.folder / "evaluation" / name / variant
            about = {"variant": variant, "normalisation": setting.normalisation}
            evaluate(models, files, output, **about, evaluation=EvaluationConfig(bootstrap=50))
            tables = [_losses(model / "history.csv") for model in models]
            written[name] = (_numbers(output / "roc.csv"), _merits(output / "metrics.json"), tables)
        same = written["first"] == written["second"]
        print(
            f"{'ok  ' if same else 'FAIL'} {variant}: files and samples in reverse order, same digits expected"
        )
        good &= same
    return good


def verdict(what: str, lines: Sequence[str], p_values: Sequence[float]) -> bool:
    """Print each line with its corrected p-value; whether none is too small."""
    corrected = holm(p_values)
    for line, p in zip(lines, corrected, strict=True):
        print(f"{'ok  ' if p > SMALLEST_P else 'FAIL'} {line}, p = {p:.2g}", flush=True)
    print(f"     {what}; {len(lines)} comparisons")
    return bool((corrected > SMALLEST_P).all())


def _replaced(values: np.ndarray, column: list[int], own: np.ndarray) -> np.ndarray:
    values = values.copy()
    values[..., column] = own
    return values


def _with(features: FeatureSet, stream: str, values: np.ndarray) -> FeatureSet:
    values = np.where(features.masks[stream][..., None], values, np.float32(0))
    return dataclasses.replace(features, streams=features.streams | {stream: values})


def _without(features: FeatureSet, stream: str, column: list[int]) -> FeatureSet:
    about = features.metadata.streams[stream]
    lists = {
        key: [x for n, x in enumerate(getattr(about, key)) if n not in column]
        for key in ("features", "units")
    }
    streams = features.metadata.streams | {stream: about.model_copy(update=lists)}
    metadata = features.metadata.model_copy(update={"streams": streams})
    changed = dataclasses.replace(features, metadata=metadata)
    return _with(changed, stream, np.delete(features.streams[stream], column, axis=-1))


def _numbers(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream))


def _losses(path: Path) -> list[tuple[str, ...]]:
    """History without what a clock measures."""
    with path.open(encoding="utf-8", newline="") as stream:
        keys = ("epoch", "training_loss", "validation_loss", "validation_auc", "learning_rate")
        return [tuple(row[key] for key in keys) for row in csv.DictReader(stream)]


def _merits(path: Path) -> dict[str, object]:
    from jetlens.files import read_json

    return {key: value for key, value in read_json(path).items() if key != "training_seconds"}


def one_of_each_kind(config: Config) -> list[str]:
    kinds: dict[str, str] = {}
    for name in config.training.variants:
        kinds.setdefault(config.models[name].kind, name)
    return list(kinds.values())


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "--quick", action="store_true", help="two kinds, few events, one rotation, small networks"
    )
    parser.add_argument("--config", default="config/full.yaml", help="the analysis (default %(default)s)")
    parser.add_argument(
        "--epochs", type=int, help="of every training (default: 3 if quick, else the analysis')"
    )
    parser.add_argument(
        "--rotations", type=int, help="of the test folds (default: 1 if quick, else the analysis')"
    )
    options = parser.parse_args()
    config = load(ROOT / options.config)
    every = one_of_each_kind(config)
    fast = [name for name in every if config.models[name].kind in ("gradient_boosting", "kinematics_mlp")]
    epochs = options.epochs or (3 if options.quick else config.training.epochs)
    with tempfile.TemporaryDirectory(prefix="jetlens_nulls_") as name:
        folder = Path(name)
        features, normalisation = demo_features(config, folder, 2, 400 if options.quick else None)
        setting = Setting(
            config,
            features,
            normalisation,
            folder,
            rotations=options.rotations or (1 if options.quick else config.training.k_fold),
            seeds=(1, 2) if options.quick else (1,),
            training=config.training.model_copy(update={"epochs": epochs, "memory_gb": 1.0}),
        )
        results = [
            labels_permuted(setting, fast if options.quick else every),
            input_permuted(
                setting if options.quick else dataclasses.replace(setting, seeds=(1, 2, 3)),
                fast[-1:] if options.quick else fast,
            ),
            order_permuted(setting, fast),
        ]
    print(
        "every null test passes"
        if all(results)
        else f"{results.count(False)} of {len(results)} null tests fail"
    )
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
