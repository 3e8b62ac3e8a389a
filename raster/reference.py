"""The raster in plain torch, every stroke against every pixel: slow, obvious, and what the engines must equal.

Mihai & Hare, *Differentiable Drawing and Sketching*, arXiv 2103.16194: the squared distance transform of a line
segment, its relaxation, and compositions.
"""

import math
from collections.abc import Sequence

import torch

from raster.shapes import Float, Tensor

#: A stroke lets through at least this much, so that T / (1 - a I) is never 0/0. One half of float32's epsilon.
LEAST = 2.0**-24
#: Segments shorter than this (pixels) are points: the gradient is all on their first end.
POINT = 1e-6
#: Squared distances (pixels) end here, so that none is infinite: 0 * infinity would be a NaN in a gradient.
FAR = 1e30
#: z = d^2 / sigma^2 where a tent is 0, and where a Gaussian is one half, which is where hard ink ends.
TENT, HALF = 4 * math.log(2), math.log(2)


def render(
    vertices: Float[Tensor, "b n k d"],
    inverse_sigma2: Float[Tensor, "b n"],
    weight: Float[Tensor, "b n c"] | None,
    cover: Float[Tensor, "b n"] | None,
    size: Sequence[int],
    compose: str,
    response: str,
    cut: float = math.inf,
) -> Float[Tensor, "b c *size"]:
    """Polylines to a picture, by autograd: any floating dtype, any device, any number of dimensions.

    ``vertices`` are in pixel coordinates (x, y), where the pixel of row i and column j has its centre at (j, i);
    one vertex is a point. ``inverse_sigma2`` is 1 / sigma^2 in pixels. With ``I = R(d^2 / sigma^2)`` the ink of a
    stroke, ``w`` its weight in a channel (1 where there is none):

    - ``softor``: 1 - prod(1 - w I);
    - ``over``: B <- w I + (1 - cover I) B, stroke after stroke, from B = 0;
    - ``max``: the largest w I (of equal ones the first);
    - ``sum``: the sum of w I.

    A stroke is not felt where d^2 / sigma^2 reaches ``cut``.
    """
    ink = _ink(vertices, inverse_sigma2, size, response, cut)  # [b n *size]
    spread = (slice(None),) * 2 + (None,) * len(size)
    if weight is None:
        weight = torch.ones_like(inverse_sigma2)[..., None]
    each = ink[:, :, None] * weight[(slice(None), *spread)]  # [b n c *size]
    if compose == "softor":
        left = 1 - each
        # The value is kept above LEAST and the gradient passes all the same: dT/dI stays the product of the others.
        left = left + (left.clamp(min=LEAST) - left).detach()
        drawn = 1 - left.prod(1)
    elif compose == "over":
        assert cover is not None
        through = 1 - ink * cover[spread]  # [b n *size]
        drawn = torch.zeros_like(each.sum(1))
        for n in range(each.shape[1]):
            drawn = each[:, n] + through[:, n, None] * drawn
    elif compose == "max":
        if each.shape[1]:
            drawn = each.gather(1, each.detach().argmax(1, keepdim=True)).squeeze(1)
        else:
            drawn = each.sum(1)
    else:
        drawn = each.sum(1)
    # A NaN or infinite number of a stroke must be seen in its canvas whatever the distances made of it.
    poison = (0 * vertices).sum((1, 2, 3)) + (0 * inverse_sigma2).sum(1) + (0 * weight).sum((1, 2))
    if cover is not None:
        poison = poison + (0 * cover).sum(1)
    return drawn + poison[(slice(None), None, *spread[2:])]


def _ink(
    vertices: Float[Tensor, "b n k d"],
    inverse_sigma2: Float[Tensor, "b n"],
    size: Sequence[int],
    response: str,
    cut: float,
) -> Float[Tensor, "b n *size"]:
    axes = [torch.arange(length, dtype=vertices.dtype, device=vertices.device) for length in size]
    pixels = torch.stack(torch.meshgrid(*axes, indexing="ij")[::-1], dim=-1)  # [*size d], the last axis first: (x, y)
    last = vertices.shape[2] - 1
    nearest = _segment_distance2(pixels, vertices[..., 0, :], vertices[..., min(1, last), :])
    for k in range(1, last):
        distance2 = _segment_distance2(pixels, vertices[..., k, :], vertices[..., k + 1, :])
        nearest = torch.where(distance2 < nearest, distance2, nearest)  # a tie has one winner, the first
    z = nearest.clamp(max=FAR) * inverse_sigma2[(..., *[None] * len(size))]  # [b n *size]
    if response == "gaussian":
        ink = torch.exp(-z)
    elif response == "linear":
        # The root has no gradient at 0; there, at the tip of the tent, its gradient is taken as 0.
        safe = torch.where(z > 0, z, torch.ones_like(z))
        root = torch.where(z > 0, safe.sqrt(), torch.zeros_like(z))
        ink = (1 - root / math.sqrt(TENT)).clamp(min=0)
    else:
        ink = (z.detach() <= HALF).to(z)
    return torch.where(z.detach() < cut, ink, torch.zeros_like(ink))


def _segment_distance2(
    pixels: Float[Tensor, "*size d"], a: Float[Tensor, "b n d"], b: Float[Tensor, "b n d"]
) -> Float[Tensor, "b n *size"]:
    """Squared distance of every pixel to the segment a-b. Never its root: that has no gradient at 0."""
    spread = (..., *[None] * (pixels.ndim - 1), slice(None))
    along = b - a
    length = along.detach().abs().amax(-1, keepdim=True)  # [b n 1], only a scale: it cancels in t
    scale = torch.where(length > POINT, length, torch.ones_like(length))
    direction = along / scale
    # For a point t is 0.
    square = torch.where(length > POINT, direction.square().sum(-1, keepdim=True), torch.full_like(length, torch.inf))
    off = pixels - a[spread]  # [b n *size d]
    t = (off / scale[spread] * (direction / square)[spread]).sum(-1).clamp(0, 1)
    return (off - t[..., None] * along[spread]).square().sum(-1)
