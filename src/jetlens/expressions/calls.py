"""What functions are given, and what they give: the rules of calls, part of the check."""

from __future__ import annotations

import ast
from typing import Literal

from jetlens.expressions.functions import CONDITIONS, ELEMENTWISE, REDUCERS, SPECIAL
from jetlens.expressions.names import SUM, Type
from jetlens.expressions.operators import Checker, combined_axes, constant
from jetlens.expressions.tree import Node

STANDARD = ("fat_jets", "jets", "electrons", "muons", "photons", "taus", "tracks")
"""Collections that ``is_from`` may name though the events at hand have none: there, nothing is from them."""


def call(checker: Checker, node: ast.Call, name: str) -> Node:
    """Check a call of a function that exists."""
    if name == "is_from":
        return _is_from(checker, node)
    arguments = [checker.visit(argument) for argument in node.args]
    number = ELEMENTWISE.get(name) or (SPECIAL[name][0] if name in SPECIAL else 1)
    if len(arguments) != number:
        hint = f"; example: {SPECIAL[name][1]}" if name in SPECIAL else ""
        raise checker.error(
            node, f"{name} takes {number} argument{'s' * (number > 1)}, found {len(arguments)}{hint}"
        )
    if name in REDUCERS:
        return _reducer(checker, node, name, arguments[0])
    if name == "num_near":
        return _num_near(checker, node, *arguments)
    for argument in arguments:
        if not argument.type.numeric:
            raise checker.error(
                node,
                f"{name} takes numbers, found '{argument.text}', {argument.type}; write e.g. .pt after it",
            )
    if all(argument.type.constant for argument in arguments):
        raise checker.error(
            node, f"{name} of numbers alone; write the result, or name something of the event"
        )
    axes = combined_axes(checker, node, *arguments)
    if name == "is_none":
        return Node("is_none", tuple(arguments), Type("boolean", axes))
    if name == "where":
        return _where(checker, node, arguments, axes)
    if name == "fill_none" and not arguments[1].type.constant:
        raise checker.error(node, f"fill_none takes a number to fill with, found '{arguments[1].text}'")
    if name == "fill_none" and arguments[0].type.kind == "boolean":
        raise checker.error(node, "fill_none is for numbers; a condition on what is missing fails by itself")
    kind: Literal["boolean", "number"] = "boolean" if name in CONDITIONS else "number"
    operation = name if name in SPECIAL else "function"
    return Node(operation, tuple(arguments), Type(kind, axes), name)


def _where(checker: Checker, node: ast.Call, arguments: list[Node], axes: tuple[str, ...]) -> Node:
    if arguments[0].type.kind != "boolean":
        raise checker.error(
            node, f"where takes a condition first, found '{arguments[0].text}', {arguments[0].type}"
        )
    kinds = {argument.type.kind for argument in arguments[1:]}
    if kinds == {"boolean"}:
        return Node("where", tuple(arguments), Type("boolean", axes))
    if "boolean" in kinds:
        raise checker.error(node, "where gives numbers or conditions, found one of each")
    return Node("where", tuple(arguments), Type("number", axes))


def _reducer(checker: Checker, node: ast.Call, name: str, argument: Node) -> Node:
    reducer, found = REDUCERS[name], argument.type
    if not found.axes:
        example = "num(jets)" if name == "num" else f"{name}(jets.pt)"
        two = {"min": "; of two numbers: minimum(a, b)", "max": "; of two numbers: maximum(a, b)"}.get(
            name, ""
        )
        raise checker.error(
            node,
            f"{name} goes over the objects of an event, found '{argument.text}', {found}; example: {example}{two}",
        )
    if found.kind not in reducer.takes:
        hint = (
            "a condition, e.g. any(jets.pt > 30)" if name in ("any", "all") else "numbers, e.g. max(jets.pt)"
        )
        raise checker.error(node, f"{name} takes {hint}, found '{argument.text}', {found}")
    checker.read(found.record, "" if name == "sum" else "number")
    axes = found.axes if reducer.keeps else found.axes[:-1]
    if found.kind == "object" and name == "sum":
        if found.record is None or found.record.momentum != 4:
            raise checker.error(node, f"'{argument.text}' are no four-vectors and cannot be added")
        return Node("total", (argument,), Type("object", axes, SUM))
    if name == "sort":  # sorted numbers no longer stand beside their objects
        axes = (*axes[:-1], f"sort({argument.text})")
    kind = found.kind if reducer.gives == "same" else reducer.gives
    kind = "integer" if name == "sum" and kind == "boolean" else kind
    operation = name if name in ("argmin", "argmax", "argsort") else "reduce"
    return Node(operation, (argument,), Type(kind, axes), name)  # type: ignore[arg-type]


def _is_from(checker: Checker, node: ast.Call) -> Node:
    own = checker.names.own
    if own is None:
        raise checker.error(node, "is_from tells where the token comes from, which there is none of here")
    known = {*checker.names.collections, *STANDARD}
    for argument in node.args:
        if not isinstance(argument, ast.Name) or argument.id not in known:
            raise checker.error(node, f"is_from takes names of collections, found '{ast.unparse(argument)}'")
    named = {argument.id for argument in node.args if isinstance(argument, ast.Name)}
    return constant(own.name in named, "boolean")


def _num_near(checker: Checker, node: ast.Call, others: Node, radius: Node) -> Node:
    own = checker.names.own
    if own is None or own.momentum != 4:
        raise checker.error(
            node,
            "num_near counts objects around the token, which there is none of here; write num(jets[…])",
        )
    if others.type.record is None or others.type.record.momentum != 4 or len(others.type.axes) != 1:
        raise checker.error(node, f"num_near takes objects first, found '{others.text}', {others.type}")
    if not radius.type.constant:
        raise checker.error(node, f"num_near takes a number as radius, found '{radius.text}', {radius.type}")
    checker.read(others.type.record, "deltaR")
    checker.read(own, "deltaR")
    return Node("num_near", (others,), Type("integer"), radius.value)
