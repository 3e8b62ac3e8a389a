"""The small convolutional network that agents learn themselves."""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import nn

from perception._parts import in_parts
from perception.config import ConvnetTrunk
from raster.errors import InputError
from raster.shapes import Float, Tensor

_KERNEL, _STRIDE, _PADDING = 6, 4, 1  # of the first layer


class Convnet(nn.Module):
    """A strided convolution for each entry of `channels`, each with ReLU: ``[B, Cin, H, W] -> [B, C, h, w]``.

    The first is 6x6 with stride 4 (on a CPU the first one costs the most), the others 3x3 with stride 2, so the
    default turns 64 pixels into 4. No BatchNorm: what one agent learns must not hang on its neighbours in a batch.
    Works from 1 pixel up (h and w are at least 1). Freshly made weights come from torch's global generator, so make
    it under ``torch.random.fork_rng``.
    """

    def __init__(
        self, inputs: int = 3, channels: Sequence[int] = (32, 64, 96), norm: Literal["group", "none"] = "group"
    ) -> None:
        super().__init__()
        if not channels or min(channels) < 1:
            raise InputError("a convnet needs at least one layer of at least one channel", None, "set channels")
        self.inputs, self.channels = inputs, channels[-1]
        self.stride = 4 * 2 ** (len(channels) - 1)
        layers: list[nn.Module] = []
        for index, (before, after) in enumerate(zip((inputs, *channels), channels, strict=False)):
            kernel, stride, padding = (_KERNEL, _STRIDE, _PADDING) if index == 0 else (3, 2, 1)
            layers.append(nn.Conv2d(before, after, kernel, stride, padding))
            if norm == "group":
                layers.append(nn.GroupNorm(_groups(after), after))
            layers.append(nn.ReLU())
        self.layers = nn.Sequential(*layers)

    @classmethod
    def of(cls, config: ConvnetTrunk, inputs: int = 3) -> "Convnet":
        """The network that `config` describes, for pictures of `inputs` channels."""
        return cls(inputs, config.channels, config.norm)

    def shape(self, height: int, width: int) -> tuple[int, int, int]:
        """(C, h, w) of what comes out for pictures of that height and width."""
        sides = []
        for side in (height, width):
            side = (max(side, 4) - 4) // 4 + 1
            for _ in range((self.stride // 4).bit_length() - 1):
                side = (side - 1) // 2 + 1
            sides.append(side)
        return self.channels, sides[0], sides[1]

    def forward(self, x: Float[Tensor, "b cin h w"]) -> Float[Tensor, "b c h2 w2"]:
        """Features of pictures; see the class."""
        height, width = x.shape[-2:]
        if min(height, width) < 4:  # the first kernel spans 6 with 1 of padding on each side
            x = F.pad(x, (0, max(4 - width, 0), 0, max(4 - height, 0)))
        return in_parts(lambda part: (self._rows(part),), x, self.layers.parameters())[0]

    def _rows(self, x: Float[Tensor, "b cin h w"]) -> Float[Tensor, "b c h2 w2"]:
        if self.inputs > 1 or x.device.type != "cpu" or not torch.is_grad_enabled():
            return self.layers(x)
        return self.layers[1:](self._patched(x))

    def _patched(self, x: Float[Tensor, "b cin h w"]) -> Float[Tensor, "b c h2 w2"]:
        """The first convolution as a product of matrices.

        Of one channel, its gradient in the canvas is twice as fast on a CPU (docs/perception.md); of three it is not.
        Where no gradient is wanted the convolution itself is faster, and is taken.
        """
        first = self.layers[0]
        assert isinstance(first, nn.Conv2d)
        assert first.bias is not None
        patches = F.unfold(x, _KERNEL, padding=_PADDING, stride=_STRIDE)  # [B, Cin 36, h w]
        across = (x.shape[-1] + 2 * _PADDING - _KERNEL) // _STRIDE + 1
        return (first.weight.flatten(1) @ patches + first.bias[:, None]).unflatten(-1, (-1, across))


def _groups(channels: int) -> int:
    """As near to 8 groups as divides the channels."""
    return max(g for g in range(1, 9) if channels % g == 0)
