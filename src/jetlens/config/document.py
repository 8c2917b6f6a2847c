"""Schema and reference of the configuration, generated from its classes.

Run ``python -m jetlens.config.document`` in the repository after changing a class; a test holds both in step.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jetlens.config import Config
from jetlens.files import write_text

SCHEMA = Path("workflow/schemas/config.schema.json")
REFERENCE = Path("config/README.md")
MARKS = ("<!-- generated: keys -->\n", "<!-- end of generated -->\n")


def schema() -> str:
    """Return the JSON schema of a configuration file, for editors and other tools."""
    content = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Config.model_json_schema()}
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def reference() -> str:
    """Return a Markdown table per section: key, type, default, meaning."""
    content = Config.model_json_schema()
    sections = {"Top level": content, **content["$defs"]}
    return "\n".join(line for name, section in sections.items() for line in _section(name, section))


def _section(name: str, section: dict[str, Any]) -> Iterator[str]:
    if "properties" not in section:
        return
    yield f"### {name}\n"
    yield f"{' '.join(section.get('description', '').split())}\n"
    yield "| key | type | default | meaning |"
    yield "|---|---|---|---|"
    for key, field in section["properties"].items():
        default = json.dumps(field["default"], ensure_ascii=False) if "default" in field else ""
        if key not in section.get("required", []) and not default:
            default = "see section"
        meaning = " ".join(field.get("description", "").split()).replace("|", "\\|")
        yield f"| `{key}` | {_type(field)} | {f'`{default}`' if default else 'required'} | {meaning} |"
    yield ""


def _type(field: dict[str, Any]) -> str:
    if "$ref" in field:
        return f"[{_name(field)}](#{_name(field).lower()})"
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if "anyOf" in field or "oneOf" in field:
        return " or ".join(_type(arm) for arm in field.get("anyOf") or field["oneOf"])
    if field.get("type") == "array":
        return f"list of {_type(field['items'])}" if "items" in field else "list"
    if field.get("type") == "object":
        inner = field.get("additionalProperties") or next(
            iter(field.get("patternProperties", {}).values()), None
        )
        return f"name → {_type(inner)}" if isinstance(inner, dict) else "mapping"
    return str(field.get("type", "any"))


def _name(field: dict[str, Any]) -> str:
    return str(field["$ref"]).rsplit("/", 1)[-1]


def with_reference(text: str) -> str:
    """Return the text of ``config/README.md`` with its generated part renewed."""
    before, rest = text.split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    return f"{before}{MARKS[0]}\n{reference()}\n{MARKS[1]}{after}"


if __name__ == "__main__":
    write_text(SCHEMA, schema())
    write_text(REFERENCE, with_reference(REFERENCE.read_text(encoding="utf-8")))
