"""Do the input files hold what a configuration asks for? Each is opened, and its first events are read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from jetlens.config import Config
from jetlens.config.consistency import selection_columns
from jetlens.config.samples import Sample
from jetlens.config.variations import ObjectVariation, WeightVariation, about
from jetlens.errors import ConfigError, JetlensError
from jetlens.events.eventfile import EventFile
from jetlens.expressions import Namespace, check, define
from jetlens.provenance import checksum

_EVENTS = 20
"""How many events of each file are read."""


def check_files(config: Config, samples: Mapping[str, Sample]) -> list[str]:
    """Open all files, and look for every column that the configuration's expressions use.

    A column that a file lacks is no error where the schema has a value for it; but nothing that is asked for by name
    may be made of such values. What the schema calculates from the event instead, as HT from jets, is a remark.

    Args:
        config: the configuration.
        samples: the sample table.

    Returns:
        remarks, one line each: files without events, numbers that are calculated as the file has none.

    Raises:
        ConfigError: with one line per problem, naming file and column.
    """
    problems: list[str] = []
    remarks: list[str] = []
    for sample in samples.values():
        for path in sample.files.values():
            try:
                with config.reading.open(path, sample.name) as file:
                    problems += _problems(config, sample, file)
                    remarks += [
                        f"{path}: {name} is {file.filled[name]}"
                        for name in _calculated(file) & file.filled.keys()
                    ]
                    if not file.entries:
                        remarks.append(f"{path}: has no events")
            except JetlensError as error:
                problems.append(str(error))
    problems += _copies(samples)
    if problems:
        raise ConfigError("\n".join(problems))
    return remarks


def _copies(samples: Mapping[str, Sample]) -> Iterator[str]:
    """Files that are copies of others of the table; only those of equal size are read for it."""
    by_size: dict[int, list[Path]] = {}
    for sample in samples.values():
        for path in map(Path, sample.files.values()):
            if not sample.where and path.is_file():  # where conditions differ, a file may be named again
                by_size.setdefault(path.stat().st_size, []).append(path)
    for alike in by_size.values():
        first: dict[str, Path] = {}
        for path in alike if len(alike) > 1 else ():
            original = first.setdefault(checksum(path), path)
            if original != path:
                yield f"{path}: is a copy of {original}, and its events would count double; leave one of them out"


def _problems(config: Config, sample: Sample, file: EventFile) -> Iterator[str]:
    for batch in file.batches(_EVENTS):
        batch.with_constituents(batch.events)
        break
    plain = Namespace.from_columns(file.kinds())
    for key, columns in _asked_for(config, sample, plain):
        for column in sorted(columns & file.filled.keys()):
            # massless constituents are a convention of some formats
            if column.split(".")[-1] == "mass" or column in _calculated(file):
                continue
            yield (
                f"{file.path}: has no '{column}', which {key} asks for; it would be {file.filled[column]}. "
                "Leave it out, or say in reading.format where it is"
            )


def _calculated(file: EventFile) -> set[str]:
    """Numbers of the event that a format never has, and its schema calculates: alike in all files, so no mistake."""
    scalars = file.schema.scalars.items()
    return {name for name, field in scalars if not field.branch and str(field.fill).startswith("sum(")}


def _asked_for(config: Config, sample: Sample, plain: Namespace) -> Iterator[tuple[str, frozenset[str]]]:
    """Every expression of the configuration, and the columns that it reads."""
    names = define(plain, config.define)
    if sample.where:
        yield f"where of sample '{sample.name}'", check(sample.where, names).columns
    yield from selection_columns(config.skim, names)
    for feature, columns in (
        config.features.event_recipe(config.define).plan(plain).columns_by_feature().items()
    ):
        yield f"features.event, {feature},", frozenset(columns)
    for name in config.features.streams:
        recipe = config.features.stream_recipe(name, config.define)
        for feature, columns in recipe.plan(plain).columns_by_feature().items():
            yield f"features.streams.{name}, {feature},", frozenset(columns)
    for name, histogram in config.figures.kinematics.items():
        yield f"figures.kinematics.{name}", check(histogram.quantity, names).columns
    for key, columns in _inferred(config, names) if config.inference.variants else ():
        yield key, columns


def _inferred(config: Config, names: Namespace) -> Iterator[tuple[str, frozenset[str]]]:
    """The same of observables and variations, which limits alone need."""
    for name, text in config.inference.observables.items():
        yield f"inference.observables.{name}", check(text, names).columns
    for name, variation in config.variations.items():
        if isinstance(variation, WeightVariation):
            for side, text in variation.factors().items():
                yield f"variations.{name}.{side}", check(text, names).columns
        if isinstance(variation, ObjectVariation):
            for move in variation.moves()["up"]:
                yield f"variations.{name}", check(move.text, about(move, names)).columns | {move.target}
