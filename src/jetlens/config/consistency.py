"""What sections of the configuration must agree on, so that no job finds out after hours."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from jetlens.config.features import ConstituentStream, FeaturesConfig, SplitConfig, Stream
from jetlens.config.folds import roles
from jetlens.config.models import (
    BlockOptions,
    ModelOptions,
    ParticleTransformerOptions,
    stream_names,
)
from jetlens.config.skim import SkimConfig
from jetlens.config.variations import FIXED, check_variations
from jetlens.errors import ConfigError, did_you_mean
from jetlens.events.schema import Field, kind_of_dtype
from jetlens.events.selection import select_columns, selected_columns
from jetlens.expressions import Namespace, check, define
from jetlens.expressions.symmetry import why_not

if TYPE_CHECKING:
    from jetlens.config import Config

PLACE = ("delta_eta", "delta_phi")
PAIR_COLUMNS = (*PLACE, "log_pt")
"""Features that pairs of constituents are made of (arXiv:2202.03772)."""


def placed_streams(streams: Mapping[str, Stream]) -> list[str]:
    """Return the streams of constituents with a place in their jet, and a pT: only of these there are images and maps.

    Args:
        streams: ``features.streams``.
    """
    return [
        name
        for name, stream in streams.items()
        if isinstance(stream, ConstituentStream) and set(PAIR_COLUMNS) <= set(stream.features)
    ]


def has_places(options: ModelOptions, streams: Mapping[str, Stream]) -> bool:
    """Whether a variant reads constituents with a place in their jet, and a pT.

    Args:
        options: of the variant.
        streams: ``features.streams``; those of the variant are among them.
    """
    return bool(set(stream_names(options)) & set(placed_streams(streams)))


def _encoders(options: Any) -> dict[str, BlockOptions]:
    """The self-attention blocks of each stream."""
    return getattr(options, "encoders", None) or dict.fromkeys(stream_names(options), options.encoder)


def check_pairs(variant: str, options: Any, streams: Mapping[str, Stream]) -> None:
    """Refuse attention biased by pairs where there are none, or where a pair's features are not among the stream's.

    Args:
        variant: its name.
        options: of the variant.
        streams: ``features.streams``; those of the variant are among them.

    Raises:
        ValueError: naming the key, and the feature that is missing.
    """
    if getattr(options, "pair_embedding", None) is None:
        return
    names = stream_names(options)
    blocks = _encoders(options)
    paired = [n for n in names if isinstance(streams[n], ConstituentStream) and blocks[n].layers]
    others = [n for n in names if not isinstance(streams[n], ConstituentStream)]
    if others and isinstance(options, ParticleTransformerOptions):
        raise ValueError(
            f"models.{variant}.streams: particle_transformer reads streams of constituents only, found '{others[0]}' "
            f"of kind {streams[others[0]].kind}; leave it out"
        )
    if not paired:
        raise ValueError(
            f"models.{variant}.pair_embedding: no stream of constituents with self-attention blocks, found: "
            f"{', '.join(names)}; leave it out, or give such a stream one layer or more"
        )
    for name in paired:
        for feature in PAIR_COLUMNS:
            if feature not in streams[name].features:
                raise ValueError(
                    f"models.{variant}: attention biased by pairs needs '{feature}' in "
                    f"features.streams.{name}.features, found: {', '.join(streams[name].features)}"
                )


def check_k_fold(split: SplitConfig, k_fold: int) -> None:
    """Refuse rotations of the test folds that would test an event twice.

    Args:
        split: ``features.split``.
        k_fold: ``training.k_fold``.

    Raises:
        ValueError: naming the fold, and how many rotations there can be.
    """
    tested: set[int] = set()
    for rotation in range(k_fold):
        test = roles(split.folds, split.test, split.validation, rotation, split.locked)["test"]
        if twice := tested.intersection(test):
            raise ValueError(
                f"training.k_fold: {k_fold} rotations of features.split.test {split.test} would test fold {min(twice)} "
                f"of {split.folds} twice; name consecutive folds there, and at most unlocked folds / "
                "test folds rotations here"
            )
        tested.update(test)


def check_augmentation(
    kinds: Iterable[str], where: str, variant: str, options: ModelOptions, features: FeaturesConfig
) -> None:
    """Refuse an augmentation that a variant's inputs cannot follow.

    Args:
        kinds: the augmentations.
        where: the key that names them.
        variant: its name.
        options: of the variant.
        features: the section; the variant's streams are among its streams.

    Raises:
        ValueError: naming the augmentation, the stream, the feature and what it lacks.
    """
    streams = {name: features.streams[name] for name in stream_names(options)}
    inputs = [
        (f"features.streams.{name}", stream.kind, stream.features, getattr(stream, "alignment", "none"))
        for name, stream in streams.items()
    ]
    for kind in kinds:
        for place, of, names, alignment in [*inputs, ("features.event", "event", features.event, "none")]:
            if reason := why_not(kind, of, features.symmetries(of, names), alignment):
                raise ValueError(
                    f"{where}: {kind} of '{variant}': in {place}, {reason}; change its features, or leave {kind} out"
                )


def check_reading(config: Config) -> None:
    """Refuse expressions that mean nothing, and streams of objects that are not read.

    Raises:
        ValueError: naming the key, and what is wrong with it.
    """
    names = names_of(config)
    for name, text in config.skim.objects.items():
        if name not in names.collections:
            hint = did_you_mean(name, names.collections)
            raise ValueError(f"skim.objects: no collection '{name}' is read{hint}")
        _checked(text, names.about(name), "condition", f"skim.objects.{name}")
    for number, cut in enumerate(config.skim.cuts):
        key, expect = ("cut", "cut") if cut.cut is not None else ("quantity", "number")
        _checked(cut.text, names, expect, f"skim.cuts[{number}].{key}")
    for name, histogram in config.figures.kinematics.items():
        _checked(histogram.quantity, names, "number", f"figures.kinematics.{name}.quantity")
    for name, text in config.inference.observables.items() if config.inference.variants else ():
        _checked(text, names, "number", f"inference.observables.{name}")
    check_variations(config.variations, names)
    _check_tag_weights(config, names)
    for name, stream in config.features.streams.items():
        key = f"features.streams.{name}"
        if isinstance(stream, ConstituentStream) and stream.jet >= config.reading.leading_jets:
            raise ValueError(
                f"{key}.jet: constituents of fat jet {stream.jet} are never read, found reading.leading_jets: "
                f"{config.reading.leading_jets}; set that to {stream.jet + 1} or more"
            )
    plans: dict[str, Callable[[Namespace], Any]] = {
        f"features.streams.{name}": config.features.stream_recipe(name, config.define).plan
        for name in config.features.streams
    }
    plans["features.event"] = config.features.event_recipe(config.define).plan
    columns = columns_of(config, truth=False)
    for key, plan in plans.items():
        try:
            plan(columns)
        except ConfigError as error:
            raise ValueError(f"{key}: {_told(plan, config) or error}") from error


def _told(plan: Callable[[Namespace], Any], config: Config) -> str | None:
    """Say which columns that tell the class or the sample features are made of; None if this is not what is wrong."""
    told = {name for name, column in _columns(config).items() if _tells(name, column)}
    try:
        used = plan(columns_of(config)).columns & told
    except ConfigError:
        return None
    return (
        f"made of what no detector measures ({', '.join(sorted(used))}), as no feature may be"
        if used
        else None
    )


def _check_tag_weights(config: Config, names: Namespace) -> None:
    tags = config.inference.tag_weights
    if tags is None or not config.inference.variants:
        return
    key = "inference.tag_weights"
    if tags.collection not in names.collections:
        hint = did_you_mean(tags.collection, names.collections)
        raise ValueError(f"{key}.collection: no collection '{tags.collection}' is read{hint}")
    fields = names.collections[tags.collection].fields
    if fields.get(tags.tag) != "boolean":
        known = [name for name, kind in fields.items() if kind == "boolean"]
        raise ValueError(
            f"{key}.tag: {tags.collection} have no tag '{tags.tag}'{did_you_mean(tags.tag, known)}"
        )
    if tags.flavour not in fields:
        raise ValueError(
            f"{key}.flavour: '{tags.flavour}' of {tags.collection} is not read; add '{tags.collection}.{tags.flavour}' "
            "to reading.also"
        )
    for number, text in enumerate(tags.inputs):
        _checked(text, names.about(tags.collection), "number", f"{key}.inputs[{number}]")
    for place, columns in selection_columns(config.skim, names):
        if f"{tags.collection}.{tags.tag}" in columns:
            raise ValueError(
                f"{place}: asks for {tags.collection}.{tags.tag}, which {key} draws after the selection; ask for it in "
                "inference.select"
            )


def selection_columns(skim: SkimConfig, names: Namespace) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield the key of every expression of the selection, and the columns that it reads."""
    for name, text in skim.objects.items():
        yield f"skim.objects.{name}", check(text, names.about(name)).columns
    for number, cut in enumerate(skim.cuts):
        key = "quantity" if cut.cut is None else "cut"
        yield f"skim.cuts[{number}].{key}", check(cut.text, names).columns


def columns_of(config: Config, truth: bool = True) -> Namespace:
    """Return what is read and stored, without definitions; with what no detector measures, or without."""
    columns = _columns(config)
    return Namespace.from_columns(
        {name: kind_of_dtype(f.dtype) for name, f in columns.items() if truth or not _tells(name, f)}
    )


def _tells(name: str, column: Field) -> bool:
    """Whether a column may tell the class or the sample of an event: samples differ in weights and event numbers."""
    return column.truth or name in FIXED


def _columns(config: Config) -> dict[str, Field]:
    schema = config.reading.event_schema()
    try:
        return selected_columns(schema, select_columns(schema, None, config.reading.also))
    except ConfigError as error:
        raise ValueError(f"reading.also: {error}") from error


def names_of(config: Config) -> Namespace:
    """Return what names mean in the configuration's expressions.

    Raises:
        ValueError: if a definition means nothing, or what is to be read does not exist.
    """
    columns = columns_of(config)
    try:
        return define(columns, config.define)
    except ConfigError as error:
        raise ValueError(f"define: {error}") from error


def _checked(text: str, names: Namespace, expect: Any, key: str) -> None:
    try:
        check(text, names, expect)
    except ConfigError as error:
        raise ValueError(f"{key}: {error}") from error
