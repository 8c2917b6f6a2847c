"""Configuration of systematic variations: of objects, of weights, of rates, of whole samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, model_validator

from jetlens.config.base import Name, Positive, Section
from jetlens.errors import ConfigError, did_you_mean
from jetlens.expressions import Namespace, check, parse, used

GAUSS = ("gauss1", "gauss2", "gauss3", "gauss4")
"""Names of independent standard normal numbers of each object, from a hash: the same in every run."""
SIDES = ("up", "down")
FIXED = ("event_number", "weight")
"""Columns that no variation of objects moves."""
Number = float | str
"""A number, or an expression that gives one."""


class Move(NamedTuple):
    """What becomes of a column: ``how`` is ``scale`` (a factor) or ``shift`` (an addend), the text its expression."""

    target: str
    how: Literal["scale", "shift"]
    text: str


class _Grouped(Section):
    group: str = Field(
        "",
        description="what it counts with in inference/limits_breakdown.csv: theory, experimental; empty: rates, for a "
        "variation of rates, otherwise variations",
    )


class _Variation(_Grouped):
    processes: list[str] = Field(
        default_factory=list,
        description="processes that it acts on, by their name in the sample table; none: all that are fitted",
    )


class ObjectVariation(_Variation):
    """Objects moved before the selection: selected, made into features and scored again, up and down.

    Keys of ``scale`` and ``shift`` are columns (``jets.pt``, ``fat_jets.constituents.d0``, ``ht``), or collections
    (``jets``), whose four-momenta are scaled at constant direction. Expressions are about one object of the collection;
    ``gauss1`` … ``gauss4`` are standard normal numbers of its own, always the same ones. All see nominal objects.
    """

    kind: Literal["objects"]
    scale: dict[str, Number] = Field(
        default_factory=dict,
        description="factors: {jets: 1.02}, {fat_jets.mass: '1 + 0.1 * gauss1'}; down is 2 − factor",
    )
    shift: dict[str, Number] = Field(
        default_factory=dict,
        description="what is added: {fat_jets.constituents.d0: '0.2 * d0_error * gauss1'}; down is the opposite",
    )
    scale_down: dict[str, Number] | None = Field(
        None, description="factors of the down side, if not 2 − factor"
    )
    shift_down: dict[str, Number] | None = Field(
        None, description="what is added for the down side, if not −"
    )
    balance: Name | None = Field(
        None, description="collection whose change of transverse momentum the missing momentum takes up: jets"
    )

    def moves(self) -> dict[str, list[Move]]:
        """Return what is moved, by side. A smearing has no opposite, so it has no side down unless one is given."""
        up = [*_moves("scale", self.scale), *_moves("shift", self.shift)]
        if self.scale_down is not None or self.shift_down is not None:
            down = [*_moves("scale", self.scale_down or {}), *_moves("shift", self.shift_down or {})]
        elif any(used([move.text], dict.fromkeys(GAUSS, "1")) for move in up):
            return {"up": up}
        else:
            down = [move._replace(text=_opposite(move)) for move in up]
        return {"up": up, "down": down}

    @model_validator(mode="after")
    def _moves_something(self) -> ObjectVariation:
        if not self.scale and not self.shift:
            raise ValueError("moves nothing; give scale, e.g. {jets: 1.02}, or shift")
        for key in ("scale", "shift", "scale_down", "shift_down"):
            for target, text in (getattr(self, key) or {}).items():
                _parsed(f"{key}.{target}", str(text))
        self._factors_are_positive()
        for side, moves in self.moves().items():
            targets = [move.target for move in moves]
            if twice := {name for name in targets if targets.count(name) > 1}:
                raise ValueError(f"{min(twice)} is scaled and shifted {side}; write one of them")
        return self

    def _factors_are_positive(self) -> None:
        """Refuse factors that turn momenta around, such as per cent taken for factors."""
        mirrored = self.scale_down is None and self.shift_down is None
        for key, most in (("scale", 2.0 if mirrored else float("inf")), ("scale_down", float("inf"))):
            for target, factor in (getattr(self, key) or {}).items():
                if isinstance(factor, float) and not 0 < factor < most:
                    allowed = "between 0 and 2, as down is 2 − factor" if most == 2 else "above 0"
                    raise ValueError(
                        f"{key}.{target}: expected a factor {allowed}, found {factor:g}; 2 % up is 1.02"
                    )


class WeightVariation(_Variation):
    """A factor on the events' weights; nothing is selected or scored again."""

    kind: Literal["weight"]
    up: str = Field(description="factor of the weight: prod(where(jets.b_tag, 1.03, 1)), one per event")
    down: str | None = Field(
        None, description="the same, down; null: the mirror image of what up does to templates"
    )

    def factors(self) -> dict[str, str]:
        """Return the expression of each side."""
        return {"up": self.up} | ({"down": self.down} if self.down is not None else {})

    @model_validator(mode="after")
    def _is_readable(self) -> WeightVariation:
        for side, text in self.factors().items():
            _parsed(side, text)
        return self


class RateVariation(_Variation):
    """A relative change of rates: of a cross section, of the luminosity."""

    kind: Literal["rate"]
    size: Positive = Field(le=1, description="relative change of the expected events: 0.06 for 6 %")
    size_down: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        None, description="the same, down, positive; null: size / (1 + size), its log-normal mirror"
    )


class SampleVariation(_Grouped):
    """Samples that stand for others: what another generator, or another setting of it, makes of the process.

    They are samples of the table with the class of what they stand for. No network is trained, validated or tested on
    them, they are in no nominal table and fill no template of their own: the networks of the others score them.
    """

    kind: Literal["sample"]
    instead: dict[str, str] = Field(
        min_length=1, description="other sample by sample, both of the table: {ttbar: ttbar_herwig}"
    )
    rate: bool = Field(
        False,
        description="keep the other's cross section; otherwise both have the nominal one, and acceptances differ",
    )

    @model_validator(mode="after")
    def _is_another(self) -> SampleVariation:
        for sample, other in self.instead.items():
            if sample == other:
                raise ValueError(f"instead.{sample}: stands for itself; name another sample of the table")
        return self


Variation = Annotated[
    ObjectVariation | WeightVariation | RateVariation | SampleVariation, Field(discriminator="kind")
]
Variations = Mapping[str, ObjectVariation | WeightVariation | RateVariation | SampleVariation]


def check_variations(variations: Variations, names: Namespace) -> None:
    """Refuse variations whose expressions mean nothing, or that move what there is not.

    Args:
        variations: the section.
        names: what names mean, definitions included.

    Raises:
        ValueError: naming the key, and what is wrong with it.
    """
    for name, variation in variations.items():
        key = f"variations.{name}"
        if name.endswith(tuple(f"_{side}" for side in SIDES)):
            raise ValueError(f"{key}: a name ends in neither _up nor _down; these are its two sides")
        if isinstance(variation, WeightVariation):
            for side, text in variation.factors().items():
                _check(f"{key}.{side}", text, names)
        if isinstance(variation, ObjectVariation):
            for side, moves in variation.moves().items():
                for move in moves:
                    _check(f"{key}.{move.how}{'' if side == 'up' else '_down'}.{move.target}", move, names)
            if variation.balance is not None and variation.balance not in names.collections:
                hint = did_you_mean(variation.balance, names.collections)
                raise ValueError(f"{key}.balance: no collection '{variation.balance}' is read{hint}")
            if variation.balance is not None and "met" not in names.objects:
                raise ValueError(f"{key}.balance: no missing momentum is read; leave it out")


def _check(key: str, what: str | Move, names: Namespace) -> None:
    try:
        if isinstance(what, Move):
            names = about(what, names)
        check(what if isinstance(what, str) else what.text, names, "number")
    except ConfigError as error:
        raise ValueError(f"{key}: {error}") from error


def about(move: Move, names: Namespace) -> Namespace:
    """Return the names that the expression of a move may use.

    Raises:
        ConfigError: if its target is nothing that can be moved.
    """
    path, record = split(move.target, names)
    if record is None:
        if move.target in FIXED or names.scalars.get(move.target, "boolean") == "boolean":
            known = {*names.scalars, *names.objects, *names.collections} - {*FIXED}
            raise ConfigError(f"'{move.target}' cannot be moved{did_you_mean(move.target, known)}")
    elif leaf := move.target.removeprefix(path).lstrip("."):
        kinds = {name for name, kind in record.fields.items() if kind != "boolean"}
        if leaf not in kinds:
            raise ConfigError(f"{path} has no number '{leaf}'{did_you_mean(leaf, kinds)}")
    elif move.how == "shift" or not record.momentum:
        raise ConfigError(f"name a column: {path}.{next(iter(record.fields), 'pt')}")
    if record is None or path in names.objects:
        return replace(names, scalars={**names.scalars, **dict.fromkeys(GAUSS, "number")})
    return names.about(path, GAUSS)


def split(target: str, names: Namespace) -> tuple[str, Any]:
    """Return the path of the objects that a target is of, and their record; None for numbers of the event."""
    first, *rest = target.split(".")
    record = names.collections.get(first) or names.objects.get(first)
    if record is None:
        return target, None
    if rest and rest[0] in record.nested:
        return f"{first}.{rest[0]}", record.nested[rest[0]]
    return first, record


def _moves(how: Literal["scale", "shift"], texts: Mapping[str, Number]) -> Iterator[Move]:
    for target, text in texts.items():
        yield Move(target, how, str(text))


def _opposite(move: Move) -> str:
    return f"2 - ({move.text})" if move.how == "scale" else f"-({move.text})"


def _parsed(key: str, text: str) -> None:
    try:
        parse(text)
    except ConfigError as error:
        raise ValueError(f"{key}: {error}") from error
