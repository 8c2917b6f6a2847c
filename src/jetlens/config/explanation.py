"""Configuration of the explanation stage, and which methods serve which models."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from jetlens.config.base import Name, Positive, PositiveInt, Section, Seed
from jetlens.config.models import GradientBoostingOptions, KinematicsMLPOptions

MethodName = Literal[
    "leave_one_out",
    "relevance",
    "relevance_signed",
    "integrated_gradients",
    "shapley",
    "gradcam",
    "attention",
    "tree_shapley",
]
SCORES = ("leave_one_out", "shapley")
"""Methods that ask for scores alone."""
ATTENTION = ("relevance", "relevance_signed", "attention")
"""Methods that need attention."""


class ExplanationConfig(Section):
    """What is explained, by which methods, on which events."""

    variants: list[Name] = Field(
        default_factory=list, description="variants to explain, networks or trees; none: nothing is explained"
    )
    methods: list[MethodName] = Field(
        default=["leave_one_out", "relevance", "gradcam", "attention"],
        min_length=1,
        description="explainers; what a kind of model does not serve is left out, trees get tree_shapley instead",
    )
    events: PositiveInt = Field(400, description="most test events per class")
    display_events: int = Field(3, ge=0, le=100, description="events per class that are shown one by one")
    permutations: PositiveInt = Field(
        20, le=100_000, description="orders per event of Shapley values, half of them the other half reversed"
    )
    integration_steps: int = Field(
        100, ge=100, le=10_000, description="points on the path of integrated gradients"
    )
    gradcam_layer: str = Field(
        "{stream}_tokens",
        description="layer that Grad-CAM looks at, {stream} stands for each stream; the default is the encoder's last",
    )
    bins: PositiveInt = Field(24, le=500, description="bins of a map along Δη and along Δφ")
    half_width: Positive = Field(0.8, le=10, description="maps reach from −half_width to half_width")
    test_events: PositiveInt = Field(
        50, description="most events per class on which explanations are tested by taking constituents away"
    )
    companion_epochs: int = Field(
        0,
        ge=0,
        le=100_000,
        description="epochs in which a companion of each network is trained on, with 0 to 100 % of the tokens "
        "dropped, to judge what masking takes away; 0: none, the network judges jets it has never seen the like of",
    )
    permuted_labels: int = Field(
        0,
        ge=0,
        description="seeds for which a network of each variant is trained on permuted labels, whose explanations must "
        "be others; 0: not asked",
    )
    seed: Seed = Field(1, description="seed of random orders and of the randomised weights")

    @field_validator("methods")
    @classmethod
    def _once(cls, methods: list[MethodName]) -> list[MethodName]:
        return list(dict.fromkeys(methods))

    @field_validator("gradcam_layer")
    @classmethod
    def _names_a_stream(cls, layer: str) -> str:
        if "{stream}" not in layer or layer.replace("{stream}", "").count("{"):
            raise ValueError(f"'{layer}' must hold {{stream}}, and no other braces")
        return layer


def methods_of(options: Any, methods: list[MethodName]) -> list[MethodName]:
    """Return those methods that serve a variant; trees have Shapley values of their own.

    Args:
        options: of the variant.
        methods: ``explanation.methods``.
    """
    if isinstance(options, GradientBoostingOptions):
        return [*(name for name in methods if name in SCORES), "tree_shapley"]
    served: list[MethodName] = [name for name in methods if name != "tree_shapley"]
    if isinstance(options, KinematicsMLPOptions):
        return [name for name in served if name in (*SCORES, "integrated_gradients")]
    if not _attends(options):
        return [name for name in served if name not in ATTENTION]
    return served


def title_of(method: str) -> str:
    """Return what a method, or an order of it, is called in a text."""
    return method.replace("gradcam", "Grad-CAM").replace("_", " ")


def _attends(options: Any) -> bool:
    """Whether a network has a layer of attention at all."""
    if hasattr(options, "cross") or hasattr(options, "class_attention"):
        return True
    encoders = getattr(options, "encoders", None) or {"": options.encoder}
    pools = getattr(options, "pooling", "") in ("attention", "class_attention")
    return pools or any(blocks.layers for blocks in encoders.values())
