"""Reading and checking configuration files, with messages that name file, line and key."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from jetlens.config import Config
from jetlens.config.text import read_text
from jetlens.errors import ConfigError, did_you_mean

Location = tuple[str | int, ...]


def load(path: str | os.PathLike[str]) -> Config:
    """Read and check one YAML file.

    Raises:
        ConfigError: with one line per problem, if the file cannot be read or is not valid.
    """
    return validate(read_yaml(path), [path])


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
        lines = [_explain(dict(problem), content, sources) for problem in error.errors()]
        raise ConfigError("\n".join(lines)) from error


def _explain(
    problem: dict[str, Any], content: dict[str, Any], sources: Sequence[str | os.PathLike[str]]
) -> str:
    location = _without_tags(tuple(problem["loc"]), content)
    key = _dotted(location)
    where = _where(location, sources)
    found = _found(problem["input"])
    if problem["type"] == "extra_forbidden":
        return (
            f"{where}: unknown key '{key}'{did_you_mean(str(location[-1]), _siblings(tuple(problem['loc'])))}"
        )
    if problem["type"] == "missing":
        return f"{where}: key '{key}' is missing; see config/README.md for what it means"
    if problem["type"] == "value_error":
        return f"{where}: {key + ': ' if key else ''}{problem['ctx']['error']}"
    if problem["type"] == "union_tag_invalid":
        allowed = [word.strip().strip("'") for word in problem["ctx"]["expected_tags"].split(",")]
        tag = str(problem["ctx"]["tag"])
        return f"{where}: {key}: unknown kind '{tag}'{did_you_mean(tag, allowed)}"
    if problem["type"] in ("model_type", "model_attributes_type", "dict_type"):
        return f"{where}: {key}: expected keys and values{found}"
    if problem["type"] == "union_tag_not_found":
        return f"{where}: {key}: key 'kind' is missing; see config/README.md for the kinds there are"
    if problem["type"] == "too_short":
        return f"{where}: {key}: expected at least {problem['ctx']['min_length']} entry, found none"
    message = problem["msg"].partition(", unable to parse")[0]
    return f"{where}: {key}: {message[0].lower()}{message[1:]}{found}{_hint(problem)}"


def _found(value: Any) -> str:
    if isinstance(value, dict | list):
        return ", found keys and values" if isinstance(value, dict) else ", found a list"
    return ", found nothing" if value is None else f", found {value!r}"


def _hint(problem: dict[str, Any]) -> str:
    """What to do, where YAML or a habit misleads."""
    value, kind = problem["input"], problem["type"]
    if kind == "string_type" and isinstance(value, bool | int | float):
        return "; put it in quotes" + (
            ": YAML reads yes, no, on and off as true and false" if isinstance(value, bool) else ""
        )
    if kind in ("int_parsing", "float_parsing"):
        return "; write the number alone, without a unit" + (
            ", as 100000000" if kind == "int_parsing" else ""
        )
    if kind == "list_type":
        return "; write a list, as [a, b]"
    return ""


def _dotted(location: Location) -> str:
    """``('skim', 'cuts', 0, 'min')`` as ``skim.cuts[0].min``."""
    text = ""
    for step in location:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else str(step)
    return text


def _without_tags(location: Location, content: Any) -> Location:
    """Drop the discriminator tags that pydantic puts into locations: they are no keys of the file."""
    path: list[str | int] = []
    for number, step in enumerate(location):
        known = isinstance(content, dict) and content.get("kind") == step and step not in content
        if known and number < len(location):
            continue
        path.append(step)
        try:
            content = content[step]
        except (KeyError, IndexError, TypeError):
            content = None
    return tuple(path)


def _siblings(location: Location) -> set[str]:
    """Names allowed at the place where an unknown key was found."""
    kind: Any = Config
    for step in location[:-1]:
        kind = _inside(kind, step)
    return set(kind.model_fields) if _is_section(kind) else set()


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _inside(kind: Any, step: str | int) -> Any:
    """The type one step into ``kind``: a field of a section, an item of a container, an arm of a tagged union."""
    if _is_section(kind):
        field = kind.model_fields.get(step)
        return field.annotation if field else None
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _inside(inner[0], step)
    if origin is dict or origin is list:
        return inner[-1]
    for arm in inner:
        if _is_section(arm) and "kind" in arm.model_fields:
            if step in get_args(arm.model_fields["kind"].annotation):
                return arm
        elif (deeper := _inside(arm, step)) is not None:
            return deeper
    return None


def _where(location: Location, sources: Sequence[str | os.PathLike[str]]) -> str:
    """``file, line n`` of the deepest part of ``location`` that one of the sources spells out."""
    best, depth = (str(sources[-1]) if sources else "configuration"), 0
    for source in reversed(sources):
        try:
            node = yaml.compose(read_text(source), Loader=yaml.SafeLoader)
        except (ConfigError, yaml.YAMLError):
            continue
        line, reached = _line_of(node, location)
        if reached > depth:
            best, depth = f"{source}, line {line}", reached
    return best


def _line_of(node: yaml.Node | None, location: Location) -> tuple[int, int]:
    line, reached = 1, 0
    for step in location:
        if isinstance(node, yaml.MappingNode):
            pair = next(((key, value) for key, value in node.value if key.value == str(step)), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
        else:
            break
        reached += 1
    return line, reached
