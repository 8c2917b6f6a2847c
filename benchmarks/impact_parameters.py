"""What impact parameters are worth, and what of it no detector sees.

    python benchmarks/impact_parameters.py leak      boosting on quartiles of |d0|: as in the file, floored, smeared
    python benchmarks/impact_parameters.py compare   cross-attention, concatenation, boosting: as in the file, smeared

On files of Delphes' stock card, ../shared/data/delphes_demo, which store d0 as the generator had it. ``leak`` fails if
smeared tracks separate better than those with a floor of 1 µm do; ``compare`` runs the workflow in ``--folder``: one
seed, five rotations of the test folds, 30 trainings.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
OLD = ROOT.parent / "shared" / "data" / "delphes_demo"
SAMPLES = {
    "signal_H1000_hh_4b": ("gg→H→hh→4b", "signal", 0.002705, "1000"),
    "qcd_bbbar": ("QCD bb̄", "background", 34.62, ""),
    "qcd_jj": ("QCD multijet", "background", 10556, ""),
    "ttbar_had": ("tt̄ (all-hadronic)", "background", 18.29, ""),
}
VARIANTS = ["cross_attention_three_stream", "concatenation", "gradient_boosting"]
FLOOR = 1e-3
"""mm"""
LIMIT = 0.80
"""AUC that smeared tracks may reach: with the floor it is 0.79, which is lifetimes, and physics."""


def quartiles(mode: str, events: int | None = None) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Quartiles of |d0| [mm] of the tracks of both leading jets, from features made by the library.

    Args:
        mode: of ``reading.impact_parameters``.
        events: of each file, at most, after the selection.

    Returns:
        (N, 6), three quartiles of either jet; and (N,), 1 for signal.
    """
    from jetlens.config.features import ConstituentStream, StreamRecipe
    from jetlens.config.load import load
    from jetlens.config.reading import ReadingConfig
    from jetlens.features.archive import Archive
    from jetlens.features.build import build_stream
    from jetlens.skim import skim_file

    skim = load(ROOT / "config" / "config.yaml").skim
    reading = ReadingConfig.model_validate({"impact_parameters": {"mode": mode}})
    columns, labels = [], []
    with tempfile.TemporaryDirectory() as name:
        for sample, (_, role, _, _) in SAMPLES.items():
            parquet, cutflow, npz = (Path(name) / f"{sample}.{end}" for end in ("parquet", "json", "npz"))
            source = str(OLD / f"{sample}.root")
            skim_file(source, parquet, cutflow, sample=sample, part="p", reading=reading, skim=skim)
            jets = []
            for jet in (0, 1):
                stream = ConstituentStream(kind="constituents", jet=jet, features=["d0", "is_track"])
                build_stream(parquet, npz, recipe=StreamRecipe(stream=stream), sample=sample, part="p")
                archive = Archive(npz, ["values"])
                values = archive.rows("values", 0, min(archive.shape("values")[0], events or 10**9))
                size = np.where(values[..., 1] > 0, np.abs(values[..., 0]), np.nan)
                size[np.isnan(size).all(axis=1), 0] = 0.0  # a jet without tracks
                jets.append(np.nanquantile(size, [0.25, 0.5, 0.75], axis=1).T)
            columns.append(np.concatenate(jets, axis=1))
            labels.append(np.full(len(columns[-1]), role == "signal", dtype=np.int64))
    return np.concatenate(columns), np.concatenate(labels)


def separation(columns: NDArray[np.float64], labels: NDArray[np.int64]) -> tuple[float, float]:
    """AUC of boosted trees on held-out events (five folds), and its error over the folds."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.model_selection import StratifiedKFold, cross_val_score

    areas = cross_val_score(
        HistGradientBoostingClassifier(max_iter=60, max_leaf_nodes=8, random_state=1),
        np.log(np.maximum(columns, 1e-20)),
        labels,
        scoring="roc_auc",
        cv=StratifiedKFold(5, shuffle=True, random_state=1),
    )
    return float(areas.mean()), float(areas.std(ddof=1) / np.sqrt(len(areas)))


def leak(events: int | None = None) -> dict[str, tuple[float, float]]:
    """Separation by |d0| as in the file, as in the file but for a floor, and smeared."""
    truth, labels = quartiles("as_is", events)
    smeared, _ = quartiles("auto", events)
    return {
        "as in the file": separation(truth, labels),
        "with a floor of 1 µm": separation(np.maximum(truth, FLOOR), labels),
        "smeared": separation(smeared, labels),
    }


def compare(folder: Path, cores: int) -> None:
    """Train the variants on the old files, as in the file and smeared, and print tables of both."""
    content: dict[str, Any] = yaml.safe_load((ROOT / "config" / "full.yaml").read_text(encoding="utf-8"))
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "samples.tsv").open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream, delimiter="\t", lineterminator="\n")
        table.writerow(["sample", "process", "role", "files", "cross_section_pb", "events", "mass_GeV"])
        for name, (process, role, cross_section, mass) in SAMPLES.items():
            table.writerow([name, process, role, str(OLD / f"{name}.root"), cross_section, "", mass])
    content["samples"] = str(folder / "samples.tsv")
    content["training"] |= {"variants": VARIANTS, "seeds": [1], "k_fold": 5}
    content["explanation"]["variants"] = []
    for mode in ("as_is", "smear"):
        content["analysis"] = f"old_{mode}"
        content["reading"]["impact_parameters"] = {"mode": mode}
        config = folder / f"{mode}.yaml"
        config.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
        results = folder / "results" / content["analysis"] / "evaluation"
        command = [
            sys.executable,
            "-m",
            "snakemake",
            "--snakefile",
            str(ROOT / "Snakefile"),
            "--quiet",
            "rules",
        ]
        command += ["--directory", str(folder), "--configfile", str(config), "--cores", str(cores)]
        command += [str((results / f"{name}.csv").relative_to(folder)) for name in ("summary", "comparison")]
        subprocess.run(command, check=True, env=os.environ | {"PYTHONPATH": str(ROOT / "src")})
        for name in ("summary", "comparison"):
            print(f"\n{mode}: {name}\n{(results / f'{name}.csv').read_text(encoding='utf-8')}", flush=True)


def main() -> int:
    """Run what is asked for; the exit status tells whether smeared tracks leak."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("leak", "compare"))
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "jetlens_old_files")
    parser.add_argument("--cores", type=int, default=2)
    options = parser.parse_args()
    if not OLD.is_dir():
        print(f"{OLD} is not here: nothing to measure")
        return 0
    if options.what == "compare":
        compare(options.folder.resolve(), options.cores)
        return 0
    found = leak()
    for what, (area, error) in found.items():
        print(f"{what:22} AUC {area:.3f} ± {error:.3f}")
    return int(found["smeared"][0] > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
