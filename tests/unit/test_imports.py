"""A package imports only what is listed before it, not even inside a function."""

from __future__ import annotations

import ast

from tests.conftest import ROOT

BASE = ("errors", "files", "tables", "provenance", "hashing", "progress", "statistics")
ORDER = (
    *("expressions", "events", "config", "skim", "features", "models", "trained", "training"),
    *("evaluation", "explanation", "inference", "figures", "report", "running"),
)
SOURCE = ROOT / "src" / "jetlens"


def imported(tree: ast.AST) -> set[str]:
    """Packages of jetlens that a module imports, anywhere but for types alone."""
    found: set[str] = set()
    todo = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("jetlens."):
            found.add(str(node.module).split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {name.name.split(".")[1] for name in node.names if name.name.startswith("jetlens.")}
        todo += ast.iter_child_nodes(node)
    return found


def test_no_package_imports_a_later_one() -> None:
    wrong = []
    for place, package in enumerate(ORDER):
        for path in sorted((SOURCE / package).rglob("*.py")):
            found = imported(ast.parse(path.read_text(encoding="utf-8"))) - set(BASE)
            wrong += [f"{path.relative_to(SOURCE)}: {name}" for name in found - set(ORDER[: place + 1])]
    assert not wrong


def test_every_package_has_its_place() -> None:
    packages = {path.name for path in SOURCE.iterdir() if (path / "__init__.py").exists()}
    assert packages == set(ORDER)
