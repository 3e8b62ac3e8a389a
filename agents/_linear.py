"""Linear layers of many agents at once, as ``torch.func.vmap`` would have them, but with gradients that need no copy."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from raster.shapes import Float, Tensor

LARGE = 1 << 14
"""Weights of a layer from which on it is worth the call: below, what ``vmap`` itself does costs less."""


class _Rows(torch.autograd.Function):
    """``x W^T + b`` of A agents. The gradient of W comes out as W lies, [A, O, I]; that of a plain product comes out
    turned, and a copy of all weights is made of it in every step.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Float[Tensor, "a n o"]:
        ctx.save_for_backward(x, weight)
        return torch.baddbmm(bias[:, None], x, weight.mT)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:
        (y,) = gradients
        x, weight = ctx.saved_tensors
        own = torch.bmm(y, weight) if ctx.needs_input_grad[0] else None
        return own, torch.bmm(y.mT, x), y.sum(1)


class _Linear(torch.autograd.Function):
    """``torch.nn.functional.linear`` of one agent, whose rule for many is ``_Rows``."""

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor) -> Float[Tensor, "n o"]:
        return torch.nn.functional.linear(x, weight, bias)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        """Nothing is kept: the rule for many keeps its own."""

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *given: Tensor) -> tuple[Float[Tensor, "a n o"], int]:
        """Of A agents: [A, N, I], [A, O, I] and [A, O]."""
        rows = [
            each.expand(info.batch_size, *each.shape) if at is None else each.movedim(at, 0)
            for each, at in zip(given, in_dims, strict=True)
        ]
        return _Rows.apply(*rows), 0


class LargeLinear(TorchFunctionMode):
    """Under ``vmap``: layers with many weights and few rows of input take ``_Rows``; all else is as ever."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is torch.nn.functional.linear and not kwargs and len(args) == 3 and args[2] is not None:
            x, weight = args[:2]
            if x.ndim == 2 and weight.numel() >= max(LARGE, x.numel()):
                return _Linear.apply(*args)
        return func(*args, **(kwargs or {}))
