"""One classifier that is told the mass against one per mass: AUC at every mass, and at one left out of the training.

    python benchmarks/mass_hypothesis.py                                     # trees, the repository's files: a minute
    python benchmarks/mass_hypothesis.py --data ../shared/data/delphes_v2 --networks   # more events, and small networks

Signals of 800, 1000, 1500 and 2000 GeV against all backgrounds of the demo, with the demo's selection and split. All
classifiers read jets without constituents and the event vector. For each mass, on test events of this mass and of all
backgrounds, each event counting one, as in the trainings:

* ``own``: trained on the signal of this mass alone;
* ``all``: trained on all masses, not told which;
* ``told``: trained on all masses with ``log_mass_hypothesis``, scored at this mass;
* ``between``: the same, but this mass was left out of the training: what interpolation is worth.

Seeds are averaged; the error is that of the mean over seeds and of a bootstrap of events, together.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
MASSES = (800.0, 1000.0, 1500.0, 2000.0)
BACKGROUNDS = ("qcd_4b", "qcd_3b", "qcd_2b", "qcd_jj", "ttbar_had")


def configuration() -> Any:
    """Return the demo's, with a mass hypothesis and one stream of jets."""
    import yaml

    from jetlens.config.load import validate
    from jetlens.expressions.feature import MASS_FEATURE

    content = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))
    content["features"]["streams"] = {"kinematics": content["features"]["streams"]["kinematics"]}
    content["features"]["event"].append(MASS_FEATURE)
    trees = {"kind": "gradient_boosting", "streams": ["kinematics"], "leaves": 8, "column_share": 0.5}
    network = {"kind": "kinematics_mlp", "streams": ["kinematics"], "head": [64, 64], "use_event": True}
    content |= {"models": {"trees": trees, "network": network}, "variations": {}}
    content["figures"]["variants"] = {}
    content["training"]["variants"] = ["trees", "network"]
    content["features"]["split"] |= {"folds": 12, "test": [0, 1, 2, 3], "validation": [4], "locked": []}
    content["training"] |= {"k_fold": 1}
    content["explanation"]["variants"], content["inference"]["variants"] = [], []
    return validate(content)


def files(data: Path) -> dict[str, list[Path]]:
    """Return the files of each sample: of the signals by mass, of the backgrounds by name."""
    names = {f"signal_H{m:.0f}": f"signal_H{m:.0f}_hh_4b" for m in MASSES} | {n: n for n in BACKGROUNDS}
    # those of the region alone are another selection
    there = [file for file in sorted(data.rglob("*.root")) if file.parent.name in ("demo", "masses", "more")]
    kept = {
        name: [file for file in there if re.fullmatch(rf"{stem}(_\d+)?", file.stem)]
        for name, stem in names.items()
    }
    if missing := [name for name, paths in kept.items() if not paths]:
        raise SystemExit(f"{data}: no file of {', '.join(missing)}")
    return kept


def prepare(data: Path, folder: Path, config: Any) -> dict[str, list[Path]]:
    """Select events and make features; returns folders of parts by sample."""
    from jetlens.features import build_event, build_stream
    from jetlens.skim import skim_file

    recipe = config.features.event_recipe(config.define, MASSES)
    stream = config.features.stream_recipe("kinematics", config.define)
    parts: dict[str, list[Path]] = {}
    for name, sources in files(data).items():
        mass = float(name[8:]) if name.startswith("signal") else None
        for number, source in enumerate(sources):
            out = folder / name / f"p{number}"
            out.mkdir(parents=True)
            about: dict[str, Any] = {"sample": name, "part": f"p{number}"}
            skim, flow = out / "skim.parquet", out / "flow.json"
            skim_file(str(source), skim, flow, reading=config.reading, skim=config.skim, **about)
            build_event(
                skim, out / "event.npz", recipe=recipe, label=int(mass is not None), mass=mass, **about
            )
            build_stream(skim, out / "kinematics.npz", recipe=stream, **about)
            parts.setdefault(name, []).append(out)
    return parts


def told(config: Any, parts: dict[str, list[Path]], folder: Path) -> dict[str, list[Path]]:
    """Parts whose events do not know the mass: the feature is the same for all."""
    from jetlens.expressions.feature import MASS_FEATURE

    column = config.features.event.index(MASS_FEATURE)
    made: dict[str, list[Path]] = {}
    for name, folders in parts.items():
        for part in folders:
            out = folder / name / part.name
            out.mkdir(parents=True)
            (out / "kinematics.npz").symlink_to(part / "kinematics.npz")
            with np.load(part / "event.npz") as file:
                arrays = {key: file[key] for key in file.files}
            arrays["event"][:, column] = np.log(1000.0)
            np.savez(out / "event.npz", **arrays)
            made.setdefault(name, []).append(out)
    return made


def fit(
    config: Any, variant: str, inputs: Sequence[Path], folder: Path, seeds: int, epochs: int
) -> list[Any]:
    """Train with several seeds."""
    from jetlens.trained import load_model
    from jetlens.training import train

    models = []
    for seed in range(1, seeds + 1):
        settings = config.training.model_copy(update={"seeds": [seed], "k_fold": 1, "epochs": epochs})
        output = folder / f"seed{seed}"
        options = config.models[variant]
        train(list(inputs), output, variant=variant, options=options, training=settings, seed=seed)
        models.append(load_model(output))
    return models


def auc(models: Sequence[Any], config: Any, parts: dict[str, list[Path]], mass: float) -> tuple[float, float]:
    """AUC at one mass on test events, mean over seeds, and its error."""
    from jetlens.expressions.feature import MASS_FEATURE
    from jetlens.features.featurefile import FeatureSet
    from jetlens.training.metrics import weighted_auc

    column = config.features.event.index(MASS_FEATURE)
    sets = []
    for name in (f"signal_H{mass:.0f}", *BACKGROUNDS):
        for part in parts[name]:
            events = FeatureSet.read(part, ["kinematics"])
            events = events.select(np.isin(events.fold, config.features.split.test))
            sets.append(events)
    events = FeatureSet.join(sets)
    if len(np.unique(events.event[:, column])) > 1:
        events.event[:, column] = np.log(mass)
    logits = [model.predict_logits(events) for model in models]
    rng, label, weight = np.random.default_rng(1), events.label.astype(float), np.ones(len(events))
    single = [weighted_auc(z, label, weight) for z in logits]
    drawn = []
    for _ in range(200):
        rows = rng.integers(len(label), size=len(label))
        drawn.append(np.mean([weighted_auc(z[rows], label[rows], weight) for z in logits]))
    spread = np.std(single, ddof=1) / np.sqrt(len(single)) if len(single) > 1 else 0.0
    return float(np.mean(single)), float(np.hypot(spread, np.std(drawn)))


def main() -> int:
    """Train and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=ROOT / "resources")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--networks", action="store_true")
    options = parser.parse_args()
    config = configuration()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        parts = prepare(options.data, folder / "told", config)
        blind = told(config, parts, folder / "blind")
        background = [part for each in BACKGROUNDS for part in parts[each]]
        for variant in ("trees", "network")[: 1 + options.networks]:

            def trained(of: dict[str, list[Path]], masses: Sequence[float], name: str) -> list[Any]:
                inputs = [p for m in masses for p in of[f"signal_H{m:.0f}"]]
                inputs += [p for each in BACKGROUNDS for p in of[each]]
                where = folder / variant / name  # noqa: B023
                return fit(config, variant, inputs, where, options.seeds, options.epochs)  # noqa: B023

            together, knowing = trained(blind, MASSES, "all"), trained(parts, MASSES, "told")
            print(f"{variant}, {options.seeds} seeds, {len(background)} background files: AUC at each mass")
            print("mass [GeV]   own              all              told             between", flush=True)
            for mass in MASSES:
                others = [m for m in MASSES if m != mass]
                found = (
                    auc(trained(blind, [mass], f"own{mass:.0f}"), config, blind, mass),
                    auc(together, config, blind, mass),
                    auc(knowing, config, parts, mass),
                    auc(trained(parts, others, f"between{mass:.0f}"), config, parts, mass),
                )
                print(f"{mass:10.0f}   " + "  ".join(f"{a:.4f} ± {e:.4f}" for a, e in found), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
