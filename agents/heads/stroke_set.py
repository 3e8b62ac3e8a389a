"""``set``: strokes as a set, none before another."""

import torch
from torch import nn

from agents.heads.config import SetHead, StrokesConfig
from agents.heads.hand import numbers, start, to_strokes
from agents.heads.sight import Attention, Places, Sight
from agents.moment import Moment
from perception import LayerNorm, Linear, a_picture
from raster import Strokes
from raster.shapes import Float, Tensor


class _Layer(nn.Module):
    """Attention among strokes, attention to the picture, a multilayer perceptron; each added to what was there."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.among, self.across = Attention(width, heads), Attention(width, heads)
        self.norms = nn.ModuleList(LayerNorm(width) for _ in range(3))
        self.mlp = nn.Sequential(Linear(width, 2 * width), nn.ReLU(), Linear(2 * width, width))

    def forward(
        self, strokes: Float[Tensor, "b n width"], places: Float[Tensor, "b l width"]
    ) -> Float[Tensor, "b n width"]:
        """N strokes that know of one another and of the places."""
        each = self.norms[0](strokes)
        strokes = strokes + self.among(each, self.among.remember(each))
        strokes = strokes + self.across(self.norms[1](strokes), self.across.remember(places))
        return strokes + self.mlp(self.norms[2](strokes))


class StrokeSet(nn.Module):
    """N learned queries, each to one stroke, decoded together (a transformer decoder without a mask or an order).

    A drawing is a set of strokes (Kim 2026, *Drawing with Strangers*, arXiv 2606.10582, whose agents talk through sets
    of strokes; the decoder here is ours, of the kind that detects objects: Carion et al. 2020). A query is a vector and
    the place on the canvas where its stroke starts. Nothing else tells one stroke from another, so the head is
    equivariant: queries in another order give the same strokes in that order.

    Args:
        config: the head.
        strokes: what it draws with.
        shapes: (C, h, w) of each map of a ``Sight``.
        vector: length of its vector.
    """

    attends = True

    def __init__(
        self, config: SetHead, strokes: StrokesConfig, shapes: list[tuple[int, int, int]], vector: int
    ) -> None:
        super().__init__()
        self.strokes = strokes
        self.places = Places(shapes, vector, config.width)
        self.layers = nn.ModuleList(_Layer(config.width, config.heads) for _ in range(config.layers))
        self.norm = LayerNorm(config.width)
        self.out = Linear(config.width, numbers(strokes), bias=False)  # `start` is a bias a stroke
        with torch.no_grad():
            self.out.weight.mul_(0.5)
        self.query = nn.Parameter(torch.randn(strokes.count, config.width))
        self.start = nn.Parameter(start(strokes))

    def draw(self, sight: Sight, moment: Moment) -> Strokes:
        """Strokes [B, N] of B pictures, in the order of the queries."""
        places = self.places(sight)
        each = a_picture(self.query, 2, len(places)).expand(len(places), -1, -1)  # [B, N, width]
        for layer in self.layers:
            each = layer(each, places)
        return to_strokes(self.out(self.norm(each)) + a_picture(self.start, 2, len(places)), self.strokes, moment)
