"""Which key of the configuration, and which column of the sample table, goes to which rules.

Found by trying: each key is changed by itself, and the rules whose settings differ are those that get it. The table in
``docs/reruns.md`` is made from this; ``python -m jetlens.running.reruns`` renews it.
"""

from __future__ import annotations

import dataclasses
import os
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from jetlens.config import Config
from jetlens.config.evaluation import LookConfig
from jetlens.config.features import FeaturesConfig
from jetlens.config.fitted import hypotheses, object_variations, weight_variations
from jetlens.config.inference import InferenceConfig
from jetlens.config.load import load
from jetlens.config.samples import Sample, read_samples
from jetlens.config.slices import SLICES, Context, settings_of
from jetlens.config.variations import Variation
from jetlens.errors import ConfigError
from jetlens.figures.table import FIGURES
from jetlens.files import write_text

DOCUMENT = Path("docs/reruns.md")
MARKS = ("<!-- generated: keys -->\n", "<!-- end of generated -->\n")
Key = tuple[str | int, ...]
NAMED = {
    "models": "<variant>",
    "features.streams": "<stream>",
    "figures.processes": "<process>",
    "figures.variants": "<variant>",
    "features.define": "<feature>",
    "figures.kinematics": "<quantity>",
    "inference.observables": "<observable>",
    "inference.scale": "<process>",
    "inference.cross_sections_fb": "<mass>",
    "inference.theory_fb": "<mass>",
    "variations": "<variation>",
    **{f"variations.<variation>.{key}": "<column>" for key in ("scale", "shift", "scale_down", "shift_down")},
    "variations.<variation>.instead": "<sample>",
}
"""Sections whose keys are the user's own names."""
NO_RULE = {
    "analysis": "another folder of results: everything, there",
    "samples": "what differs between the tables, column by column as below",
    "define": "the rules with an expression that uses the name",
    "training.variants": "a new one is trained, evaluated and drawn; tables and figures of all variants are renewed",
    "training.seeds": "new seeds are trained; evaluation and what follows",
    "training.k_fold": "new rotations are trained; evaluation and what follows",
    "variations.<variation>.kind": "another variation, with jobs of its own",
    "evaluation.unlock": "the locked folds are scored, or not; with them, templates and limits",
    "inference.variants": "a new one gets templates and limits; tables and figures of limits are renewed",
    "explanation.variants": "a new one is explained and drawn",
    "explanation.permuted_labels": "networks of so many seeds are trained on permuted labels; `explain`",
    "features.define.<feature>.label": "nothing: for readers",
    "features.define.<feature>.meaning": "nothing: for readers",
    "figures.formats": "figures",
}
"""Keys that decide which jobs there are, and are handed to none."""


def rules_of_keys(config: Config, samples: Mapping[str, Sample]) -> dict[str, set[str]]:
    """Return the rules that get each key, from an analysis that uses as many of them as possible.

    Args:
        config: an analysis.
        samples: its sample table.

    Returns:
        Rules by dotted key, the user's own names in angle brackets; besides manifest and report, which hold all.
    """
    before = _settings(config, samples)
    found: dict[str, set[str]] = {}
    for key in _keys(config):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the other value is of the wrong type
            after = _settings(_changed(config, key), samples)
        found.setdefault(_dotted(key), set()).update(rule for rule in before if before[rule] != after[rule])
    return found


def rules_of_columns(config: Config, samples: Mapping[str, Sample]) -> dict[str, set[str]]:
    """Return the rules that get each column of the sample table, as :func:`rules_of_keys` does for keys."""
    before = _settings(config, samples)
    found: dict[str, set[str]] = {}
    for column in ("process", "role", "cross_section_pb", "events", "mass_gev", "where"):
        rules = found.setdefault(column.replace("_gev", "_GeV"), set())
        for name, sample in samples.items():
            if column == "role" and sample.role == "application":
                continue
            value = getattr(sample, column)
            other = "signal" if value == "background" else "background" if column == "role" else _other(value)
            changed: Any = {column: other}
            after = _settings(config, {**samples, name: dataclasses.replace(sample, **changed)})
            rules.update(rule for rule in before if before[rule] != after[rule])
    return found


def _settings(config: Config, samples: Mapping[str, Sample]) -> dict[str, list[Any]]:
    """What every job of every rule is handed."""
    found: dict[str, list[Any]] = {rule: [] for rule in SLICES}
    for rule in SLICES:
        for wildcards in _wildcards(rule, config, samples):
            try:
                found[rule].append(settings_of(rule, Context(config, samples, wildcards)))
            except (
                AttributeError,
                KeyError,
                ConfigError,
                ValidationError,
            ) as error:  # a value that does not go with others
                found[rule].append(str(error))
    for figure in FIGURES:
        jobs = [Context(config, samples, wildcards) for wildcards in figure.jobs(config, samples)]
        try:
            found[figure.rule] = [
                (figure.look(config), figure.settings(job), figure.text(job)) for job in jobs
            ]
        except ConfigError as error:  # a text that is no expression
            found[figure.rule] = [str(error)]
    return found


def _wildcards(rule: str, config: Config, samples: Mapping[str, Sample]) -> Iterator[dict[str, str]]:
    if rule in ("vary", "weigh"):
        moved = object_variations(config) if rule == "vary" else weight_variations(config)
        name, sample = next((n, s) for n, s in samples.items() if s.role != "application")
        yield from ({"sample": name, "part": next(iter(sample.files)), "variation": of} for of in moved)
    elif rule in ("skim", "event_features", "varied_features", "apply"):
        for name, sample in samples.items():
            if (sample.role == "application") is (rule == "apply"):
                yield from ({"sample": name, "part": part} for part in sample.files)
    elif rule == "stream_features":
        yield from ({"stream": name} for name in config.features.streams)
    elif rule == "limit":
        yield from ({"mass": mass} for mass in hypotheses(config, samples))
    elif rule.startswith("train_"):
        for name, options in config.models.items():
            if options.kind.startswith("gradient") is (rule == "train_boosting"):
                kinds = ("dropout", "permuted") if rule == "train_companion" else ("",)
                yield from ({"variant": name, "companion": kind} for kind in kinds)
    else:
        yield {}


def _keys(node: Any, path: Key = ()) -> Iterator[Key]:
    """Every key that holds no section."""
    if isinstance(node, BaseModel):
        for name in type(node).model_fields:
            yield from _keys(getattr(node, name), (*path, name))
    elif isinstance(node, dict):
        for name, value in node.items():
            yield from _keys(value, (*path, name))
    elif isinstance(node, list) and node and isinstance(node[0], BaseModel):
        yield from _keys(node[0], (*path, 0))
    else:
        yield path


def _changed(node: Any, key: Key) -> Any:
    """A copy in which one key has another value, sensible or not."""
    if not key:
        return _other(node)
    first, rest = key[0], key[1:]
    if isinstance(node, BaseModel):
        return node.model_copy(update={str(first): _changed(getattr(node, str(first)), rest)})
    if isinstance(node, list):
        return [_changed(value, rest) if number == first else value for number, value in enumerate(node)]
    return {**node, first: _changed(node[first], rest)}


def _other(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, str):
        return f"{value} changed"
    if isinstance(value, list):
        return value[:-1] if len(value) > 1 else [*value, *value] or ["changed"]
    return {"changed": "changed"} if isinstance(value, dict) else 1.0


def _dotted(key: Key) -> str:
    text = ""
    for step in key:
        word = "[]" if isinstance(step, int) else f".{NAMED.get(text, step)}"
        text = f"{text}{word}".removeprefix(".")
    return text


def table(config: Config, samples: Mapping[str, Sample]) -> str:
    """Return the generated part of the document, in Markdown."""
    lines = ["| key | goes to |", "|---|---|"]
    for key, rules in _joined(rules_of_keys(config, samples)).items():
        lines.append(f"| `{key}` | {NO_RULE.get(key) or _words(rules) or 'nothing'} |")
    lines += ["", "| column of the sample table | goes to |", "|---|---|"]
    lines.append("| `sample`, `files` | a new sample or file: its own skim and features, and what follows |")
    for column, rules in rules_of_columns(config, samples).items():
        lines.append(f"| `{column}` | {_words(rules) or 'nothing'} |")
    return "\n".join(lines) + "\n"


def _joined(keys: dict[str, set[str]]) -> dict[str, set[str]]:
    """Write sections whose keys all go the same way as one line, ``section.*``."""
    joined: dict[str, set[str]] = {}
    for key, rules in keys.items():
        steps = key.split(".")
        for length in range(1, len(steps)):
            prefix = ".".join(steps[:length])
            if all(r == rules for k, r in keys.items() if k.startswith(f"{prefix}.")):
                joined[f"{prefix}.*"] = rules
                break
        else:
            joined[key] = rules
    return joined


def _words(rules: set[str]) -> str:
    every = {figure.rule for figure in FIGURES}
    if every <= rules:
        rules = (rules - every) | {"every figure"}
    order = [*SLICES, "every figure", *(figure.rule for figure in FIGURES)]
    return ", ".join(rule if " " in rule else f"`{rule}`" for rule in order if rule in rules)


def with_table(text: str, config: Config, samples: Mapping[str, Sample]) -> str:
    """Return the document with its generated part renewed."""
    before, rest = text.split(MARKS[0])
    return f"{before}{MARKS[0]}\n{table(config, samples)}\n{MARKS[1]}{rest.split(MARKS[1])[1]}"


def example(root: str | os.PathLike[str] = ".") -> tuple[Config, dict[str, Sample]]:
    """Return the analysis that the document is made from: the one with every variant, and something to apply it to."""
    config = load(Path(root) / "config/full.yaml")
    own = {"of": "event", "expression": "jets[0].pt / ht", "unit": "1", "fill": 0, "symmetry": {"mirror": 1}}
    features = config.features.model_dump()
    features |= {"define": {"lead_share": own}, "event": [*features["event"], "lead_share"]}
    config = config.model_copy(update={"features": FeaturesConfig.model_validate(features)})
    samples = read_samples(config.samples)
    mass = next(f"{sample.mass_gev:g}" for sample in samples.values() if sample.mass_gev)
    background = next(s.process for s in samples.values() if s.role == "background")
    window, sideband = "mass_jj > 900", "mass_jj < 600"
    inferred = {
        "variants": config.training.variants[:1],
        "background": {
            "model": "abcd",
            "processes": [background],
            "tagged": "score > 0",
            "window": window,
            "sideband": sideband,
        },
        "tag_weights": {"corrections": "c.json", "correction": "tag", "inputs": ["pt"]},
        "scale": {background: 1.0},
        "cross_sections_fb": {mass: 1.0},
        "theory_fb": {mass: 1.0},
    }
    variations: dict[str, Any] = {
        "objects": {"kind": "objects", "scale": {"jets": 1.02}, "shift": {"ht": 1}, "balance": "jets"},
        "down": {
            "kind": "objects",
            "scale": {"jets": 1.1},
            "scale_down": {"jets": 1},
            "shift_down": {"ht": 1},
        },
        "weight": {"kind": "weight", "up": "jets[0].pt / ht", "down": "1.0"},
        "rate": {"kind": "rate", "size": 0.1, "size_down": 0.1},
        "sample": {"kind": "sample", "instead": {list(samples)[1]: list(samples)[2]}},
    }
    read: Any = TypeAdapter(dict[str, Variation]).validate_python(variations)
    config = config.model_copy(
        update={"inference": InferenceConfig.model_validate(inferred), "variations": read}
    )
    applied = Sample("applied", "Data", "application", {"part": "applied.root"})
    looks = {
        "processes": {next(iter(samples.values())).process: LookConfig(label="S", color="#000000")},
        "variants": {config.training.variants[0]: LookConfig(label="V", color="#000000")},
    }
    config = config.model_copy(update={"figures": config.figures.model_copy(update=looks)})
    return config, {**samples, "applied": applied}


if __name__ == "__main__":
    write_text(DOCUMENT, with_table(DOCUMENT.read_text(encoding="utf-8"), *example()))
