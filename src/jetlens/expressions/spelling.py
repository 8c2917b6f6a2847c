"""What was written otherwise in earlier versions, and how it is written now."""

from __future__ import annotations

import ast
from dataclasses import dataclass

_CALLS: dict[str, tuple[int, str]] = {
    "count": (1, "num({0})"),
    "count_b_tagged": (1, "num({0}[{0}.b_tag])"),
    "abs_eta": (1, "abs({0}.eta)"),
    "pt": (1, "{0}.pt"),
    "mass": (1, "{0}.mass"),
    "abs_delta_eta": (2, "abs({0}.deltaeta({1}))"),
    "abs_delta_phi": (2, "abs({0}.deltaphi({1}))"),
    "delta_r": (2, "{0}.deltaR({1})"),
    "min_abs_delta_phi": (2, "min(abs({0}.deltaphi({1})))"),
}
_EVENT = {"met": "met.pt", "met_phi": "met.phi"}


@dataclass(frozen=True)
class Renewed:
    """A part of an expression, as it was written and as it is written now."""

    node: ast.AST
    old: str
    new: str


def old_spelling(tree: ast.expr) -> Renewed | None:
    """Return the first part that is spelt as in earlier versions, None if there is none."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "event":
            return Renewed(node, f"event.{node.attr}", _EVENT.get(node.attr, node.attr))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _CALLS:
            number, pattern = _CALLS[node.func.id]
            if len(node.args) != number:
                return Renewed(node, f"{node.func.id}(…)", pattern.format("jets[0]", "jets[1]"))
            words = tuple(_operand(argument) for argument in node.args)
            return Renewed(node, ast.unparse(node), pattern.format(*words))
    return None


def _operand(node: ast.expr) -> str:
    text = ast.unparse(node)
    return f"({text})" if isinstance(node, ast.BinOp) else text
