"""How alike two pictures are to a network's eye."""

from collections.abc import Sequence

import torch

from raster.errors import InputError
from raster.shapes import Float, Tensor


def likeness(
    sketch: Sequence[Float[Tensor, "..."]], photo: Sequence[Float[Tensor, "..."]], weights: Sequence[float | Tensor]
) -> Float[Tensor, " b"]:
    """The perceptual loss of Learning to Draw: 0 for equal features, larger the less alike.

    Each level is a pair of features ``[B, C, h, w]``, the sketch's and the photo's. Channels are scaled to unit
    length at each place, so a level lies in [0, 4] times its weight; then squared difference, summed over channels,
    mean over places, weighted sum over levels. A weight is a number, or a tensor of one that is learned.

    Source: Mihai and Hare, Learning to Draw (NeurIPS 2021), section 3.2, after Zhang et al., The Unreasonable
    Effectiveness of Deep Features (CVPR 2018), equation 1. Gradients reach both sides. Raises InputError unless
    there are as many weights as levels, and at least one.

    >>> eye = torch.rand(2, 3, 4, 4)
    >>> likeness([eye], [5 * eye], [1.0]).round(decimals=5)
    tensor([0., 0.])
    """
    if not len(sketch) == len(photo) == len(weights) or not weights:
        counts = f"{len(sketch)} levels of the sketch, {len(photo)} of the photo, {len(weights)} weights"
        raise InputError(f"likeness needs a weight a level, got {counts}", None, "give one weight for each level")
    total = sketch[0].new_zeros(sketch[0].shape[0])  # [B]
    for drawn, seen, weight in zip(sketch, photo, weights, strict=True):
        total = total + weight * (_unit(drawn) - _unit(seen)).square().sum(1).mean((1, 2))
    return total


def _unit(features: Float[Tensor, "b c h w"], eps: float = 1e-10) -> Float[Tensor, "b c h w"]:
    # The root's argument is kept off zero: at a place where all channels are 0 (common after a ReLU) the root
    # itself would give NaN gradients.
    return features * torch.rsqrt(features.square().sum(1, keepdim=True) + eps)
