"""Schemas by name, from files, and extended by a configuration."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from jetlens.errors import ConfigError, FileError, did_you_mean
from jetlens.events.parse import parse_schema
from jetlens.events.schema import Schema

SHIPPED = ("delphes", "nanoaod")


def load_schema(source: str | os.PathLike[str] | Mapping[str, Any]) -> Schema:
    """Return a schema.

    Args:
        source: ``delphes`` or ``nanoaod``; a YAML file; or the same content as plain data. ``extends`` in it names a
            schema that it is laid over: what it says comes first, key by key, and null takes a collection away.

    Raises:
        ConfigError: naming the key that is unknown or wrong.
        FileError: if there is no such file.
    """
    if isinstance(source, Mapping):
        return parse_schema(schema_content(source), "schema")
    name = os.fspath(source)
    return parse_schema(schema_content(name), name)


@functools.cache
def _shipped(name: str) -> dict[str, Any]:
    """A shipped schema's content; parsed once, as YAML is slow, and never changed."""
    text = resources.files("jetlens.events.schemas").joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text))


def schema_content(source: str | Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema as plain data with all that it extends; see :func:`load_schema`."""
    return _whole(source, "schema", ()) if isinstance(source, Mapping) else _content(source, ())


def _content(name: str, before: tuple[str, ...]) -> dict[str, Any]:
    """A schema's content by name or path, with what it extends."""
    if name in before:
        raise ConfigError(f"schema '{name}' extends itself")
    if name in SHIPPED:
        return _shipped(name)
    path = Path(name)
    if path.suffix not in (".yaml", ".yml"):
        raise ConfigError(
            f"unknown schema '{name}'{did_you_mean(name, SHIPPED)}; a schema of your own is a path that ends in .yaml"
        )
    try:
        content = _parsed(name, path.stat().st_mtime_ns, path.stat().st_size)
    except OSError as error:
        raise FileError(f"{name}: is no readable schema file: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise FileError(f"{name}: is no readable schema file: {error}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{name}: is not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, Mapping):
        raise ConfigError(f"{name}: expected keys and values, found {type(content).__name__}")
    return _whole(content, name, (*before, name))


@functools.lru_cache(maxsize=8)
def _parsed(name: str, changed: int, size: int) -> Any:
    """A file's content as of these; every job of a workflow is handed it, and YAML is slow."""
    return yaml.safe_load(Path(name).read_text(encoding="utf-8"))


def _whole(content: Mapping[str, Any], where: str, before: tuple[str, ...]) -> dict[str, Any]:
    rest = {key: value for key, value in content.items() if key != "extends"}
    if content.get("extends") is None:
        return rest
    base = content["extends"]
    if isinstance(base, Mapping):
        merged = _merge(_whole(base, where, before), rest)
        assert isinstance(merged, dict)
        return merged
    if not isinstance(base, str):
        raise ConfigError(f"{where}: extends: expected the name of a schema, found {base!r}")
    if base not in SHIPPED and not os.path.isabs(base) and os.path.dirname(where):
        base = os.path.join(os.path.dirname(where), base)
    merged = _merge(_content(base, before), rest)
    assert isinstance(merged, dict)
    return merged


def _merge(under: Any, over: Any) -> Any:
    if isinstance(under, Mapping) and isinstance(over, Mapping):
        return {**under, **{key: _merge(under.get(key), value) for key, value in over.items()}}
    return over
