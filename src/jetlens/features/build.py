"""From a skim file to feature files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from jetlens.errors import ConfigError
from jetlens.expressions.feature import HYPOTHESIS
from jetlens.expressions.tokens import Plan
from jetlens.features.compute import Tokens, constituent_tokens, event_vector, named_tokens, object_tokens
from jetlens.features.featurefile import (
    EVENT_FILE,
    SCHEMA_VERSION,
    EventMetadata,
    StreamMetadata,
    TokenMetadata,
    write_event,
    write_stream,
)
from jetlens.features.presence import lacking, uses_impact_parameters
from jetlens.features.skims import skimmed
from jetlens.features.split import folds
from jetlens.hashing import uniform

if TYPE_CHECKING:
    from jetlens.config.features import EventRecipe, FeaturesConfig, Stream, StreamRecipe


def build_features(
    parquet: Path,
    folder: Path,
    *,
    features: FeaturesConfig,
    sample: str,
    part: str,
    label: int,
    definitions: Mapping[str, str] | None = None,
    mass: float | None = None,
) -> None:
    """Compute the event file and all streams of one part; see :func:`build_event`, :func:`build_stream`.

    Args:
        parquet: the part's skim file.
        folder: of the part's feature files, see :mod:`jetlens.features.featurefile`.
        features: streams, event features and split.
        sample: name of the sample.
        part: name of the part.
        label: number of the sample's class.
        definitions: names for expressions, from the configuration.
        mass: hypothesis [GeV], where a feature reads it.

    Raises:
        FileError: if the skim file is missing or damaged.
    """
    common: dict[str, Any] = {"sample": sample, "part": part}
    recipe = features.event_recipe(definitions, [mass] if mass else [])
    build_event(parquet, folder / EVENT_FILE, recipe=recipe, label=label, mass=mass, **common)
    for name in features.streams:
        recipe_of_stream = features.stream_recipe(name, definitions)
        build_stream(parquet, folder / f"{name}.npz", recipe=recipe_of_stream, **common)


def build_event(
    parquet: Path,
    output: Path,
    *,
    recipe: EventRecipe,
    sample: str,
    part: str,
    label: int,
    mass: float | None = None,
) -> None:
    """Compute ``event.npz`` of one part: event-level features, generator weights, folds and class.

    Args:
        parquet: the part's skim file.
        output: the file to write.
        recipe: features and split.
        sample: name of the sample, which the folds are hashed with.
        part: name of the part.
        label: number of the sample's class.
        mass: of the sample, where a feature reads the hypothesis [GeV]; None: each event has one of the recipe's,
            drawn by a hash of sample and event number.

    Raises:
        ConfigError: if a feature does not fit these events, or reads the hypothesis, and there is none.
        FileError: if the skim file is missing or damaged, or a feature without a fill is missing in an event.
    """
    if recipe.of_hypothesis and not recipe.hypotheses:
        raise ConfigError(
            f"sample '{sample}': a feature reads {HYPOTHESIS}, and no signal with a mass says what it can be; give "
            "mass_GeV in the sample table"
        )
    with skimmed(parquet) as skim:
        plan, split = recipe.plan(skim.names), recipe.split
        metadata = EventMetadata(
            schema_version=SCHEMA_VERSION,
            sample=sample,
            part=part,
            event=StreamMetadata.of("event", recipe.features),
            folds=split.folds,
            test_folds=split.test,
            validation_folds=split.validation,
            locked_folds=split.locked,
            recipe=recipe.model_dump(mode="json"),
            lacks=lacking(plan, skim.facts["lacks"]),
        )

        def pieces(events: Any) -> dict[str, NDArray[Any]]:
            numbers = np.asarray(events["event_number"], dtype=np.int64)
            further = {HYPOTHESIS: _hypotheses(recipe, numbers, sample, mass)} if recipe.of_hypothesis else {}
            return {
                "event": event_vector(plan, events, further),
                "weight": np.asarray(events["weight"], dtype=np.float64),
                "event_number": numbers,
                "fold": folds(sample, numbers, split.folds, split.seed),
                "class": np.full(len(numbers), label, dtype=np.int8),
            }

        columns = {*plan.columns, "event_number", "weight"} - {HYPOTHESIS}
        write_event(output, skim.number, map(pieces, skim.batches(columns)), metadata)


def _hypotheses(
    recipe: EventRecipe, numbers: NDArray[np.int64], sample: str, mass: float | None
) -> NDArray[np.float64]:
    """Mass hypothesis of each event [GeV], (N,)."""
    if mass is not None:
        return np.full(len(numbers), mass)
    draw = uniform(numbers, np.zeros_like(numbers), f"{recipe.split.seed}:{sample}:{HYPOTHESIS}")
    return np.array(recipe.hypotheses)[(draw * len(recipe.hypotheses)).astype(np.int64)]


def build_stream(parquet: Path, output: Path, *, recipe: StreamRecipe, sample: str, part: str) -> None:
    """Compute ``<stream>.npz`` of one part.

    Args:
        parquet: the part's skim file.
        output: the file to write.
        recipe: what its tokens and features are.
        sample: name of the sample.
        part: name of the part.

    Raises:
        ConfigError: if a token or feature does not fit these events.
        FileError: if the skim file is missing or damaged.
    """
    with skimmed(parquet) as skim:
        plan = recipe.plan(skim.names)
        metadata = TokenMetadata(
            schema_version=SCHEMA_VERSION,
            sample=sample,
            part=part,
            stream=StreamMetadata.of(
                recipe.stream.kind,
                recipe.features,
                tokens=_tokens(recipe.stream),
                alignment=getattr(recipe.stream, "alignment", "none"),
            ),
            recipe=recipe.model_dump(mode="json"),
            lacks=lacking(plan, skim.facts["lacks"]),
            impact_parameters=skim.facts["impact_parameters"] if uses_impact_parameters(plan) else None,
        )

        def pieces(events: Any) -> dict[str, NDArray[Any]]:
            values, mask = compute_stream(recipe.stream, plan, events)
            return {"values": values, "mask": mask}

        write_stream(output, skim.number, map(pieces, skim.batches(plan.columns)), metadata)


def compute_stream(stream: Stream, plan: Plan, events: Any) -> Tokens:
    """Compute a stream of given events, awkward records (N,): values float32 (N, T, F) and mask bool (N, T)."""
    if stream.kind == "kinematics":
        return named_tokens(plan, events)
    if stream.kind == "objects":
        return object_tokens(plan, events)
    return constituent_tokens(
        plan,
        events,
        jets=stream.collection,
        jet=stream.jet,
        number=stream.max_tokens,
        alignment=stream.alignment,
    )


def _tokens(stream: Stream) -> list[str]:
    """What each token is; empty where tokens are interchangeable."""
    if stream.kind == "kinematics":
        return stream.tokens
    if stream.kind == "objects":
        return [f"{name}[{k}]" for name, number in stream.max_objects.items() for k in range(number)]
    return []
