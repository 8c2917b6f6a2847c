"""The reference implementation's arrays through the workflow, against the library's training on the same events.

The workflow reads ``../shared/data/reference_npz`` by ``config/schemas/jet_arrays.yaml``; the other training gets
arrays made straight from the files, and each event's fold from the workflow. Run it at the top of the repository.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from jetlens.config.load import load
from jetlens.evaluation import evaluate
from jetlens.features.featurefile import FeatureSet
from jetlens.features.normalisation import Normalisation
from jetlens.files import read_json
from jetlens.training import train
from reference_data import REFERENCE, constituents

SAMPLES = {"sig_J_TP1": "signal", "bkg1_J_TP1": "background"}
VARIANT = "self_attention"
COLUMNS = {
    "position_eta": "eta",
    "position_phi": "phi",
    "ln_pt": "log(maximum(pt, 1e-5))",
    "ln_energy": "log(maximum(stored_energy, 1e-5))",
    "pt_share": "log_pt_fraction",
    "energy_share": "log_energy_fraction",
    "distance": "hypot(eta, phi)",
} | {f"class_{k}": f"where(type == {k}, 1, 0)" for k in range(5)}
"""The features of ``reference_data``, in its order, as expressions."""


def configuration(folder: Path, seeds: int, epochs: int) -> Path:
    """Write configuration and sample table."""
    content: dict[str, Any] = yaml.safe_load(Path("config/config.yaml").read_text(encoding="utf-8"))
    rows = [f"{name}\t{role}\t{role}\t{REFERENCE / name}.npz\t1" for name, role in SAMPLES.items()]
    table = "\n".join(["sample\tprocess\trole\tfiles\tcross_section_pb", *rows])
    (folder / "samples.tsv").write_text(f"{table}\n", encoding="utf-8")
    own = {name: {"of": "constituents", "expression": text} for name, text in COLUMNS.items()}
    stream = {"kind": "constituents", "max_tokens": 50, "alignment": "none", "features": list(own)}
    content |= {
        "analysis": "reference_arrays",
        "samples": str(folder / "samples.tsv"),
        "reading": {"format": "config/schemas/jet_arrays.yaml"},
        "skim": {"cuts": [{"name": "a jet", "cut": "num(fat_jets) >= 1"}]},
        "models": {VARIANT: content["models"][VARIANT] | {"stream": "jet"}},
        "inference": {},
        "variations": {},
        "figures": {"kinematics": {"pt": {"quantity": "fat_jets[0].pt", "label": "p", "min": 0, "max": 100}}},
    }
    content["features"] |= {"define": own, "streams": {"jet": stream}, "event": ["n_fat_jets"]}
    content["training"] |= {"variants": [VARIANT], "seeds": [*range(1, seeds + 1)], "epochs": epochs}
    content["training"] |= {"augmentation": []}
    content["explanation"] |= {"variants": []}
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    return path


def straight(workflow: Path, folder: Path) -> list[Path]:
    """Features from the raw arrays, events where and in which fold the workflow has them."""
    parts = []
    for name in SAMPLES:
        (part,) = (workflow / "features" / name).iterdir()
        features = FeatureSet.read(part)
        raw = np.load(REFERENCE / f"{name}.npz", allow_pickle=False)["arr_0"][features.event_number]
        real = (raw != 0).any(axis=-1)
        features.streams["jet"], features.masks["jet"] = constituents(raw, real), real
        parts.append(folder / name)
        features.write(parts[-1])
    return parts


def main() -> None:
    """Run both, and print AUC and difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="for configuration and the second training's results")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=3)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    path = configuration(given.folder, given.seeds, given.epochs)
    results = Path("results/reference_arrays")
    target = results / "evaluation" / VARIANT / "metrics.json"
    command = ["snakemake", "--configfile", str(path), "--cores", "1", str(target)]
    subprocess.run([sys.executable, "-m", *command], check=True)
    config = load(path)
    parts = straight(results, given.folder / "features")
    models = [given.folder / VARIANT / f"seed{seed}" for seed in config.training.seeds]
    for seed, model in zip(config.training.seeds, models, strict=True):
        options = config.models[VARIANT]
        train(parts, model, variant=VARIANT, options=options, training=config.training, seed=seed)
    scale = Normalisation.read(results / "features" / "normalisation.json")
    output = given.folder / "evaluation"
    evaluate(models, parts, output, variant=VARIANT, normalisation=scale, evaluation=config.evaluation)
    found = [read_json(target), read_json(output / "metrics.json")]
    for name, metrics in zip(("workflow", "straight"), found, strict=True):
        print(
            f"{name:9} AUC {metrics['auc']:.5f} ± {metrics['auc_spread']:.5f} (seeds), {metrics['auc_interval']}"
        )
    error = np.hypot(*(metrics["auc_spread"] for metrics in found)) / np.sqrt(given.seeds)
    print(f"difference {found[0]['auc'] - found[1]['auc']:+.5f} ± {error:.5f} (seeds)")


if __name__ == "__main__":
    main()
