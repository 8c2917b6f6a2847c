"""From the text of an expression to its syntax tree: Python's own grammar, and only what the language has of it.

Nothing is ever evaluated as Python: a tree with a node outside of :data:`_NODES` is refused before anything looks at
what its names mean.
"""

from __future__ import annotations

import ast
import functools
import re
import warnings
from dataclasses import dataclass

from jetlens.errors import ConfigError
from jetlens.expressions.spelling import old_spelling

MAX_LENGTH = 1000
"""Most characters of an expression."""
MAX_DEPTH = 40
"""Most levels of nesting."""

_NODES = (
    *(ast.Expression, ast.Name, ast.Load, ast.Constant, ast.Attribute, ast.Subscript, ast.Slice, ast.Call),
    *(ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow, ast.BitAnd, ast.BitOr),
    *(ast.UnaryOp, ast.USub, ast.UAdd, ast.Invert),
    *(ast.Compare, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq),
)
_REFUSED: dict[type[ast.AST], str] = {
    ast.BoolOp: "write & for 'and', | for 'or', with every comparison in parentheses: (a > 1) & (b < 2)",
    ast.Not: "write ~ for 'not': ~(a > 1)",
    ast.IfExp: "write where(condition, value, otherwise)",
    ast.BitXor: "write ** for powers",
    ast.Mod: "there is no %",
    ast.FloorDiv: "write floor(a / b)",
    ast.In: "write (a == 1) | (a == 2)",
    ast.Is: "write ==",
    ast.keyword: "arguments have no names here",
    ast.Starred: "there is no *",
    ast.Tuple: "there is no comma outside of a function's arguments",
    ast.NamedExpr: "names are given under skim.define",
}
_PARENTHESES = "a comparison beside & or | needs parentheses: (a > 1) & (b < 2)"


class ExpressionError(ConfigError):
    """An expression cannot be read, or does not fit the events; says where, what was found and what is allowed.

    Attributes:
        text: the whole expression.
        column: where the trouble starts in it, from 1.
    """

    def __init__(self, text: str, column: int, message: str) -> None:
        """Make the message of one line."""
        shown = text if len(text) <= 200 else text[:200] + " …"
        super().__init__(f"'{shown}', column {column}: {message}")
        self.text, self.column = text, column


@dataclass(frozen=True)
class Expression:
    """An expression that has the language's grammar; what its names mean is told by :func:`check`."""

    text: str
    tree: ast.expr

    def error(self, node: ast.AST, message: str) -> ExpressionError:
        """Return an error at a node of the tree."""
        return ExpressionError(self.text, _column(self.text, node), message)


@functools.lru_cache(maxsize=4096)
def parse(text: str) -> Expression:
    """Read an expression.

    Raises:
        ExpressionError: if it is not one of this language.
    """
    line = re.sub(r"[\t\n\r\f\v]", " ", str(text)).strip()
    if not line:
        raise ExpressionError(line, 1, "nothing is written; example: num(jets) >= 2")
    if len(line) > MAX_LENGTH:
        raise ExpressionError(
            line,
            MAX_LENGTH,
            f"has {len(line)} characters, at most {MAX_LENGTH} are read; name its parts under skim.define",
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(line, mode="eval").body
    except SyntaxError as error:
        raise _syntax(line, error) from None
    except (ValueError, RecursionError, MemoryError):
        raise ExpressionError(line, 1, "cannot be read; example: (jets[0] + jets[1]).mass > 100") from None
    expression = Expression(line, tree)
    _check_nodes(expression)
    if renewed := old_spelling(tree):
        raise expression.error(renewed.node, f"{renewed.old} is now written {renewed.new}")
    return expression


def _syntax(line: str, error: SyntaxError) -> ExpressionError:
    """Say what Python's grammar does not have, in this language's words where the sign is a known one."""
    for sign, hint in (("&&", "&"), ("||", "|")):
        if sign in line:
            message = f"'{sign}' is not of this language; write {hint}, with every comparison in parentheses"
            return ExpressionError(line, line.index(sign) + 1, message)
    if found := re.search(r"!(?!=)", line):
        return ExpressionError(line, found.start() + 1, "'!' is not of this language; write ~ for 'not'")
    if found := re.search(r"(?<![=!<>])=(?!=)", line):
        return ExpressionError(line, found.start() + 1, "'=' is not of this language; write == to compare")
    column = min(max(error.offset or 1, 1), len(line) + 1)
    return ExpressionError(
        line, column, f"cannot be read ({error.msg}); example: (jets[0] + jets[1]).mass > 100"
    )


def _check_nodes(expression: Expression) -> None:
    todo: list[tuple[ast.AST, ast.AST, int]] = [(expression.tree, expression.tree, 1)]
    while todo:
        node, place, depth = todo.pop()
        place = node if hasattr(node, "col_offset") else place
        if not isinstance(node, _NODES):
            kind = type(node).__name__
            hint = next(
                (hint for kinds, hint in _REFUSED.items() if isinstance(node, kinds)), f"there is no {kind}"
            )
            raise expression.error(place, f"this is not of the language; {hint}")
        if depth > MAX_DEPTH:
            raise expression.error(
                place, f"is nested more than {MAX_DEPTH} deep; name its parts under skim.define"
            )
        if isinstance(node, ast.Constant) and type(node.value) not in (int, float):
            raise expression.error(
                node, f"{node.value!r} is no number; numbers, names and functions are allowed"
            )
        if isinstance(node, ast.Compare):
            _check_parentheses(expression, node)
        todo += [(child, place, depth + 1) for child in ast.iter_child_nodes(node)]


def _check_parentheses(expression: Expression, compare: ast.Compare) -> None:
    """Refuse ``a > 1 & b < 2``, which Python reads as ``a > (1 & b) < 2``."""
    source = expression.text.encode()
    for operand in (compare.left, *compare.comparators):
        if isinstance(operand, ast.BinOp) and isinstance(operand.op, ast.BitAnd | ast.BitOr):
            before = source[: operand.col_offset].rstrip()[compare.col_offset :]
            if not before.endswith(b"("):
                raise expression.error(operand, _PARENTHESES)


def _column(text: str, node: ast.AST) -> int:
    """Column of a node from 1, in characters, Python counts bytes; of an attribute, that of its name."""
    offset = getattr(node, "col_offset", 0)
    if isinstance(node, ast.Attribute) and node.end_col_offset is not None:
        offset = node.end_col_offset - len(node.attr.encode())
    return len(text.encode()[:offset].decode(errors="replace")) + 1
