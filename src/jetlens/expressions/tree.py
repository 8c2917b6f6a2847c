"""The checked tree: what evaluation goes by."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from jetlens.expressions.names import Type

_OWN = ("own", "coordinate", "num_near")


@dataclass(frozen=True, eq=False)
class Node:
    """One step of a calculation.

    Attributes:
        operation: what is done, a method of :class:`jetlens.expressions.evaluate.Evaluator`.
        inputs: what it is done with.
        type: what it gives.
        value: a name, a number or a slice that belongs to the operation.
        text: how it is written.
        key: the same for equal calculations, however they are written: evaluated once per batch of events.
        depth: how many steps are nested in it.
        own: whether it is about one object of the event, not the event alone.
    """

    operation: str
    inputs: tuple[Node, ...]
    type: Type
    value: Any = None
    text: str = ""
    key: bytes = field(init=False)
    depth: int = field(init=False)
    own: bool = field(init=False)

    def __post_init__(self) -> None:
        """Compute the key, and what else follows from the inputs."""
        told = f"{self.operation}|{self.value!r}|{len(self.inputs)}|".encode()
        whole = told + b"".join(node.key for node in self.inputs)
        object.__setattr__(self, "key", hashlib.blake2b(whole, digest_size=16).digest())
        object.__setattr__(self, "depth", 1 + max((node.depth for node in self.inputs), default=0))
        own = self.operation in _OWN or any(node.own for node in self.inputs)
        object.__setattr__(self, "own", own)


@dataclass(frozen=True)
class Checked:
    """An expression that fits the events.

    Attributes:
        text: as written.
        node: the tree.
        columns: dotted names of the columns it reads, those of definitions it uses included.
    """

    text: str
    node: Node
    columns: frozenset[str]

    @property
    def type(self) -> Type:
        """What it gives."""
        return self.node.type
