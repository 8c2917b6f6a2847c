"""Tag weights: events count with the probability of their tags, so that tags leave events where simulation has few.

Efficiencies depend on flavour and transverse momentum. They are measured on a sample's own selected events, or given
as correctionlib JSON. Tags are inputs of classifiers, so patterns of them are drawn: each event becomes K rows of
weight 1/K with tags of their own, each of which is made into features and scored. Rows of one event share its number:
templates add their weights before they square them. The true flavour decides the weight, and is a feature of nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import awkward as ak
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from jetlens.config.corrections import correction_of
from jetlens.config.inference import FLAVOURS, TagWeightsConfig
from jetlens.errors import FileError
from jetlens.events.layout import from_table, to_table
from jetlens.expressions import Namespace, check
from jetlens.expressions.evaluate import Evaluator
from jetlens.features.skims import BATCH, skimmed
from jetlens.files import atomic_path, read_json, write_json
from jetlens.hashing import uniform
from jetlens.skim.parquet import FACTS, open_skim

Floats = NDArray[np.float64]
FEWEST = 10
"""Objects in a bin of a sample; where it has fewer, all samples together say what the efficiency is."""
MOST_OBJECTS = 1 << 16


class Efficiency(Protocol):
    """Probability of a tag."""

    def __call__(self, objects: Any, names: Namespace) -> Floats:
        """Return it for objects, flat awkward records (K,): float64 (K,)."""


class Measured:
    """Efficiencies by flavour and transverse momentum, from counts.

    Args:
        config: what is tagged.
        counts: ``all`` and ``tagged``, (flavours, bins) each, of the sample.
        together: the same of all samples.

    Attributes:
        values: efficiencies, (flavours, bins).
        few: whether they are those of all samples together, bool (flavours, bins).
        number: objects that they are measured on, (flavours, bins).
    """

    def __init__(
        self, config: TagWeightsConfig, counts: Mapping[str, Any], together: Mapping[str, Any]
    ) -> None:
        """Divide."""
        self._config = config
        own, every = (np.asarray(of["all"], dtype=np.float64) for of in (counts, together))
        few = own < FEWEST
        total = np.where(few, every, own)
        tagged = np.where(few, together["tagged"], counts["tagged"])
        self.values = np.divide(tagged, total, out=np.zeros_like(total), where=total > 0)
        self.few, self.number = few, total

    def __call__(self, objects: Any, names: Namespace) -> Floats:
        """Look up."""
        return np.asarray(self.values[bins_of(objects, self._config)], dtype=np.float64)


class Corrections:
    """Efficiencies of a correctionlib file."""

    def __init__(self, config: TagWeightsConfig) -> None:
        """Open it.

        Raises:
            FileError: if it cannot be read, or does not have the correction, or takes other inputs.
        """
        self._config = config
        self._correction = correction_of(config)
        self._kinds = [variable.type for variable in self._correction.inputs]

    def __call__(self, objects: Any, names: Namespace) -> Floats:
        """Evaluate."""
        about = names.about(self._config.collection)
        rows = Evaluator(objects).rows(objects)
        values = [rows.numbers(check(text, about, "number")) for text in self._config.inputs]
        arrays = [
            v.astype(np.int64) if kind == "int" else v for v, kind in zip(values, self._kinds, strict=True)
        ]
        return np.clip(np.asarray(self._correction.evaluate(*arrays), dtype=np.float64), 0.0, 1.0)


def write_efficiencies(skims: Mapping[str, Sequence[Path]], output: Path, config: TagWeightsConfig) -> None:
    """Count objects and tags of every sample, by flavour and transverse momentum.

    Args:
        skims: files of selected events by sample.
        output: the JSON file to write: ``pt_edges``, ``flavours``, and by sample ``all`` and ``tagged``,
            (flavours, bins).
        config: what is tagged.

    Raises:
        FileError: if a file is missing, or has no flavour.
    """
    counts: dict[str, Any] = {}
    shape = (len(FLAVOURS), len(config.pt_edges) + 1)
    for sample, files in skims.items():
        total, tagged = np.zeros(shape), np.zeros(shape)
        for file in files:
            with skimmed(file) as skim:
                _check(file, skim.names, config)
                for events in skim.batches([config.collection]):
                    objects = ak.flatten(events[config.collection], axis=1)
                    where = bins_of(objects, config)
                    np.add.at(total, where, 1.0)
                    np.add.at(tagged, where, np.asarray(objects[config.tag], dtype=np.float64))
        counts[sample] = {"all": total.tolist(), "tagged": tagged.tolist()}
    write_json(output, {"pt_edges": config.pt_edges, "flavours": FLAVOURS, "samples": counts})


def efficiency_of(path: Path | None, sample: str, config: TagWeightsConfig) -> Efficiency:
    """Return the efficiencies of a sample.

    Args:
        path: what :func:`write_efficiencies` wrote; None: those of the correctionlib file.
        sample: its name.
        config: what is tagged.
    """
    if path is None:
        return Corrections(config)
    samples = read_json(path)["samples"]
    together = {key: np.sum([of[key] for of in samples.values()], axis=0) for key in ("all", "tagged")}
    return Measured(config, samples[sample], together)


def _check(path: Path, names: Namespace, config: TagWeightsConfig) -> None:
    fields = names.collections[config.collection].fields
    if config.flavour not in fields:
        raise FileError(
            f"{path}: {config.collection} have no '{config.flavour}', which tag weights need; add "
            f"'{config.collection}.{config.flavour}' to reading.also"
        )


def bins_of(objects: Any, config: TagWeightsConfig) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Flavour and bin of transverse momentum of each object."""
    flavour = np.abs(np.asarray(objects[config.flavour], dtype=np.int64))
    number = np.where(flavour == 5, 2, np.where(flavour == 4, 1, 0))
    return number, np.searchsorted(config.pt_edges, np.asarray(objects["pt"]), side="right")


def write_patterns(
    skim: Path, output: Path, efficiency: Efficiency, config: TagWeightsConfig, *, sample: str, part: str
) -> None:
    """Write a skim file in which every event stands K times, with tags drawn anew each time.

    A draw depends on sample and file, event number, place of the object and number of the pattern alone.

    Args:
        skim: file of selected events, nominal or varied.
        output: the skim file to write.
        efficiency: probability of a tag.
        config: what is tagged, and how often.
        sample: name of the physical sample.
        part: name of the file among its sample's, whose events may have the numbers of another's.

    Raises:
        FileError: if the file is missing, or has no flavour.
    """
    number = config.patterns
    with open_skim(skim) as file, skimmed(skim) as known, atomic_path(output) as temporary:
        _check(skim, known.names, config)
        layout, facts = file.schema_arrow.remove_metadata(), file.metadata.metadata[FACTS.encode()]
        with pq.ParquetWriter(temporary, layout, compression="zstd", use_dictionary=False) as writer:
            for batch in file.iter_batches(max(BATCH // number, 1), use_threads=False):
                events = from_table(pa.Table.from_batches([batch]))
                drawn = _drawn(events, efficiency, config, f"{sample}:{part}", known.names)
                writer.write_table(to_table(drawn, layout))
            writer.add_key_value_metadata({FACTS: facts.decode()})
    pa.default_memory_pool().release_unused()


def _drawn(events: Any, efficiency: Efficiency, config: TagWeightsConfig, key: str, names: Namespace) -> Any:
    objects = ak.flatten(events[config.collection], axis=1)
    counts = np.asarray(ak.num(events[config.collection], axis=1))
    probability = efficiency(objects, names)
    place = np.arange(len(objects)) - np.repeat(np.cumsum(counts) - counts, counts)
    numbers = np.repeat(np.asarray(events["event_number"], dtype=np.int64), counts)
    tags = [
        uniform(numbers, place + MOST_OBJECTS * pattern, f"{config.seed}:{key}:tags") < probability
        for pattern in range(config.patterns)
    ]
    rows = np.repeat(np.arange(len(events)), config.patterns)
    repeated = events[rows]
    jagged = ak.concatenate([ak.unflatten(each, counts)[:, np.newaxis] for each in tags], axis=1)
    flat = ak.unflatten(ak.flatten(jagged, axis=None), counts[rows])
    collection = ak.with_field(repeated[config.collection], flat, config.tag)
    repeated = ak.with_field(repeated, collection, config.collection)
    return ak.with_field(repeated, np.asarray(repeated["weight"]) / config.patterns, "weight")
