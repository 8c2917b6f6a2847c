"""Attention without weights of its own, and the pairwise features that may bias it, on ``keras.ops``.

Shapes: B events, T tokens, H heads of width d. ``real`` is a boolean (B, T), True where a token is real. No layer lets
a padded slot change any output.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from jetlens.models import arithmetic
from jetlens.models.arithmetic import NEGLIGIBLE
from jetlens.models.layers import register


class _Attention(keras.layers.Layer):  # type: ignore[misc]
    """Scaled dot-product attention without weights of its own; the projections are Dense layers around it.

    Being free of weights, every use has a layer, and so a name, of its own, even where projections are shared.
    The softmaxed scores are a second output of the very same computation: a probe reads what the classifier used.

    Args:
        heads: number of heads H.
        query_streams: streams the queries come from.
        key_streams: streams the keys come from, in the order of the key axis.
        extra_keys: trained tokens ahead of the first stream on the key axis (class attention: 1).
    """

    def __init__(
        self,
        heads: int,
        query_streams: list[str],
        key_streams: list[str],
        extra_keys: int = 0,
        **kwargs: Any,
    ) -> None:
        """Take the arguments above."""
        super().__init__(**kwargs)
        self.heads = heads
        self.query_streams = list(query_streams)
        self.key_streams = list(key_streams)
        self.extra_keys = extra_keys

    def attend(self, q: Any, k: Any, v: Any, real: Any, bias: Any = None) -> tuple[Any, Any]:
        """Attend with queries (B, Tq, H·d) to keys and values (B, Tk, H·d).

        Args:
            q: queries.
            k: keys.
            v: values.
            real: (B, Tk), which keys are real.
            bias: (B, H, Tq, Tk), added to the scores before the softmax.

        Returns:
            Output (B, Tq, H·d) and scores (B, H, Tq, Tk), which sum to one over real keys; the output is made of them.
        """
        head_width = q.shape[-1] // self.heads
        q, k, v = (self._split(t, head_width) for t in (q * head_width**-0.5, k, v))
        # the softmax in float32 even under mixed precision
        scores = ops.cast(ops.matmul(q, ops.transpose(k, (0, 1, 3, 2))), "float32")
        if bias is not None:
            scores = scores + ops.cast(bias, "float32")
        weight = ops.cast(real, scores.dtype)[:, None, None, :]
        # without a single real key the softmax is flat over padding: times the weight, nothing is gathered
        scores = ops.softmax(scores + (1.0 - weight) * NEGLIGIBLE, axis=-1) * weight
        # from the very scores that are returned: the logit can be differentiated by them
        output = ops.transpose(ops.matmul(ops.cast(scores, v.dtype), v), (0, 2, 1, 3))
        return ops.reshape(output, (-1, ops.shape(output)[1], self.heads * head_width)), scores

    def _split(self, x: Any, head_width: int) -> Any:
        return ops.transpose(ops.reshape(x, (-1, ops.shape(x)[1], self.heads, head_width)), (0, 2, 1, 3))

    def get_config(self) -> dict[str, Any]:
        """Return what rebuilds the layer."""
        own = {name: getattr(self, name) for name in ("heads", "query_streams", "key_streams", "extra_keys")}
        return {**super().get_config(), **own}


@register
class SelfAttention(_Attention):
    """Attention among the tokens of one set; queries, keys and values come fused from one projection."""

    def call(self, qkv: Any, real: Any, bias: Any = None) -> tuple[Any, Any]:
        """Attend within (B, T, 3·H·d); see :meth:`attend`."""
        if arithmetic.by_hand(self.compute_dtype):
            return arithmetic.self_attend(qkv, real, self.heads, bias)
        q, k, v = ops.split(qkv, 3, axis=-1)
        return self.attend(q, k, v, real, bias)

    def compute_output_shape(self, qkv_shape: Any, real_shape: Any = None, bias_shape: Any = None) -> Any:
        """Return the shapes of output and scores."""
        batch, tokens, channels = qkv_shape
        return (batch, tokens, channels // 3), (batch, self.heads, tokens, tokens)


@register
class CrossAttention(_Attention):
    """Attention of one set's tokens to those of another."""

    def call(self, q: Any, kv: Any, real: Any) -> tuple[Any, Any]:
        """Attend with (B, Tq, H·d) to (B, Tk, 2·H·d); see :meth:`attend`."""
        if arithmetic.by_hand(self.compute_dtype):
            return arithmetic.cross_attend(q, kv, real, self.heads)
        k, v = ops.split(kv, 2, axis=-1)
        return self.attend(q, k, v, real)

    def compute_output_shape(self, q_shape: Any, kv_shape: Any, real_shape: Any = None) -> Any:
        """Return the shapes of output and scores."""
        return tuple(q_shape), (q_shape[0], self.heads, q_shape[1], kv_shape[1])


@register
class PairFeatures(keras.layers.Layer):  # type: ignore[misc]
    """Pairwise features of ParT (arXiv:2202.03772, eq. 3): ln ΔR, ln kT, ln z, ln m² of every two constituents.

    kT = min(pT_a, pT_b) ΔR; z = min(pT_a, pT_b) / (pT_a + pT_b); m² = 2 pT_a pT_b (cosh Δη − cos Δφ), the mass of
    two massless constituents [GeV²].

    Args:
        columns: indices of Δη, Δφ and ln pT on the feature axis of the raw stream.
    """

    FLOOR = 1e-8

    def __init__(self, columns: list[int], **kwargs: Any) -> None:
        """Take the arguments above."""
        super().__init__(**kwargs)
        self.columns = list(columns)

    def call(self, x: Any, real: Any) -> Any:
        """Return (B, T, T, 4) for raw features (B, T, F); zero where either slot is padded."""
        x = ops.where(ops.expand_dims(real, -1), x, ops.zeros_like(x))
        eta, phi, log_pt = (x[..., column] for column in self.columns)
        delta_eta = eta[:, :, None] - eta[:, None, :]
        delta_phi = phi[:, :, None] - phi[:, None, :]
        delta_r = ops.sqrt(delta_eta**2 + delta_phi**2 + self.FLOOR)
        softer = ops.minimum(log_pt[:, :, None], log_pt[:, None, :])
        harder = ops.maximum(log_pt[:, :, None], log_pt[:, None, :])
        log_z = -ops.log1p(ops.exp(harder - softer))
        # 2 (cosh Δη − cos Δφ), written so that nothing cancels between close constituents
        angle = 4.0 * (ops.sinh(0.5 * delta_eta) ** 2 + ops.sin(0.5 * delta_phi) ** 2) + self.FLOOR
        pairs = ops.stack(
            [ops.log(delta_r), softer + ops.log(delta_r), log_z, softer + harder + ops.log(angle)], axis=-1
        )
        both = ops.logical_and(real[:, :, None], real[:, None, :])[..., None]
        return ops.where(both, pairs, ops.zeros_like(pairs))

    def compute_output_shape(self, x_shape: Any, real_shape: Any = None) -> Any:
        """Return (B, T, T, 4)."""
        return (x_shape[0], x_shape[1], x_shape[1], 4)

    def get_config(self) -> dict[str, Any]:
        """Return what rebuilds the layer."""
        return {**super().get_config(), "columns": self.columns}
