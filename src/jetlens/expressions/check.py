"""From a syntax tree to a tree whose every node is known to mean something, with what it gives and what it reads."""

from __future__ import annotations

import ast
import graphlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Literal

from jetlens.errors import ConfigError
from jetlens.expressions.functions import FUNCTIONS
from jetlens.expressions.names import Namespace, Type
from jetlens.expressions.syntax import Expression, ExpressionError, parse
from jetlens.expressions.tree import Checked
from jetlens.expressions.walk import Walk

Expected = Literal["cut", "condition", "number", "object", "objects", "any"]

MAX_STEPS_DEEP = 200
"""Most nested steps of an expression with all definitions it uses; evaluation is recursive."""

_WANTED: dict[str, tuple[str, Callable[[Type], bool]]] = {
    "cut": (
        "a cut is one boolean per event; compare with a number, reduce lists by any, all or num: any(jets.pt > 30)",
        lambda t: t.kind == "boolean" and not t.axes and not t.constant,
    ),
    "condition": (
        "what an object must fulfil is true or false for each, e.g. (pt > 30) & (abs(eta) < 2.5)",
        lambda t: t.kind == "boolean" and not t.axes and not t.constant,
    ),
    "number": (
        "expected one number per event; take one object (jets[0].pt) or reduce (max(jets.pt), num(jets))",
        lambda t: t.numeric and not t.axes,
    ),
    "object": (
        "expected one object, or a sum of objects, per event, e.g. fat_jets[0] or jets[0] + jets[1]",
        lambda t: t.kind == "object" and not t.axes,
    ),
    "objects": (
        "expected objects of one collection, e.g. jets[jets.b_tag]",
        lambda t: t.kind == "object" and len(t.axes) == 1,
    ),
    "any": ("", lambda t: True),
}


def check(text: str | Expression, names: Namespace, expect: Expected = "any") -> Checked:
    """Find out what an expression means.

    Args:
        text: the expression, or what :func:`parse` made of it.
        names: what its names can be.
        expect: what it has to give: ``cut``, a boolean per event; ``condition``, one per object that it is about;
            ``number``, a number or boolean per event;
            ``object``, one object per event; ``objects``, some of a collection; ``any``.

    Raises:
        ExpressionError: if it is no expression, uses a name that does not exist, or gives something else.
    """
    expression = parse(text) if isinstance(text, str) else text
    walk = Walk(expression, names)
    node = walk.visit(expression.tree)
    hint, fits = _WANTED[expect]
    if not fits(node.type):
        found = str(node.type)
        if names.own is not None:
            found = found.replace("per event", f"per object of {names.own.name}")
        raise ExpressionError(expression.text, 1, f"found {found}; {hint}")
    if node.depth > MAX_STEPS_DEEP:
        raise ExpressionError(
            expression.text, 1, "is nested too deep with the definitions it uses; write fewer steps"
        )
    if expect in ("object", "objects"):
        walk.read(node.type.record)
    return Checked(expression.text, node, frozenset(walk.columns))


def define(names: Namespace, definitions: Mapping[str, str]) -> Namespace:
    """Return the namespace with further names for expressions: derived collections, objects, numbers.

    Args:
        names: what there is.
        definitions: expression by name, in any order; each may use the others.

    Raises:
        ConfigError: if a name is taken or no name, or definitions go in circles.
        ExpressionError: if an expression is wrong.
    """
    parsed = {name: parse(text) for name, text in definitions.items()}
    for name in parsed:
        _check_name(name, names)
    uses = {name: _names(expression) & parsed.keys() for name, expression in parsed.items()}
    try:
        order = list(graphlib.TopologicalSorter(uses).static_order())
    except graphlib.CycleError as error:
        circle = " → ".join(reversed(error.args[1]))
        raise ConfigError(
            f"definitions go in a circle: {circle}; define one of them without the others"
        ) from None
    for name in order:
        checked = check(parsed[name], names)
        if checked.type.constant:
            raise parsed[name].error(
                parsed[name].tree, f"'{name}' is the same for all events; write the number itself"
            )
        names = replace(names, definitions={**names.definitions, name: checked})
    return names


def used(texts: Iterable[str], definitions: Mapping[str, str]) -> dict[str, str]:
    """Return those of the definitions that expressions use, by themselves or through other definitions.

    Empty texts use none.

    Raises:
        ExpressionError: if an expression cannot be read.
    """
    found: dict[str, str] = {}
    todo = [text for text in texts if text]
    while todo:
        named = _names(parse(todo.pop())) & definitions.keys() - found.keys()
        found |= {name: definitions[name] for name in named}
        todo += [definitions[name] for name in named]
    return {name: text for name, text in definitions.items() if name in found}


def _check_name(name: str, names: Namespace) -> None:
    if not name.isidentifier():
        raise ConfigError(f"'{name}' is no name for an expression; use letters, digits and _")
    for kind, taken in (
        ("a collection", names.collections),
        ("an object", names.objects),
        ("a number of the event", names.scalars),
        ("defined already", names.definitions),
        ("a function", FUNCTIONS),
    ):
        if name in taken:
            raise ConfigError(f"definition '{name}': this name is {kind}; choose another")


def _names(expression: Expression) -> set[str]:
    return {node.id for node in ast.walk(expression.tree) if isinstance(node, ast.Name)}
