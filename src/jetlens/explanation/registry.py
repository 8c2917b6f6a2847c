"""All explainers, by the name in ``explanation.methods``: one signature, one layout of what they return.

To add one, write ``explain(model, features, settings) -> Relevance`` in a module of this package, name it in
:data:`jetlens.config.explanation.MethodName`, and add a line here. All explain the logit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from jetlens.config.explanation import ExplanationConfig, MethodName
from jetlens.explanation.attention import attention
from jetlens.explanation.chefer import relevance, relevance_signed
from jetlens.explanation.gradcam import gradcam
from jetlens.explanation.integrated import integrated_gradients
from jetlens.explanation.relevance import Relevance
from jetlens.explanation.removal import leave_one_out, shapley
from jetlens.explanation.trees import tree_shapley
from jetlens.features.featurefile import FeatureSet
from jetlens.trained.model import TrainedModel

Explainer = Callable[[TrainedModel, FeatureSet, ExplanationConfig], Relevance]


@dataclass(frozen=True)
class Method:
    """An explainer.

    Attributes:
        explain: the function.
        signed: positive values speak for signal, negative ones for background; otherwise values are not negative.
    """

    explain: Explainer
    signed: bool


METHODS: dict[MethodName, Method] = {
    "leave_one_out": Method(leave_one_out, signed=True),
    "relevance": Method(relevance, signed=False),
    "relevance_signed": Method(relevance_signed, signed=True),
    "integrated_gradients": Method(integrated_gradients, signed=True),
    "shapley": Method(shapley, signed=True),
    "gradcam": Method(gradcam, signed=True),
    "attention": Method(attention, signed=False),
    "tree_shapley": Method(tree_shapley, signed=True),
}
