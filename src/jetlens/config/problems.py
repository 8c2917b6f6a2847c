"""What is wrong with a configuration, in one line each: file and line, key, what was found, what is allowed."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Annotated, Any, get_args, get_origin

import yaml
from pydantic import BaseModel

from jetlens.config import Config
from jetlens.config.base import PATTERNS
from jetlens.config.text import read_text
from jetlens.errors import ConfigError, did_you_mean

Location = tuple[str | int, ...]
Sources = Sequence[str | os.PathLike[str]]
KEY = "[key]"
"""The last step of a location where a key is wrong, not its value."""
TAGS = ("kind", "model")
"""Keys that tell sections of several kinds apart."""
SECTION_ERRORS = ("model_type", "model_attributes_type", "dict_type")


def explain(problem: dict[str, Any], content: dict[str, Any], sources: Sources) -> str:
    """Say one of pydantic's errors in a line of the project's own.

    Args:
        problem: one of ``ValidationError.errors()``.
        content: the configuration, as plain dictionaries and lists.
        sources: the YAML files it came from, last one foremost.
    """
    location = _without_tags(tuple(problem["loc"]), content)
    if problem["type"] == "value_error":
        location, text = _of_message(location, str(problem["ctx"]["error"]))
        key = _dotted(location)
        return f"{_where(location, sources)}: {key + ': ' if key else ''}{text}"
    if location and location[-1] == KEY:
        return _of_key(problem, location[:-1], sources)
    return f"{_where(location, sources)}: {_sentence(problem, location)}"


def located(text: str, sources: Sources) -> str:
    """Put file and line before a message that begins with keys, as in ``inference.data: …``; leave others as they are.

    Args:
        text: the message.
        sources: the YAML files that the configuration came from.
    """
    location, _ = _of_message((), text)
    where = _where(location, sources) if location and sources else ""
    return f"{where}: {text}" if ", line " in where else text


def _sentence(problem: dict[str, Any], location: Location) -> str:
    """What is wrong with a key that is not there, is not known, or has a wrong value."""
    key, kind, context = _dotted(location), problem["type"], problem.get("ctx", {})
    found = _found(problem["input"])
    if kind == "extra_forbidden":
        return f"unknown key '{key}'{did_you_mean(str(location[-1]), _siblings(tuple(problem['loc'])))}"
    if kind == "missing":
        return f"key '{key}' is missing; see config/README.md for what it means"
    if kind == "union_tag_invalid":
        allowed = [word.strip().strip("'") for word in context["expected_tags"].split(",")]
        return f"{key}: unknown kind '{context['tag']}'{did_you_mean(str(context['tag']), allowed)}"
    if kind == "union_tag_not_found":
        tag = context["discriminator"].strip("'")
        return f"{key}: key '{tag}' is missing; see config/README.md for the kinds there are"
    if kind in SECTION_ERRORS:
        return f"{key}: expected keys and values{found}"
    if kind == "too_short":
        least, number = context["min_length"], context["actual_length"]
        return f"{key}: expected at least {least} {'entry' if least == 1 else 'entries'}, found {number or 'none'}"
    if kind == "string_pattern_mismatch":
        return f"{key}: expected {PATTERNS.get(context['pattern'], context['pattern'])}{found}"
    message = problem["msg"].partition(", unable to parse")[0]
    return f"{key}: {message[0].lower()}{message[1:]}{found}{_hint(problem)}"


def _of_key(problem: dict[str, Any], location: Location, sources: Sources) -> str:
    """What is wrong with a key's own text; ``location`` ends with it."""
    where = f"{_where(location, sources)}: {_dotted(location[:-1])}"
    if problem["type"] == "string_pattern_mismatch":
        pattern = problem["ctx"]["pattern"]
        return f"{where}: key '{location[-1]}' is not {PATTERNS.get(pattern, pattern)}"
    return f"{where}: key {location[-1]} is no text{_hint(problem)}"


def _of_message(location: Location, text: str) -> tuple[Location, str]:
    """Move the keys that a check's own message begins with, as in ``seeds: …``, to the location that it was given."""
    match = re.match(r"([A-Za-z]\w*(?:\.\w+|\[\d+\])*): ", text)
    if match is None:
        return location, text
    steps = [int(n) if n else word for n, word in re.findall(r"\[(\d+)\]|(\w+)", match[1])]
    return (*location, *steps), text[match.end() :]


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
            " or an exponent, as 1000" if kind == "int_parsing" else ""
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
        known = isinstance(content, dict) and step in map(content.get, TAGS) and step not in content
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
        if _is_section(arm) and (tag := next((t for t in TAGS if t in arm.model_fields), None)):
            if step in get_args(arm.model_fields[tag].annotation):
                return arm
        elif (deeper := _inside(arm, step)) is not None:
            return deeper
    return None


def _where(location: Location, sources: Sources) -> str:
    """``file, line n`` of the deepest part of ``location`` that one of the sources spells out."""
    best, depth = (str(sources[-1]) if sources else "configuration"), 0
    for source in reversed(sources):
        try:
            node = yaml.compose(read_text(source), Loader=yaml.SafeLoader)
        except (ConfigError, yaml.YAMLError):
            continue
        line, reached, replaces = _line_of(node, location)
        if reached > depth:
            best, depth = f"{source}, line {line}", reached
        if replaces:
            break
    return best


def _line_of(node: yaml.Node | None, location: Location) -> tuple[int, int, bool]:
    """Line of the deepest part of ``location`` that is there, its depth, and whether it replaces what other files say.

    A list or a value does, all of it; sections of several files are one.
    """
    line, reached, replaces = 1, 0, False
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
        replaces |= not isinstance(node, yaml.MappingNode)
    return line, reached, replaces
