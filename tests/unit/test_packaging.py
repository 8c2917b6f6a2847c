"""Lock, conda environment and project file name the same packages."""

from __future__ import annotations

import re
import tomllib

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
CONDA_NAMES = {"matplotlib-base": "matplotlib", "snakemake-minimal": "snakemake"}


def requirements() -> dict[str, Requirement]:
    return {canonicalize_name(r.name): r for r in map(Requirement, PROJECT["project"]["dependencies"])}


def test_the_lock_satisfies_the_project() -> None:
    locked = dict(re.findall(r"^([\w.-]+)==(\S+)", LOCK, flags=re.MULTILINE))
    for name, requirement in requirements().items():
        assert requirement.specifier.contains(locked[name]), name


def test_the_lock_has_hashes_and_names_no_host() -> None:
    assert "://" not in LOCK
    assert "--index" not in LOCK
    packages = re.split(r"\n(?=\w)", LOCK)
    assert len(packages) > 50
    assert all("--hash=sha256:" in package for package in packages)


def test_the_conda_environment_is_in_step() -> None:
    environment = yaml.safe_load((ROOT / "envs" / "jetlens.yaml").read_text(encoding="utf-8"))
    conda = {}
    for line in environment["dependencies"]:
        name, bounds = line.split(" ")
        conda[CONDA_NAMES.get(name, name)] = bounds
    assert conda.pop("python") == PROJECT["project"]["requires-python"]
    wanted = {name: r for name, r in requirements().items() if name != "tensorflow-cpu"}
    assert {name: str(Requirement(f"{name}{bounds}").specifier) for name, bounds in conda.items()} == {
        name: str(r.specifier) for name, r in wanted.items()
    }
