"""Layers of what may stand in a row of equal agents: they take the weights of one, or of all at once.

Under ``torch.func.functional_call`` a parameter may have one more dimension, that of A agents, in front. The first
dimension of what a layer is given is then that of all their pictures, one agent's after the other's: A x B.
"""

from typing import Any

import torch
from torch import nn

from raster.shapes import Float, Tensor

LARGE = 1 << 14
"""Weights of a layer from which on a gradient of its own is worth the call."""


class _Products(torch.autograd.Function):
    """``x W^T + b`` row by row. The gradient of W comes out as W lies, [A, O, I]; torch's own comes out turned, and
    would be copied in every step.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Float[Tensor, "a n o"]:
        ctx.save_for_backward(x, weight)
        return torch.baddbmm(bias[:, None], x, weight.mT)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:
        (y,) = gradients
        x, weight = ctx.saved_tensors
        return torch.bmm(y, weight) if ctx.needs_input_grad[0] else None, torch.bmm(y.mT, x), y.sum(1)


class Linear(nn.Linear):
    """``nn.Linear`` of one agent, or with weights [A, O, I] of A at once, in one product."""

    def forward(self, x: Float[Tensor, "b *any i"]) -> Float[Tensor, "b *any o"]:
        """``x W^T + b``."""
        weight = self.weight
        if weight.ndim == 2:
            return super().forward(x)
        bias: Tensor | None = self.bias
        rows = x.reshape(len(weight), -1, x.shape[-1])  # [A, B x any, I]
        if bias is None:
            y = rows @ weight.mT
        elif weight[0].numel() >= max(LARGE, rows[0].numel()):
            y = _Products.apply(rows, weight, bias)
        else:
            y = torch.baddbmm(bias[:, None], rows, weight.mT)
        return y.reshape(*x.shape[:-1], -1)


class LayerNorm(nn.LayerNorm):
    """``nn.LayerNorm`` over the last dimension, of one agent or of A at once."""

    def forward(self, x: Float[Tensor, "b *any d"]) -> Float[Tensor, "b *any d"]:
        """Mean 0 and deviation 1, times the weight, plus the bias."""
        if self.weight.ndim == 1:
            return super().forward(x)
        scale, shift = (each.reshape(len(each), *[1] * (x.ndim - 1), -1) for each in (self.weight, self.bias))
        plain = nn.functional.layer_norm(x, self.normalized_shape, eps=self.eps)
        return (plain.unflatten(0, (len(scale), -1)) * scale + shift).flatten(0, 1)


def a_picture(parameter: Float[Tensor, "*rows_and_own"], own: int, pictures: int) -> Tensor:
    """A parameter for each picture: of one agent as it is, of A agents [A x B, ...].

    Args:
        parameter: of one agent, of ``own`` dimensions; or of A, with one more in front.
        own: its dimensions in one agent.
        pictures: A x B.
    """
    return parameter if parameter.ndim == own else parameter.repeat_interleave(pictures // len(parameter), dim=0)
