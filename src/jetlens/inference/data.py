"""The data's events, scored like those of the simulation: for an analysis that is unblinded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from jetlens.inference.scored import PartFiles, Scorer, write_events
from jetlens.trained.scoring import prepared, recipe_of


def write_data(
    models: Sequence[Path],
    scores: Path,
    sources: Sequence[str],
    output: Path,
    *,
    observables: Mapping[str, str],
    definitions: Mapping[str, str] | None = None,
    masses: Sequence[float] = (),
) -> int:
    """Write the scored events of a sample of data, in the layout of :mod:`jetlens.inference.scored`.

    As in the simulation, an event is scored by the networks of one rotation: of that which tests its fold, if any.

    Args:
        models: folders ``training/<variant>/seed<k>``, one per seed and rotation.
        scores: ``evaluation/<variant>/scores.npz``, for the scale of the rotations.
        sources: event files, paths or URLs.
        output: the parquet file to write.
        observables: expression by name.
        definitions: names that expressions may use.
        masses: hypotheses [GeV], for classifiers that read them: a column of scores each.

    Returns:
        the number of events.

    Raises:
        FileError: if a file cannot be used, or is not like those that the networks were trained on.
    """
    scorer = Scorer(models, scores, data=True, masses=masses)
    recipe = recipe_of(scorer.models, models)

    def parts() -> Iterator[PartFiles]:
        for source in sources:
            with prepared(scorer.models, source, recipe, next(iter(masses), None)) as file:
                yield PartFiles(file.features, file.skim)

    return write_events(parts(), output, scorer=scorer, observables=observables, definitions=definitions)
