"""What the table of figures says of each family of figures."""

from __future__ import annotations

import importlib
import string
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jetlens.config import Config
from jetlens.config.fitted import hypotheses
from jetlens.config.samples import Sample
from jetlens.config.slices import Context

COMMON_STYLES = {"label", "energy_tev", "dpi"}
"""Keys of ``figures`` that every figure depends on."""
Settings = Callable[[Context], dict[str, Any]]


@dataclass(frozen=True)
class FigureEntry:
    """One family of figures, drawn by one function.

    Attributes:
        name: path under ``figures/`` without suffix; ``{variant}`` and the like make it a family.
        draw: module and function in this package.
        inputs: argument of the function → file under ``results/<analysis>/``, or one of the table's ``MANY``.
        category: section of the report.
        content: what it is, in the report's list.
        caption: reStructuredText; settings and wildcards in braces are filled in.
        each: the wildcards of the figures to draw for a configuration; none if it has nothing to draw.
        settings: argument of the function → plain data; a change of it, and of no other key, draws again.
        memory_mb: of its job.
        by_mass: whether there is one of each for every mass hypothesis, the wildcard ``mass``.
    """

    name: str
    draw: str
    inputs: Mapping[str, str]
    category: str
    content: str
    caption: str
    each: Callable[[Config], Sequence[Mapping[str, str]]] = lambda config: [{}]
    settings: Settings = lambda context: {}
    memory_mb: int = 1000
    by_mass: bool = False

    @property
    def rule(self) -> str:
        """Name of its rule: ``figure_`` and its path without wildcards."""
        return "figure_" + self.name.partition("/{")[0].replace("/", "_")

    def jobs(self, config: Config, samples: Mapping[str, Sample]) -> list[dict[str, str]]:
        """Return the wildcards of the figures that an analysis asks for."""
        of_mass = [{"mass": mass} for mass in hypotheses(config, samples)] if self.by_mass else [{}]
        return [{**wildcards, **more} for wildcards in self.each(config) for more in of_mass]

    def targets(self, config: Config, samples: Mapping[str, Sample]) -> Iterator[str]:
        """Yield the paths under ``figures/``, without suffix, of the figures that an analysis asks for."""
        for wildcards in self.jobs(config, samples):
            yield self.name.format(**wildcards)

    def look(self, config: Config) -> dict[str, Any]:
        """Return the part of ``figures`` that this figure depends on, as plain data."""
        return config.figures.model_dump(mode="json", include=COMMON_STYLES)

    def text(self, context: Context) -> str:
        """Return the caption of one figure."""
        values = {**self.settings(context), **context.wildcards}
        named = {name for _, name, _, _ in string.Formatter().parse(self.caption) if name}
        return self.caption.format(**{name: values[name] for name in named})

    def function(self) -> Callable[..., None]:
        """Import and return the function that draws it."""
        module, _, name = self.draw.rpartition(".")
        function: Callable[..., None] = getattr(importlib.import_module(f"jetlens.figures.{module}"), name)
        return function
