"""What several biases look at: a drawing as shades, as polylines, as the part of the games that is compared."""

import math

import torch
import torch.nn.functional as F

from raster import Strokes
from raster.curves import flatten
from raster.shapes import Float, Tensor

PIECES = 8
"""Pieces of a curve where its length or its bends are taken: enough for a price, and never a wait for a GPU."""


def shade(canvas: Float[Tensor, "b *ink h w"]) -> Float[Tensor, "b h w"]:
    """How dark each place is, whatever its colour: the mean over the colours of [B, 3, H, W], else [B, H, W] itself."""
    return canvas.mean(1) if canvas.ndim == 4 else canvas


def glance(canvas: Float[Tensor, "b *ink h w"], places: int) -> Float[Tensor, "b d"]:
    """A drawing at a glance: the mean shade in each of ``places`` x ``places`` squares, [B, places ** 2]."""
    return F.adaptive_avg_pool2d(shade(canvas)[:, None], places).flatten(1)


def vertices(strokes: Strokes) -> Float[Tensor, "*batch n v 2"]:
    """The strokes as polylines of V vertices; curves in ``PIECES`` pieces for each cubic."""
    return flatten(strokes, PIECES)


def along(strokes: Strokes, count: int) -> Float[Tensor, "*batch n s 2"]:
    """Points along each stroke, ``count`` of them (1 on a point) at equal steps of its vertices, ends included."""
    drawn = vertices(strokes)  # [*batch, n, v, 2]
    last = drawn.shape[-2] - 1
    if last == 0:
        return drawn
    at = [step * last / (count - 1) for step in range(count)]
    lower = [min(int(each), last - 1) for each in at]
    share = drawn.new_tensor([each - low for each, low in zip(at, lower, strict=True)])[:, None]  # [s, 1]
    return torch.lerp(drawn[..., lower, :], drawn[..., [low + 1 for low in lower], :], share)


def lengths(drawn: Float[Tensor, "*batch v 2"]) -> Float[Tensor, "*batch"]:
    """Length of each polyline, canvas units; its gradient is finite where two vertices meet."""
    return (drawn.diff(dim=-2).square().sum(-1) + 1e-12).sqrt().sum(-1)


def there(strokes: Strokes) -> Float[Tensor, "*batch n"]:
    """How much of each stroke is there, [*batch, N], without a gradient: what weighs prices of form, not of number."""
    if strokes.presence is None:
        return torch.ones_like(strokes.points[..., 0, 0])
    return strokes.presence.detach()


def some_of(games: int, share: float) -> int:
    """How many games are compared when a part of them is; they stand in random order, so the first are a sample."""
    return math.ceil(games * share)


def for_all(each: Float[Tensor, " s"], games: int) -> Float[Tensor, " b"]:
    """The costs of the first S games for all B, scaled up so that their mean keeps its expectation."""
    return F.pad(each * (games / each.shape[0]), (0, games - each.shape[0]))
