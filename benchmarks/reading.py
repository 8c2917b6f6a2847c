"""How fast events are read: from a Delphes file to padded arrays of jet constituents, beside uproot's plain read.

    python benchmarks/reading.py [--repeat 15] [--coffea PYTHON] [FILE ...]

On one pinned core and in one process, taking turns, the best of several repetitions each, in seconds of CPU, as other
work on the machine slows both:

* plain: ``uproot`` opens the file and reads the same leaves as they are (``tree.arrays(leaves, how=dict)``);
* full: ``jetlens.events`` opens the file, reads the leaves, resolves the constituents of the two leading fat jets by
  reference, sorts them by pT and pads pt, eta, phi, energy of the leading 50.

A kinematic selection beside it, without constituents: two fat jets with pT > 250 GeV and |η| < 2.5, and their mass.
``--coffea`` names the Python of an environment with coffea, whose DelphesSchema then makes the same selection. The last
line is the ratio of full over plain for the first file, the opening included in both.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import awkward as ak
import uproot

from jetlens.events import load_schema, open_events, padded

SCHEMA = load_schema("delphes")
ROOT = Path(__file__).resolve().parents[1]
FILES = [
    ROOT / "resources" / "demo" / "signal_H1000_hh_4b.root",
    ROOT.parent / "shared" / "data" / "delphes_formats" / "stock_card_signal_30_events.root",
]
COFFEA = """
import sys, time, warnings
warnings.filterwarnings("ignore")
from coffea.nanoevents import DelphesSchema, NanoEventsFactory
import awkward as ak
best, path = 1e9, sys.argv[1]
for _ in range(int(sys.argv[2])):
    begin = time.process_time()
    events = NanoEventsFactory.from_root({path: "Delphes"}, schemaclass=DelphesSchema, mode=sys.argv[3]).events()
    jets = events.FatJet[(events.FatJet.PT > 250) & (abs(events.FatJet.Eta) < 2.5)]
    jets = jets[ak.num(jets) > 1]
    mass = (jets[:, 0] + jets[:, 1]).mass
    best = min(best, time.process_time() - begin)
print(len(events), len(mass), float(ak.mean(mass)), best)
"""


def plain(path: str, leaves: list[str]) -> tuple[float, float]:
    """Seconds to open the file and to read the leaves."""
    begin = time.process_time()
    with uproot.open({path: None}) as file:
        tree = file["Delphes"]
        opened = time.process_time()
        tree.arrays(leaves, how=dict)
    return opened - begin, time.process_time() - opened


def full(path: str) -> tuple[float, float]:
    """Seconds to open the file and to read, resolve, sort and pad."""
    begin = time.process_time()
    with open_events(path, SCHEMA) as file:
        opened = time.process_time()
        for events in file:
            jets = ak.flatten(events.fat_jets[:, :2].constituents)
            for leaf in ("pt", "eta", "phi", "energy"):
                padded(getattr(jets, leaf), 50)
    return opened - begin, time.process_time() - opened


def kinematic(path: str) -> tuple[int, int, float, float]:
    """Make the kinematic selection; events, selected ones, their mean mass and seconds."""
    begin = time.process_time()
    masses, number = [], 0
    with open_events(path, SCHEMA, ["fat_jets.pt"]) as file:
        for events in file:
            jets = events.fat_jets[(events.fat_jets.pt > 250) & (abs(events.fat_jets.eta) < 2.5)]
            jets = jets[ak.num(jets) > 1]
            masses.append((jets[:, 0] + jets[:, 1]).mass)
            number += len(events)
    mass = ak.concatenate(masses)
    return number, len(mass), float(ak.mean(mass)), time.process_time() - begin


def tell(name: str, events: int, selected: int, mass: float, seconds: float) -> None:
    """Print one line of the kinematic selection."""
    speed = f"{1e3 * seconds:8.1f} ms ({events / seconds:9.0f} events/s)"
    print(f"  {name:16} {speed}, {selected} selected, mean mass {mass:.3f}")


def coffea(python: str, path: str, repeat: int) -> None:
    """Make the kinematic selection with coffea, in both of its ways to read."""
    for mode in ("eager", "virtual"):
        command = [python, "-c", COFFEA, path, str(repeat), mode]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            errors = [line.strip() for line in done.stderr.splitlines() if "Error" in line]
            print(f"  coffea, {mode}: cannot read it: {errors[-1] if errors else done.stderr[-200:]}")
            continue
        events, selected, mass, best = done.stdout.split()
        tell(f"coffea, {mode}", int(events), int(selected), float(mass), float(best))


def measure(path: str, repeat: int) -> float:
    """Print one file's numbers; returns the ratio."""
    with open_events(path, SCHEMA) as file:
        leaves, events = file.columns(), file.entries
    runs = [(plain(path, leaves), full(path)) for _ in range(repeat)]
    rows = {}
    for name, column in (("plain", 0), ("full", 1)):
        whole = min(sum(run[column]) for run in runs)
        rows[name] = whole, min(run[column][1] for run in runs)
    print(f"{path}: {events} events, {len(leaves)} leaves")
    for name, (whole, reading) in rows.items():
        print(
            f"  {name:6s} {1e3 * whole:8.1f} ms with opening ({events / whole:9.0f} events/s)"
            f"  {1e3 * reading:8.1f} ms without ({events / reading:9.0f} events/s)"
        )
    ratio = rows["full"][0] / rows["plain"][0]
    print(f"  ratio  {ratio:8.2f} with opening, {rows['full'][1] / rows['plain'][1]:.2f} without")
    return ratio


def main() -> None:
    """Measure all files."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="*", default=[str(path) for path in FILES if path.exists()])
    parser.add_argument("--repeat", type=int, default=15)
    parser.add_argument("--coffea", metavar="PYTHON", help="Python of an environment that has coffea")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        core = min(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {core})
        print(f"pinned to core {core}; Python {sys.version.split()[0]}, uproot {uproot.__version__}")
    ratios = [measure(path, options.repeat) for path in options.files]
    for path in options.files:
        print(f"{path}: kinematic selection")
        tell("jetlens", *min((kinematic(path) for _ in range(options.repeat)), key=lambda found: found[-1]))
        if options.coffea:
            coffea(options.coffea, path, options.repeat)
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    print(f"ratio {ratios[0]:.2f}")


if __name__ == "__main__":
    main()
