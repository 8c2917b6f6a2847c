"""The one language of the configuration: parsed to a checked tree, evaluated on awkward arrays.

.. code-block:: python

    names = define(Namespace.from_columns(columns), {"b_jets": "jets[jets.b_tag]"})
    cut = check("(num(b_jets) >= 2) & ((b_jets[0] + b_jets[1]).mass > 100)", names, "cut")
    Evaluator(events).mask(cut)

:class:`Evaluator` is in :mod:`jetlens.expressions.evaluate`, which loads awkward and vector.
"""

from jetlens.expressions.check import check, define, used
from jetlens.expressions.names import Collection, Namespace, Type
from jetlens.expressions.syntax import Expression, ExpressionError, parse
from jetlens.expressions.tree import Checked

__all__ = [
    "Checked",
    "Collection",
    "Expression",
    "ExpressionError",
    "Namespace",
    "Type",
    "check",
    "define",
    "parse",
    "used",
]
