"""The event selection: objects that count, definitions, and cuts, all in the one language."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from jetlens.config.skim import Cut, SkimConfig
from jetlens.expressions import Checked, Namespace, check
from jetlens.expressions.evaluate import Evaluator

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Selection:
    """A checked selection.

    Attributes:
        objects: what an object must fulfil to count, by collection.
        cuts: in the order of the cutflow, with what they are made of.
    """

    objects: dict[str, Checked]
    cuts: list[tuple[Cut, Checked]]

    @classmethod
    def checked(cls, skim: SkimConfig, names: Namespace) -> Selection:
        """Find out what the configuration's expressions mean.

        Args:
            skim: the section.
            names: what names can be, definitions included.

        Raises:
            ExpressionError: if one means nothing.
        """
        objects = {name: check(text, names.about(name), "condition") for name, text in skim.objects.items()}
        cuts = [
            (
                cut,
                check(cut.cut, names, "cut")
                if cut.cut is not None
                else check(str(cut.quantity), names, "number"),
            )
            for cut in skim.cuts
        ]
        return cls(objects, cuts)

    def select_objects(self, events: Any) -> Any:
        """Drop the objects that do not count; events all stay."""
        evaluator = Evaluator(events)
        for name, requirement in self.objects.items():
            objects = events[name]
            flat = ak.flatten(objects, axis=1)
            owner = np.repeat(np.arange(len(objects)), np.asarray(ak.num(objects)))
            kept = evaluator.rows(flat, owner).mask(requirement)
            if not kept.all():
                jagged = ak.unflatten(kept, ak.num(objects))
                events = ak.with_field(events, objects[jagged], name)
        return events

    def passing(self, events: Any) -> list[Mask]:
        """Apply the cuts one after the other; what is missing fails.

        Args:
            events: with the objects that count.

        Returns:
            per cut, bool (N,): the event passes this cut and all before it.
        """
        evaluator = Evaluator(events)
        alive = np.ones(len(events), dtype=bool)
        masks = []
        for cut, checked in self.cuts:
            alive = alive & _fulfilled(cut, checked, evaluator)
            masks.append(alive)
        return masks


def _fulfilled(cut: Cut, checked: Checked, evaluator: Evaluator) -> Mask:
    if cut.cut is not None:
        return evaluator.mask(checked)
    values = evaluator.numbers(checked)
    low, high = -np.inf if cut.min is None else cut.min, np.inf if cut.max is None else cut.max
    with np.errstate(invalid="ignore"):  # NaN, an object that is not there, compares false and so fails
        return np.asarray((values >= low) & (values <= high))
