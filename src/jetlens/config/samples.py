"""The sample table: which files hold which process, with which cross section."""

from __future__ import annotations

import csv
import glob
import hashlib
import os
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast

from jetlens.config.text import read_text
from jetlens.errors import ConfigError, did_you_mean
from jetlens.expressions import parse

Role = Literal["signal", "background", "application"]
REQUIRED = ("sample", "process", "role", "files", "cross_section_pb")
OPTIONAL = ("events", "mass_GeV", "where")
SUFFIXES = (".root", ".parquet", ".h5", ".hdf5", ".npz", ".npy")
"""Of files that can be read."""
TRAINED = ("signal", "background")
ROLES = (*TRAINED, "application")
CLASSES = ("background", "signal")
"""Names of the classes; an event's class is the index."""


@dataclass(frozen=True)
class Sample:
    """One line of the sample table.

    Attributes:
        name: unique name, also the folder of its results.
        process: label of the physics process; samples of one process are drawn together.
        role: signal or background; application: never trained on or evaluated, only scored by what was trained.
        files: input files by part name, in a fixed order.
        cross_section_pb: cross section of what the files hold, before any selection [pb]; None: not known (recorded
            data), which is for applications only.
        events: generated events, if not simply those in the files (files skimmed beforehand).
        mass_gev: mass hypothesis of a signal, or at which an application is scored by networks that read it [GeV].
        where: which of the files' events belong to the sample, an expression on their own columns such as
            ``label_Hbb``; empty for all. So one file may hold several samples, and classes.
    """

    name: str
    process: str = ""
    role: Role = "background"
    files: dict[str, str] = field(default_factory=dict)
    cross_section_pb: float | None = None
    events: float | None = None
    mass_gev: float | None = None
    where: str = ""

    def produced(self, luminosity_fb: float) -> float:
        """Return the events σ·L that are produced at a luminosity [1/fb].

        Raises:
            ConfigError: if the cross section is not known.
        """
        if self.cross_section_pb is None:
            raise ConfigError(
                f"sample '{self.name}': has no cross_section_pb, which its yield needs; give it in the table"
            )
        return 1000.0 * self.cross_section_pb * luminosity_fb


def class_of(sample: Sample) -> int:
    """Return the number of a sample's class."""
    return CLASSES.index(sample.role)


def read_samples(path: str | os.PathLike[str]) -> dict[str, Sample]:
    """Read and check the tab-separated sample table; files are looked up, but not opened.

    ``files`` holds one or more entries separated by commas: a path, a glob pattern, a URL (``root://``, ``https://``)
    or ``@list.txt``, a text file with one entry per line (commas are part of it; lines that start with ``#`` are
    comments). Files on disk end in one of :data:`SUFFIXES`. Relative paths start at the working directory.

    Raises:
        ConfigError: with one line per problem, naming file and line.
    """
    lines = read_text(path, "sample table").splitlines()
    numbered = [
        (n, text) for n, text in enumerate(lines, 1) if text.strip() and not text.lstrip().startswith("#")
    ]
    if len(numbered) < 2:
        raise ConfigError(
            f"{path}: the sample table has no samples; expected a header and one line per sample"
        )
    (header_line, header_text), *rows = numbered
    header = [word.strip() for word in header_text.split("\t")]
    _check_header(header, f"{path}, line {header_line}")
    samples: dict[str, Sample] = {}
    seen: dict[str, tuple[str, str]] = {}
    problems: list[str] = []
    for number, text in rows:
        where = f"{path}, line {number}"
        try:
            sample = _parse(header, text, where, seen)
            if sample.name in samples:
                raise ConfigError(
                    f"{where}: sample '{sample.name}' is in the table twice; names must be unique"
                )
            samples[sample.name] = sample
        except ConfigError as error:
            problems.append(str(error))
    if problems:
        raise ConfigError("\n".join(problems))
    _check_processes(samples, path)
    for role in TRAINED:
        if role not in {sample.role for sample in samples.values()}:
            raise ConfigError(f"{path}: no sample has role '{role}'; classifiers need signal and background")
    return samples


def _check_processes(samples: dict[str, Sample], path: str | os.PathLike[str]) -> None:
    """Refuse a process that is both signal and background: its events would be told from themselves."""
    first: dict[str, Sample] = {}
    for sample in samples.values():
        other = first.setdefault(sample.process, sample) if sample.role in TRAINED else sample
        if other.role != sample.role:
            raise ConfigError(
                f"{path}: process '{sample.process}' is {other.role} in sample '{other.name}' and {sample.role} in "
                f"'{sample.name}'; samples of one process are one class, name them apart"
            )


def _check_header(header: list[str], where: str) -> None:
    if len(header) == 1 and all(word in header[0] for word in REQUIRED):
        raise ConfigError(
            f"{where}: no tab found between the columns; separate them by tabs, not by {_gap(header[0])}"
        )
    for word in header:
        if word not in REQUIRED + OPTIONAL:
            raise ConfigError(f"{where}: unknown column '{word}'{did_you_mean(word, REQUIRED + OPTIONAL)}")
    missing = [word for word in REQUIRED if word not in header]
    if missing:
        raise ConfigError(f"{where}: column '{missing[0]}' is missing (columns are separated by tabs)")
    twice = [word for word, count in Counter(header).items() if count > 1]
    if twice:
        raise ConfigError(f"{where}: column '{twice[0]}' is there twice")


def _parse(header: list[str], text: str, where: str, seen: dict[str, tuple[str, str]]) -> Sample:
    values = [value.strip() for value in next(csv.reader([text], delimiter="\t"))]
    if "\t" not in text:
        raise ConfigError(
            f"{where}: no tab found between the columns; separate them by tabs, not by {_gap(text)}"
        )
    if len(values) > len(header):
        raise ConfigError(
            f"{where}: {len(values)} columns found, {len(header)} expected (columns are separated by tabs)"
        )
    row = dict(zip(header, values + [""] * (len(header) - len(values)), strict=True))
    if row["role"] and row["role"] not in ROLES:
        raise ConfigError(f"{where}: unknown role '{row['role']}'{did_you_mean(row['role'], ROLES)}")
    for column in REQUIRED:
        if not row[column] and (column, row["role"]) != ("cross_section_pb", "application"):
            raise ConfigError(f"{where}: column '{column}' is empty")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", row["sample"]):
        raise ConfigError(
            f"{where}: sample name '{row['sample']}' may hold letters, digits, '_', '-' and '.' only"
        )
    if row.get("where") and row["role"] == "application":
        raise ConfigError(
            f"{where}: 'where' is for signal and background; all events of an application are scored"
        )
    if row.get("mass_GeV") and row["role"] == "background":
        raise ConfigError(
            f"{where}: mass_GeV is the hypothesis of a signal or an application, found {row['mass_GeV']} for a "
            "background; leave it empty"
        )
    files = _expand(row["files"], where)
    _check_once(files, row.get("where", ""), seen, where)
    return Sample(
        name=row["sample"],
        process=row["process"],
        role=cast(Role, row["role"]),
        files=_parts(files),
        cross_section_pb=_number(row, "cross_section_pb", where),
        events=_number(row, "events", where),
        mass_gev=_number(row, "mass_GeV", where),
        where=_condition(row.get("where", ""), where),
    )


def _gap(text: str) -> str:
    """What seems to separate the columns of a line without tabs."""
    signs = {";": "semicolons", " ": "spaces", ",": "commas"}
    return next((name for sign, name in signs.items() if sign in text), "other signs")


def _number(row: dict[str, str], column: str, where: str) -> float | None:
    text = row.get(column, "")
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        raise ConfigError(f"{where}: {column} must be a number, found '{text}'") from None
    if not 0 < value < float("inf"):
        raise ConfigError(f"{where}: {column} must be a positive number, found {text}")
    return value


def _condition(text: str, where: str) -> str:
    try:
        if text:
            parse(text)
        return text
    except ConfigError as error:
        raise ConfigError(f"{where}: where: {error}") from error


def is_url(entry: str) -> bool:
    """Tell whether a file entry is a URL, which is opened by the reader and never looked up on disk."""
    return "://" in entry


def _expand(entries: str, where: str) -> list[str]:
    files: list[str] = []
    for entry in (word.strip() for word in entries.split(",")):
        if entry.startswith("@"):
            listed = (line.strip() for line in read_text(entry[1:], f"file list ({where})").splitlines())
            for line in listed:
                files += _look_up(line, f"{where}, {entry[1:]}") if line and line[0] != "#" else []
        elif entry:
            files += _look_up(entry, where)
    if not files:
        raise ConfigError(f"{where}: '{entries}' names no file; give files, a pattern, URLs or @list.txt")
    return files


def _look_up(entry: str, where: str) -> list[str]:
    """Return what one path, pattern or URL stands for."""
    if entry.startswith("@"):
        raise ConfigError(
            f"{where}: a file list names the list '{entry}'; a list holds paths, patterns and URLs only"
        )
    if is_url(entry):
        return [entry]
    entry = os.path.expanduser(entry)
    pattern = glob.has_magic(entry) and not Path(entry).exists()
    found = sorted(glob.glob(entry, recursive=True)) if pattern else [entry]
    if not found:
        raise ConfigError(f"{where}: no file matches '{entry}'")
    for file in found:
        _check_file(
            file, f"{where}: '{entry}' matches '{file}', which" if pattern else f"{where}: file '{entry}'"
        )
    return found


def _check_file(file: str, what: str) -> None:
    path = Path(file)
    if path.is_dir():
        raise ConfigError(f"{what} is a folder; give files, e.g. {file.rstrip('/')}/*.root")
    if path.is_symlink() and not path.exists():
        raise ConfigError(f"{what} is a link to '{path.readlink()}', which does not exist")
    if not path.is_file():
        nearby = [p.name for p in path.parent.glob("*") if p.suffix in SUFFIXES]  # of the path all are alike
        hint = did_you_mean(path.name, nearby)
        raise ConfigError(f"{what} does not exist{hint if 'did you mean' in hint else ''}")
    if path.suffix not in SUFFIXES:
        raise ConfigError(
            f"{what} is no event file by its name; give files that end in {', '.join(SUFFIXES)}"
        )


def _check_once(files: list[str], condition: str, seen: dict[str, tuple[str, str]], where: str) -> None:
    """Refuse a file that is named twice, in one sample or in two, by whatever path; ``seen`` is added to.

    With different conditions on its events a file may be named again.
    """
    for file in files:
        real = f"{file if is_url(file) else os.path.realpath(file)}\n{condition}"
        if real in seen:
            before, name = seen[real]
            first = f"as '{name}' " if name != file else ""
            raise ConfigError(
                f"{where}: file '{file}' is named twice, first {first}in {before}; its events would count double"
            )
        seen[real] = where, file


def _parts(files: list[str]) -> dict[str, str]:
    """Name each file's part by its stem; by folder and stem, or with a hash, where that is not unique."""

    def stem(file: str) -> str:
        name = file.rsplit("/", 1)[-1]
        ending = next((suffix for suffix in SUFFIXES if name.endswith(suffix)), "")
        return re.sub(r"[^A-Za-z0-9_-]+", "_", name.removesuffix(ending))

    def folder_and_stem(file: str) -> str:
        folders = file.split("/")[:-1]
        return f"{stem(folders[-1])}_{stem(file)}" if folders else stem(file)

    def hashed(file: str) -> str:
        return f"{stem(file)}_{hashlib.sha256(file.encode()).hexdigest()[:12]}"

    for naming in (stem, folder_and_stem, hashed):
        names = [naming(file) for file in files]
        if len(set(names)) == len(names):
            break
    return dict(zip(names, files, strict=True))
