"""Peak memory of skim and features: flat in the number of files, and in the number of events of one file.

    python benchmarks/memory.py

Every line is a process of its own, its peak resident memory as the kernel counts it (``ru_maxrss``):

* file list: the demo's four files, 2 and 20 times over, part after part in one process;
* one file: demo events written by uproot into one NanoAOD-like file, 12,000 and 120,000 of them, budget 0.5 GB
  (Delphes' arrays of references cannot be written without ROOT; chunks, skim and features are the same code).

The last line is the ratio of the 20-fold over the 2-fold list; the program fails if a ratio is above 1.1.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from jetlens.config.features import FeaturesConfig
from jetlens.config.reading import ReadingConfig
from jetlens.config.skim import SkimConfig

ROOT = Path(__file__).resolve().parents[1]
DEMO = sorted((ROOT / "resources" / "demo").glob("*.root"))


def configuration() -> tuple[SkimConfig, FeaturesConfig]:
    """Return the demo's selection and features."""
    import yaml

    content = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))
    return SkimConfig.model_validate(content["skim"]), FeaturesConfig.model_validate(content["features"])


def process(files: list[str], budget: float) -> None:
    """Skim all files, one part each, and make their features."""
    from jetlens.features import build_features
    from jetlens.skim import skim_file

    skim, features = configuration()
    reading = ReadingConfig(memory_gb=budget)
    with tempfile.TemporaryDirectory() as folder:
        names = [(Path(folder) / f"{n}.parquet", Path(folder) / f"{n}.json") for n in range(len(files))]
        for file, (parquet, flow) in zip(files, names, strict=True):
            skim_file(file, parquet, flow, sample="s", part=parquet.stem, reading=reading, skim=skim)
        for parquet, _ in names:
            output = parquet.with_suffix("")
            build_features(parquet, output, features=features, sample="s", part=parquet.stem, label=0)
            shutil.rmtree(output)


def write_large_file(path: Path, number: int) -> None:
    """Write demo events over and over into one NanoAOD-like file."""
    import awkward as ak
    import uproot

    with ReadingConfig().open(str(DEMO[2])) as file:
        events = next(iter(file))
    jets = events.fat_jets[:, :2]
    own = ak.flatten(jets.constituents, axis=2)  # of both jets, one list per event
    axes = ("pt", "eta", "phi", "mass")

    def stored(objects: ak.Array) -> dict[str, ak.Array]:
        return {name: ak.values_astype(objects[name], np.float32) for name in axes}

    index = ak.local_index(jets.pt)
    links = {
        "jetIdx": ak.flatten(ak.broadcast_arrays(index, jets.constituents.pt)[0], axis=2),
        "pfCandIdx": ak.local_index(own.pt),
    }
    content = {
        "FatJet": ak.zip(stored(jets)),
        "Jet": ak.zip(stored(events.jets)),
        "PFCand": ak.zip({**stored(own), "pdgId": ak.where(own.charge != 0, np.int32(211) * own.charge, 22)}),
        "FatJetPFCand": ak.zip({name: ak.values_astype(links[name], np.int32) for name in links}),
        "MET_pt": np.asarray(events.met.pt, dtype=np.float32),
        "MET_phi": np.asarray(events.met.phi, dtype=np.float32),
        "event": np.asarray(events.event_number),
    }
    for name in ("Electron", "Muon"):
        nothing = ak.unflatten(np.zeros(0, dtype=np.float32), np.zeros(len(events), dtype=np.int64))
        content[name] = ak.zip(dict.fromkeys(("pt", "eta", "phi"), nothing))
    with uproot.recreate(path) as file:
        kinds = {
            name: values.type.content if isinstance(values, ak.Array) else values.dtype
            for name, values in content.items()
        }
        tree = file.mktree("Events", kinds)
        for _ in range(number // len(events)):
            tree.extend(content)


def peak(arguments: list[str]) -> float:
    """Peak memory [MB] of this program with other arguments."""
    begin = time.perf_counter()
    command = [sys.executable, __file__, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    megabytes = float(done.stdout.split()[-1])
    print(
        f"{megabytes:7.0f} MB  {time.perf_counter() - begin:6.1f} s  {' '.join(arguments)[-90:]}", flush=True
    )
    return megabytes


def main() -> None:
    """Run all sizes, or one of them as a child process."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--times", type=int, help="(child) the demo files this many times over")
    parser.add_argument("--file", help="(child) one file")
    options = parser.parse_args()
    if options.times or options.file:
        files = [options.file] if options.file else [str(path) for path in DEMO] * options.times
        process(files, 0.5 if options.file else 1.0)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        return
    with tempfile.TemporaryDirectory() as folder:
        sizes = []
        for events in (12_000, 120_000):
            path = Path(folder) / f"{events}_events.root"
            write_large_file(path, events)
            sizes.append(peak(["--file", str(path)]))
    lists = [peak(["--times", "2"]), peak(["--times", "20"])]
    print(f"one file, 120,000 over 12,000 events: {sizes[1] / sizes[0]:.2f}")
    print(f"ratio {lists[1] / lists[0]:.2f}")
    sys.exit(int(max(lists[1] / lists[0], sizes[1] / sizes[0]) > 1.1))


if __name__ == "__main__":
    main()
