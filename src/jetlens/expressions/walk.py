"""The walk through a syntax tree that tells what names, members, choices and calls mean."""

from __future__ import annotations

import ast
from dataclasses import replace

from jetlens.errors import did_you_mean
from jetlens.expressions.calls import call
from jetlens.expressions.functions import COORDINATES, FUNCTIONS, METHODS, PROPERTIES, READS
from jetlens.expressions.names import Collection, Namespace, Type
from jetlens.expressions.operators import OPERATORS, combined_axes, constant
from jetlens.expressions.syntax import Expression, ExpressionError
from jetlens.expressions.tree import Checked, Node


class Walk:
    """Walks one expression; ``columns`` grows on the way."""

    def __init__(self, expression: Expression, names: Namespace) -> None:
        """Start with the expression, and what its names can be."""
        self.expression = expression
        self.names = names
        self.columns: set[str] = set()

    def error(self, node: ast.AST, message: str) -> ExpressionError:
        """Return an error at a node."""
        return self.expression.error(node, message)

    def visit(self, node: ast.expr) -> Node:
        """Find out what a part of the expression means."""
        kind = type(node).__name__.lower()
        rule = OPERATORS.get(kind)
        made: Node = rule(self, node) if rule else getattr(self, f"_{kind}")(node)
        return replace(made, text=made.text or ast.unparse(node))

    def read(self, record: Collection | None, word: str = "") -> None:
        """Note that a property of objects is used; with no word, that the objects are as vectors."""
        if record is not None and record.name:
            coordinates = COORDINATES[record.momentum] or tuple(record.fields)[:1]
            wanted = coordinates[:1] if word == "number" else READS.get(word, coordinates)
            self.columns.update(f"{record.name}.{name}" for name in wanted)

    def _constant(self, node: ast.Constant) -> Node:
        value = node.value
        assert isinstance(value, int | float)  # all that the grammar lets pass
        if not abs(value) < 1e300:
            raise self.error(node, "is too large a number")
        return constant(
            value if abs(value) < 2**63 else float(value), "integer" if isinstance(value, int) else "number"
        )

    def _name(self, node: ast.Name) -> Node:
        name, names = node.id, self.names
        own = names.own
        if own is not None and (made := self._member(Node("own", (), Type("object", (), own)), name)):
            return made
        if name in names.coordinates:
            return Node("coordinate", (), Type("number"), name)
        if name in names.definitions:
            checked = names.definitions[name]
            assert isinstance(checked, Checked)
            self.columns |= checked.columns
            return checked.node
        if name in names.objects:
            return Node("event", (), Type("object", (), names.objects[name]), name)
        if name in names.collections:
            return Node("event", (), Type("object", (name,), names.collections[name]), name)
        if name in names.scalars:
            self.columns.add(name)
            return Node("event", (), Type(names.scalars[name]), name)
        if name in FUNCTIONS:
            raise self.error(node, f"{name} is a function; write {name}(…)")
        if own is not None and name in METHODS:
            raise self.error(node, f"{name} needs another object; write {name}(jet)")
        mine = [] if own is None else [*own.fields, *PROPERTIES[own.momentum], *names.coordinates]
        known = {*names.definitions, *names.objects, *names.collections, *names.scalars, *mine}
        raise self.error(node, f"unknown name '{name}'{did_you_mean(name, known)}")

    def _member(self, value: Node, name: str) -> Node | None:
        """A field, property or list of an object or of objects; None if there is none of this name."""
        record, axes = value.type.record, value.type.axes
        assert record is not None
        if name in record.fields:
            self.columns.add(f"{record.name}.{name}")
            return Node("field", (value,), Type(record.fields[name], axes), name)
        if name in record.nested:
            text = name if value.operation == "own" else f"{value.text}.{name}"
            return Node("field", (value,), Type("object", (*axes, text), record.nested[name]), name)
        if name in PROPERTIES[record.momentum]:
            self.read(record, name)
            return Node("property", (value,), Type("number", axes), name)
        return None

    def _attribute(self, node: ast.Attribute) -> Node:
        value = self.visit(node.value)
        record = value.type.record
        if record is None:
            raise self.error(node, f"'{value.text}' is {value.type} and has no '.{node.attr}'")
        if made := self._member(value, node.attr):
            return made
        if node.attr in METHODS:
            raise self.error(node, f"{node.attr} needs another object; write {value.text}.{node.attr}(met)")
        known = [*record.fields, *record.nested, *PROPERTIES[record.momentum]]
        what = f"{value.text} has" if record.name else "a sum of objects has"
        raise self.error(node, f"{what} no '{node.attr}'{did_you_mean(node.attr, set(known))}")

    def _numbered(self, node: ast.Subscript) -> Node | None:
        """``tau[1]``, the second of the fields ``tau1``, ``tau2`` … of an object."""
        if not isinstance(node.slice, ast.Constant) or not isinstance(node.slice.value, int):
            return None
        if isinstance(node.value, ast.Name):
            own, name = self.names.own, node.value.id
            value = None if own is None else Node("own", (), Type("object", (), own))
        elif isinstance(node.value, ast.Attribute):
            value, name = self.visit(node.value.value), node.value.attr
        else:
            return None
        record = None if value is None else value.type.record
        if value is None or record is None or name in record.fields or f"{name}1" not in record.fields:
            return None
        wanted = f"{name}{node.slice.value + 1}"
        if wanted not in record.fields:
            last = sum(f"{name}{k}" in record.fields for k in range(1, 100))
            raise self.error(
                node, f"there are {name}[0] to {name}[{last - 1}], found {name}[{node.slice.value}]"
            )
        return self._member(value, wanted)

    def _subscript(self, node: ast.Subscript) -> Node:
        if made := self._numbered(node):
            return made
        value = self.visit(node.value)
        if not value.type.axes:
            raise self.error(
                node,
                f"'{value.text}' is {value.type}, of which there is nothing to choose; leave out […]",
            )
        one = replace(value.type, axes=value.type.axes[:-1])
        some = replace(value.type, axes=(*value.type.axes[:-1], ast.unparse(node)))
        self.read(value.type.record, "number")
        if (index := _integer(node.slice)) is not None:
            return Node("index", (value,), one, self._small(node, index))
        if isinstance(node.slice, ast.Slice):
            if node.slice.step is not None:
                raise self.error(node, "a slice has no step; write [start:stop]")
            ends = [None if end is None else _integer(end) for end in (node.slice.lower, node.slice.upper)]
            if ast.unparse(node.slice) != ":".join("" if end is None else str(end) for end in ends):
                raise self.error(node, "a slice has whole numbers, e.g. jets[:3]")
            return Node(
                "slice", (value,), some, tuple(end if end is None else self._small(node, end) for end in ends)
            )
        choice = self.visit(node.slice)
        if choice.type.kind == "boolean" and choice.type.axes == value.type.axes:
            return Node("select", (value, choice), some)
        if (
            choice.operation in ("argmin", "argmax", "argsort")
            and choice.inputs[0].type.axes == value.type.axes
        ):
            return Node("pick", (value, choice), one if choice.operation != "argsort" else some)
        raise self.error(
            node.slice,
            f"'{choice.text}' is {choice.type}; write a number, a slice [:3] or a condition on {value.type.axes[-1]}",
        )

    def _small(self, node: ast.AST, number: int) -> int:
        if abs(number) > 10_000:
            raise self.error(node, f"there are never as many objects, found {number}")
        return number

    def _call(self, node: ast.Call) -> Node:
        if isinstance(node.func, ast.Name):
            name = node.func.id
            if self.names.own is not None and name in METHODS:
                own = Node("own", (), Type("object", (), self.names.own), text="")
                return self._method(node, replace(own, text=self.names.own.name), name)
            if name not in FUNCTIONS:
                raise self.error(node, f"unknown function '{name}'{did_you_mean(name, FUNCTIONS)}")
            return call(self, node, name)
        if not isinstance(node.func, ast.Attribute):
            raise self.error(node, "only functions and methods can be called")
        value = self.visit(node.func.value)
        if value.type.record is None:
            raise self.error(
                node.func, f"'{value.text}' is {value.type} and has no method '{node.func.attr}'"
            )
        if node.func.attr not in METHODS:
            property_ = node.func.attr in (*value.type.record.fields, *PROPERTIES[value.type.record.momentum])
            hint = "; leave out the parentheses" if property_ else did_you_mean(node.func.attr, METHODS)
            raise self.error(node.func, f"'{node.func.attr}' is no method{hint}")
        return self._method(node, value, node.func.attr)

    def _method(self, node: ast.Call, value: Node, name: str) -> Node:
        if len(node.args) != 1:
            raise self.error(node.func, f"{name} takes one other object, found {len(node.args)}")
        other = self.visit(node.args[0])
        for side in (value, other):
            if side.type.record is None:
                raise self.error(node.func, f"{name} needs objects, found '{side.text}', {side.type}")
            if side.type.record.momentum < METHODS[name]:
                raise self.error(
                    node.func,
                    f"'{side.text}' has no momentum of {METHODS[name]} dimensions, which {name} needs",
                )
            self.read(side.type.record, name)
        return Node(
            "method", (value, other), Type("number", combined_axes(self, node.func, value, other)), name
        )


def _integer(node: ast.AST) -> int | None:
    """The whole number that is written, also a negative one; None if something else is."""
    sign = 1
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        node, sign = node.operand, -1
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return sign * node.value
    return None
