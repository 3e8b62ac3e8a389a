"""``connected``: a few points, and for every two of them whether a line joins them."""

import torch
from torch import nn

from agents.heads.config import StrokesConfig, joined_by
from agents.heads.hand import PRESENT, numbers, parts_of, start, to_strokes
from agents.heads.sight import Sight
from agents.moment import Moment
from perception import Linear
from raster import Strokes
from raster.shapes import Tensor


class Connected(nn.Module):
    """P points and the P (P - 1) / 2 lines between them, each with a presence: the connected points ("PolyConnect")
    of Mihai & Hare's drawing auto-encoders (arXiv 2103.16194).

    What a point costs is two numbers however many lines meet in it, so corners and crossings are cheap, and lines that
    share a point move together. It starts as a path through the points in their order: those lines are there (0.88),
    all others hardly (0.12).

    Args:
        vector: length of the vector that it is given.
        strokes: what it draws with: lines, as many as join some points pair by pair, with presence.
    """

    attends = False
    first: Tensor
    last: Tensor

    def __init__(self, vector: int, strokes: StrokesConfig) -> None:
        super().__init__()
        self.strokes = strokes
        count = joined_by(strokes.count)
        pairs = torch.triu_indices(count, count, offset=1)  # [2, N]
        self.register_buffer("first", pairs[0], persistent=False)
        self.register_buffer("last", pairs[1], persistent=False)
        corners = strokes.model_copy(update={"kind": "point", "count": count, "points": None})
        parts = parts_of(strokes)
        place = numbers(strokes) - parts["points"]
        self.points = Linear(vector, 2 * count)
        self.rest = Linear(vector, strokes.count * place)
        carried = start(strokes)[:, parts["points"] :]  # [N, D - 4]
        carried[:, -1] = torch.where(pairs[1] == pairs[0] + 1, PRESENT, -PRESENT)  # presence is the last of the parts
        with torch.no_grad():
            for layer in (self.points, self.rest):
                layer.weight.mul_(0.5)
            self.points.bias.copy_(start(corners)[:, :2].flatten())
            self.rest.bias.copy_(carried.flatten())

    def draw(self, sight: Sight, moment: Moment) -> Strokes:
        """Lines [B, N] of B pictures, those of the first point first."""
        places = self.points(sight.vector).unflatten(-1, (-1, 2))  # [B, P, 2]
        rest = self.rest(sight.vector).unflatten(-1, (self.strokes.count, -1))  # [B, N, D - 4]
        raw = torch.cat([places[:, self.first], places[:, self.last], rest], dim=-1)
        return to_strokes(raw, self.strokes, moment)
