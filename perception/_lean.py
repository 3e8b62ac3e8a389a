"""Layers of frozen networks that give the same numbers at less cost: no copies that their gradients do not need."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.autograd.function import once_differentiable

from perception._parts import transformed
from raster.shapes import Float, Tensor


class EvenSame(nn.Module):
    """A depthwise convolution of stride 2 with TensorFlow's ``SAME`` padding, for a kernel that is not learned.

    Where height and width are even, ``SAME`` pads by one row and column more behind than in front, which torch does by
    copying the map into a larger one (and its gradient back). The same numbers come from a kernel with a first row and
    column of zeros and equal padding on both sides: on a CPU half the time, forward and back (docs/perception.md).
    """

    wide: Tensor

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.convolution = convolution
        self.register_buffer("wide", F.pad(convolution.weight.detach(), (1, 0, 1, 0)), persistent=False)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h2 w2"]:
        """The convolution of `x`."""
        if x.shape[-1] % 2 or x.shape[-2] % 2:
            return self.convolution(x)
        padding = (self.wide.shape[-1] - 2) // 2
        return F.conv2d(x, self.wide, self.convolution.bias, 2, padding, 1, self.wide.shape[0])


class LeanReLU6(nn.Module):
    """``ReLU6(inplace=True)`` that remembers what it gave.

    torch's own keeps a copy of what it was given, to tell later which values lay between 0 and 6: what it gave tells as
    much.
    """

    def forward(self, x: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
        """``x`` clamped to [0, 6], in its own place."""
        if not (torch.is_grad_enabled() and x.requires_grad) or transformed():
            return F.relu6(x, inplace=True)
        clamped: Tensor = _Clamp.apply(x)
        return clamped


class _Clamp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.mark_dirty(x.clamp_(0.0, 6.0))
        ctx.save_for_backward(x)
        return x

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> Tensor:
        (gave,) = ctx.saved_tensors
        return torch.ops.aten.hardtanh_backward(upstream, gave, 0.0, 6.0)


def make_lean(net: nn.Module) -> int:
    """Put these layers in the place of those of ``net`` that they can stand for; returns how many there were."""
    places = [
        (parent, name, lean)
        for parent in net.modules()
        for name, child in parent.named_children()
        if (lean := _lean(child)) is not None
    ]
    for parent, name, lean in places:
        parent._modules[name] = lean
    return len(places)


def _lean(module: nn.Module) -> nn.Module | None:
    from timm.layers import Conv2dSame

    if type(module) is nn.ReLU6 and module.inplace:
        return LeanReLU6()
    if not isinstance(module, Conv2dSame):
        return None
    each: Any = module
    side = each.kernel_size[0]
    depthwise = each.groups == each.in_channels == each.out_channels
    plain = each.stride == (2, 2) and each.dilation == (1, 1) and each.kernel_size == (side, side)
    return EvenSame(each) if depthwise and plain and side % 2 == 1 and side > 1 else None
