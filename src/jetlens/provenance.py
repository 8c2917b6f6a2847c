"""The manifest of a run: what is needed to repeat it, and to know whether a repetition is the same."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import jetlens
from jetlens.files import write_json

PACKAGES = (
    "awkward", "hist", "jax", "keras", "matplotlib", "mplhep", "numpy", "pandas", "pyarrow", "scikit-learn", "scipy",
    "snakemake", "tensorflow", "tensorflow-cpu", "torch", "uproot", "vector",
)  # fmt: skip


def write_manifest(
    path: str | os.PathLike[str],
    *,
    config: Mapping[str, Any],
    sources: Iterable[str],
    results: Iterable[str],
    benchmarks: str | os.PathLike[str],
) -> None:
    """Write the manifest of a finished run.

    Args:
        path: the JSON file to write.
        config: the whole configuration, defaults filled in.
        sources: input files; their sizes and SHA-256 sums are recorded.
        results: result files; their SHA-256 sums are recorded.
        benchmarks: folder of the ``.tsv`` files in which Snakemake recorded time and memory of the jobs.
    """
    write_json(
        path,
        {
            "analysis": config["analysis"],
            "jetlens": jetlens.__version__,
            "git_revision": git_revision(),
            "python": platform.python_version(),
            "packages": package_versions(),
            "host": host_class(),
            "seeds": {"split": config["features"]["split"]["seed"], "training": config["training"]["seeds"]},
            "stages": stage_costs(Path(benchmarks)),
            "inputs": {
                name: {"bytes": Path(name).stat().st_size, "sha256": checksum(name)} for name in sources
            },
            "results": {name: checksum(name) for name in results},
            "config": dict(config),
        },
    )


def checksum(path: str | os.PathLike[str]) -> str:
    """Return a file's SHA-256 sum, in hexadecimal."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def package_versions() -> dict[str, str]:
    """Return the versions of the installed packages that results depend on."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def git_revision() -> str | None:
    """Return the revision of the checkout the library runs from, ``+changes`` if it was edited, None if it is none."""
    here = Path(__file__).parent
    try:
        revision = _git(here, "rev-parse", "HEAD")
        return revision + ("+changes" if _git(here, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *words], capture_output=True, text=True, check=True, timeout=30
    )
    return done.stdout.strip()


def host_class() -> dict[str, Any]:
    """Return the kind of machine, not its name: two runs on one kind are expected to agree digit for digit."""
    model = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.is_file():
        named = [
            line.split(":", 1)[1].strip()
            for line in information.read_text().splitlines()
            if "model name" in line
        ]
        model = named[0] if named else model
    return {"system": f"{platform.system()} {platform.machine()}", "cpu": model, "cores": os.cpu_count()}


def stage_costs(folder: Path) -> dict[str, dict[str, float]]:
    """Sum the jobs' records per stage: number of jobs, seconds together, largest memory (resident set) [MB]."""
    stages: dict[str, dict[str, float]] = {}
    for record in sorted(folder.rglob("*.tsv")):
        header, *rows = (line.split("\t") for line in record.read_text(encoding="utf-8").splitlines())
        stage = stages.setdefault(
            record.relative_to(folder).parts[0].removesuffix(".tsv"),
            {"jobs": 0, "seconds": 0.0, "peak_memory_mb": 0.0},
        )
        for row in rows:
            values = dict(zip(header, row, strict=True))
            stage["jobs"] += 1
            stage["seconds"] = round(stage["seconds"] + float(values["s"]), 2)
            memory = values.get("max_rss", "-")
            if memory not in ("-", "NA"):
                stage["peak_memory_mb"] = max(stage["peak_memory_mb"], float(memory))
    return stages
