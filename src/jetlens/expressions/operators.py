"""What signs mean between numbers, conditions and objects: the rules of operators, part of the check."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal, Protocol

from jetlens.expressions.names import SUM, Collection, Namespace, Type
from jetlens.expressions.syntax import ExpressionError
from jetlens.expressions.tree import Node


class Checker(Protocol):
    """What these rules need of the walk through an expression."""

    names: Namespace

    def error(self, node: ast.AST, message: str) -> ExpressionError: ...  # noqa: D102

    def visit(self, node: ast.expr) -> Node: ...  # noqa: D102

    def read(self, record: Collection | None, word: str = "") -> None: ...  # noqa: D102


def constant(value: float, kind: Literal["number", "integer", "boolean"]) -> Node:
    """A number written in the expression."""
    return Node("constant", (), Type(kind, constant=True), value)


def combined_axes(checker: Checker, node: ast.AST, *inputs: Node) -> tuple[str, ...]:
    """Of what there is one result each: the longest of the inputs' axes, of which the others are a beginning."""
    longest = max((one.type.axes for one in inputs), key=len)
    for one in inputs:
        if one.type.axes != longest[: len(one.type.axes)]:
            other = next(other for other in inputs if other.type.axes == longest)
            raise checker.error(
                node,
                f"'{one.text}' is {one.type}, '{other.text}' {other.type}: not the same objects; "
                f"take one (…[0]), reduce (min, max, sum), or select both alike",
            )
    return longest


def unaryop(checker: Checker, node: ast.UnaryOp) -> Node:
    """Check a sign, or a negation."""
    value = checker.visit(node.operand)
    if isinstance(node.op, ast.Invert):
        if value.type.kind != "boolean":
            raise checker.error(node, f"~ is for conditions, found {value.type}")
        return Node("invert", (value,), value.type)
    if not value.type.numeric or value.type.kind == "boolean":
        raise checker.error(node, f"a sign is for numbers, found {value.type}")
    if value.type.constant:
        return constant(-value.value if isinstance(node.op, ast.USub) else value.value, "number")
    return (
        Node("negative", (value,), replace(value.type, kind="number"))
        if isinstance(node.op, ast.USub)
        else value
    )


def binop(checker: Checker, node: ast.BinOp) -> Node:
    """Check arithmetic, a sum of objects, or the joining of conditions."""
    left, right = checker.visit(node.left), checker.visit(node.right)
    name = type(node.op).__name__.lower()
    axes = combined_axes(checker, node, left, right)
    if name in ("bitand", "bitor"):
        for side in (left, right):
            if side.type.kind != "boolean":
                raise checker.error(
                    node,
                    f"& and | join conditions, found '{side.text}', {side.type}; compare it with something",
                )
        return Node(name, (left, right), Type("boolean", axes))
    if left.type.record is not None and right.type.record is not None:
        return _sum(checker, node, left, right, axes)
    for side in (left, right):
        if not side.type.numeric:
            raise checker.error(node, f"'{side.text}' is {side.type}, not a number; write e.g. .pt after it")
    if left.type.constant and right.type.constant:
        return _folded(checker, node, name, left.value, right.value)
    return Node(name, (left, right), Type("number", axes))


def _sum(checker: Checker, node: ast.BinOp, left: Node, right: Node, axes: tuple[str, ...]) -> Node:
    if not isinstance(node.op, ast.Add):
        raise checker.error(node, "objects can be added, and nothing else; write e.g. .pt after each")
    for side in (left, right):
        assert side.type.record is not None
        if side.type.record.momentum != 4:
            raise checker.error(node, f"'{side.text}' is no four-vector and cannot be added to one")
        checker.read(side.type.record)
    return Node("vectors", (left, right), Type("object", axes, SUM))


def _folded(checker: Checker, node: ast.AST, name: str, left: float, right: float) -> Node:
    try:
        value = {
            "add": lambda: left + right,
            "sub": lambda: left - right,
            "mult": lambda: left * right,
            "div": lambda: left / right,
            "pow": lambda: math.pow(left, right),
        }[name]()
        if not abs(value) < 1e300:
            raise OverflowError
    except (ArithmeticError, ValueError):
        raise checker.error(node, "is no number that can be calculated with") from None
    return constant(float(value), "number")


def compare(checker: Checker, node: ast.Compare) -> Node:
    """Check a comparison, or a chain of them, which is one condition."""
    parts = [checker.visit(part) for part in (node.left, *node.comparators)]
    made: Node | None = None
    for left, operator, right in zip(parts, node.ops, parts[1:], strict=False):
        name = type(operator).__name__.lower()
        pair = _pair(checker, node, left, right, name)
        axes = combined_axes(checker, node, pair, made) if made else pair.type.axes
        made = Node("bitand", (made, pair), Type("boolean", axes)) if made else pair
    assert made is not None
    return made


def _pair(checker: Checker, node: ast.Compare, left: Node, right: Node, name: str) -> Node:
    for side in (left, right):
        if not side.type.numeric:
            raise checker.error(
                node, f"'{side.text}' is {side.type}, which cannot be compared; write e.g. .pt after it"
            )
    booleans = [side for side in (left, right) if side.type.kind == "boolean"]
    if len(booleans) == 1 or (booleans and name not in ("eq", "noteq")):
        raise checker.error(
            node, f"'{booleans[0].text}' is a condition already; write it alone, or ~ before it"
        )
    if left.type.constant and right.type.constant:
        raise checker.error(node, "compares two numbers; name something of the event")
    return Node(name, (left, right), Type("boolean", combined_axes(checker, node, left, right)))


OPERATORS: dict[str, Callable[[Any, Any], Node]] = {"unaryop": unaryop, "binop": binop, "compare": compare}
