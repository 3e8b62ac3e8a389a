"""The raster in plain torch, every stroke against every pixel: slow, obvious, and what the engines must equal.

Mihai & Hare, *Differentiable Drawing and Sketching*, arXiv 2103.16194: the squared distance transform of a line
segment, its exponential relaxation and the soft-or composition.
"""

import torch

from raster.shapes import Float, Tensor

#: A stroke lets through at least this much, so that T / (1 - I) is never 0/0. One half of float32's epsilon.
LEAST = 2.0**-24
#: Segments shorter than this (pixels) are points: the gradient is all on their first end.
POINT = 1e-6
#: Squared distances (pixels) end here, so that none is infinite: 0 * infinity would be a NaN in a gradient.
FAR = 1e30


def transmission(
    vertices: Float[Tensor, "b n k 2"], inverse_sigma2: Float[Tensor, "b n"], height: int, width: int
) -> Float[Tensor, "b h w"]:
    """What paper is left, T = prod over strokes of (1 - I), I = exp(-d^2 / sigma^2); the canvas is 1 - T.

    ``vertices`` are polylines in pixel coordinates (x, y), where the pixel of row i and column j has its centre
    at (j, i); one vertex is a point. ``inverse_sigma2`` is 1 / sigma^2 in pixels. All of them differentiable,
    any floating dtype, any device.
    """
    rows = torch.arange(height, dtype=vertices.dtype, device=vertices.device)
    columns = torch.arange(width, dtype=vertices.dtype, device=vertices.device)
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    pixels = torch.stack([x, y], dim=-1)  # [h w 2]
    nearest = _segment_distance2(pixels, vertices[..., 0, :], vertices[..., min(1, vertices.shape[2] - 1), :])
    for k in range(1, vertices.shape[2] - 1):
        distance2 = _segment_distance2(pixels, vertices[..., k, :], vertices[..., k + 1, :])
        nearest = torch.where(distance2 < nearest, distance2, nearest)  # a tie has one winner, the first
    nearest = nearest.clamp(max=FAR)
    ink = torch.exp(-nearest * inverse_sigma2[..., None, None])  # [b n h w]
    left = 1 - ink
    # The value is kept above LEAST and the gradient passes all the same: dT/dI stays the product of the others.
    left = left + (left.clamp(min=LEAST) - left).detach()
    # A NaN or infinite vertex must be seen in its canvas whatever the distances made of it.
    poison = (0 * vertices).sum((1, 2, 3)) + (0 * inverse_sigma2).sum(1)
    return left.prod(1) + poison[:, None, None]


def _segment_distance2(
    pixels: Float[Tensor, "h w 2"], a: Float[Tensor, "b n 2"], b: Float[Tensor, "b n 2"]
) -> Float[Tensor, "b n h w"]:
    """Squared distance of every pixel to the segment a-b. Never its root: that has no gradient at 0."""
    along = b - a
    length = along.detach().abs().amax(-1, keepdim=True)  # [b n 1], only a scale: it cancels in t
    scale = torch.where(length > POINT, length, torch.ones_like(length))
    direction = along / scale
    # For a point t is 0.
    square = torch.where(length > POINT, direction.square().sum(-1, keepdim=True), torch.full_like(length, torch.inf))
    off = pixels - a[..., None, None, :]  # [b n h w 2]
    t = (off / scale[..., None, None, :] * (direction / square)[..., None, None, :]).sum(-1).clamp(0, 1)
    return (off - t[..., None] * along[..., None, None, :]).square().sum(-1)
