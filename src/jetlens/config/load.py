"""Reading and checking configuration files, with messages that name file, line and key."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import yaml
from pydantic import ValidationError

from jetlens.config import Config
from jetlens.config.problems import explain
from jetlens.config.text import read_text
from jetlens.errors import ConfigError


def load(*paths: str | os.PathLike[str]) -> Config:
    """Read and check one YAML file, or several, each on top of those before it as Snakemake's ``--configfile`` has it.

    Raises:
        ConfigError: with one line per problem, if a file cannot be read or what they make is not valid.
    """
    return validate(functools.reduce(_on_top, map(read_yaml, paths)), paths)


def _on_top(below: Any, above: dict[str, Any]) -> Any:
    """Return sections with the keys of both; of a key that both have a value for, a list too, the second one's."""
    if not above:
        return below  # as Snakemake has it: an empty section takes nothing away
    own = below if isinstance(below, dict) else {}
    return own | {k: _on_top(own.get(k, {}), v) if isinstance(v, dict) else v for k, v in above.items()}


def read_yaml(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read one YAML file of keys and values, without checking what they are.

    Raises:
        ConfigError: naming file and line, if it is no YAML, or a key stands there twice.
    """
    text = read_text(path)
    with _located(path):
        check_once(yaml.compose(text, Loader=yaml.SafeLoader), path)
        content = yaml.safe_load(text)
    if not isinstance(content, dict):
        found = "nothing" if content is None else "a list" if isinstance(content, list) else f"'{content}'"
        raise ConfigError(f"{path}: expected keys and values, found {found[:60]}")
    return content


@contextmanager
def _located(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn YAML's errors into one line with file, line and column."""
    try:
        yield
    except yaml.MarkedYAMLError as error:
        # a key without its colon is noticed lines later only
        late = "simple key" in (error.context or "")
        mark = (error.context_mark if late else error.problem_mark) or error.context_mark
        line = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = " ".join(filter(None, (error.context, error.problem)))
        hint = "; indent with spaces, not tabs" if "'\\t'" in problem else ""
        raise ConfigError(f"{path}{line}: is not valid YAML: {problem}{hint}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: is not valid YAML: {' '.join(str(error).split())}") from error


def check_once(node: yaml.Node | None, path: str | os.PathLike[str]) -> None:
    """Refuse a key that stands twice in one place: YAML would take the last one in silence.

    Raises:
        ConfigError: naming both lines.
    """
    pending = [(node, "")]
    while pending:
        node, where = pending.pop()
        if isinstance(node, yaml.SequenceNode):
            pending += [(item, f"{where}[{n}]") for n, item in enumerate(node.value)]
        if not isinstance(node, yaml.MappingNode):
            continue
        lines: dict[str, int] = {}
        for key, value in node.value:
            name, line = str(key.value), key.start_mark.line + 1
            full = f"{where}.{name}" if where else name
            if name in lines and name != "<<":
                raise ConfigError(
                    f"{path}, line {line}: key '{full}' is there twice, first in line {lines[name]}; keep one"
                )
            lines[name] = line
            pending.append((value, full))


def validate(content: dict[str, Any], sources: Sequence[str | os.PathLike[str]] = ()) -> Config:
    """Check a configuration that has been read already.

    Args:
        content: the configuration, as plain dictionaries and lists.
        sources: the YAML files it came from, last one foremost; used to name file and line in messages.

    Raises:
        ConfigError: with one line per problem.
    """
    for source in sources:
        read_yaml(source)
    try:
        return Config.model_validate(content)
    except ValidationError as error:
        lines = [explain(dict(problem), content, sources) for problem in error.errors()]
        raise ConfigError("\n".join(lines)) from error
