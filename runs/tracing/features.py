"""Drawings as strokes alone: points along them, and how far apart two drawings are."""

import torch

from raster import Strokes
from raster.curves import FIXED, flatten
from raster.shapes import Float, Tensor

POINTS = 48
"""Points that a drawing is felt by."""
THERE = 0.5
"""A stroke of less presence is not there."""


def along(strokes: Strokes, count: int = POINTS) -> Float[Tensor, "n count 2"]:
    """``count`` points evenly along all strokes of each drawing, end to end in the order of drawing, [n, count, 2].

    Strokes of a presence below 0.5 are left out. Where nothing has any length (points, or no stroke at all), points
    are taken in turn.
    """
    lines = flatten(strokes.detach(), FIXED)  # [n, N, V, 2]
    if lines.shape[-2] == 1:
        lines = lines.expand(-1, -1, 2, -1)
    first, last = lines[..., :-1, :].flatten(1, 2), lines[..., 1:, :].flatten(1, 2)  # [n, S, 2]
    length = (last - first).norm(dim=-1) + 1e-9  # never 0, so that there is always a place
    if strokes.presence is not None:
        there = (strokes.presence.detach() >= THERE).to(length.dtype)
        length = length * there.repeat_interleave(lines.shape[-2] - 1, dim=1) + 1e-12
    until = length.cumsum(dim=1)
    wanted = (torch.arange(count, dtype=length.dtype, device=length.device) + 0.5) / count * until[:, -1:]  # [n, count]
    place = torch.searchsorted(until, wanted).clamp(max=length.shape[1] - 1)
    part = ((wanted - until.gather(1, place)) / length.gather(1, place) + 1).clamp(0, 1)[..., None]
    at = place[..., None].expand(-1, -1, 2)
    return torch.lerp(first.gather(1, at), last.gather(1, at), part)


def modified_hausdorff(a: Float[Tensor, "q p 2"], b: Float[Tensor, "s r 2"]) -> Float[Tensor, "q s"]:
    """The distance of each of q point sets from each of s: the larger of the two mean distances to the nearest point
    of the other (Dubuisson & Jain 1994), [q, s].

    >>> modified_hausdorff(torch.zeros(1, 2, 2), torch.tensor([[[0.0, 0.0], [3.0, 4.0]]])).tolist()
    [[2.5]]
    """
    apart = torch.cdist(a[:, None], b[None])  # [q, s, p, r]
    return torch.maximum(apart.amin(dim=-1).mean(dim=-1), apart.amin(dim=-2).mean(dim=-1))
