"""``grip``: what the hand cannot do, it does not, however the stroke was meant."""

import math
from dataclasses import replace

import torch
from pydantic import Field, model_validator

from agents.bias import Bias, bias
from agents.biases._drawing import lengths, vertices
from agents.moment import Moment
from raster import Strokes
from raster.shapes import Bool, Float, Tensor


@bias("grip")
class Grip(Bias):
    """Strokes are moved onto what the hand can do: first their turns, then their length, then their place.

    Each limit is a projection: a stroke that keeps within it is not touched, and gradients pass through what is.
    It holds when a run is measured too: this is the hand, not a price.
    """

    length: float | None = Field(1.0, gt=0)
    """The longest stroke, canvas units (2 is the canvas's side); a longer one shrinks towards its first point. null:
    any."""
    turn: float | None = Field(None, gt=0, le=math.pi)
    """The sharpest turn from one side of a stroke's control polygon to the next, radians; what comes after a sharper
    one is swung back. Lines have none. null: any."""
    travel: float | None = Field(None, ge=0)
    """How far the pen moves through the air from a stroke's end to the next one's start, canvas units; a stroke that
    starts further off is shifted nearer. null: any way."""
    lifts: int | None = Field(None, ge=0)
    """How often the pen leaves the paper: at the widest gaps that the sender left; at all others the next stroke is
    shifted to begin where the last one ended. null: before every stroke."""

    @model_validator(mode="after")
    def _something_is_limited(self) -> "Grip":
        if self.length is self.turn is self.travel is self.lifts is None:
            raise ValueError("a grip without a limit holds nothing: give length, turn, travel or lifts")
        return self

    def move(self, strokes: Strokes, moment: Moment) -> Strokes:
        if self.turn is not None and strokes.points.shape[-2] > 2:
            strokes = replace(strokes, points=_swung(strokes.points, self.turn))
        if self.length is not None:
            length = lengths(vertices(strokes))[..., None, None]  # [B, N, 1, 1]
            first = strokes.points[..., :1, :]
            shrunk = first + (strokes.points - first) * (self.length / length.clamp(min=self.length))
            strokes = replace(strokes, points=shrunk)
        if self.travel is not None or self.lifts is not None:
            drawn = vertices(strokes)
            shift = self._shifts(drawn[..., 0, :], drawn[..., -1, :])  # [B, N, 2]
            strokes = replace(strokes, points=strokes.points + shift[..., None, :])
        return strokes

    def _shifts(self, start: Float[Tensor, "b n 2"], end: Float[Tensor, "b n 2"]) -> Float[Tensor, "b n 2"]:
        """By how much each stroke is shifted so that the pen can get from one to the next."""
        lifted = self._lifted((start[:, 1:] - end[:, :-1]).detach())  # [B, N - 1]
        shifts = [torch.zeros_like(start[:, 0])]
        for number in range(1, start.shape[1]):
            gap = start[:, number] - (end[:, number - 1] + shifts[-1])  # [B, 2]
            way = gap
            if self.travel is not None:
                far = (gap.square().sum(-1, keepdim=True) + 1e-12).sqrt()
                way = gap * (self.travel / far.clamp(min=max(self.travel, 1e-6)))
            way = torch.where(lifted[:, number - 1, None], way, torch.zeros_like(way))
            shifts.append(way - gap)
        return torch.stack(shifts, dim=1)

    def _lifted(self, gaps: Float[Tensor, "b m 2"]) -> Bool[Tensor, "b m"]:
        """Before which strokes, from the second on, the pen leaves the paper."""
        wide = gaps.square().sum(-1)
        everywhere = torch.ones_like(wide, dtype=torch.bool)
        if self.lifts is None or self.lifts >= wide.shape[1]:
            return everywhere
        widest = wide.topk(self.lifts, dim=1).indices
        return (~everywhere).scatter(1, widest, everywhere[:, : self.lifts])


def _swung(points: Float[Tensor, "b n p 2"], most: float) -> Float[Tensor, "b n p 2"]:
    """Polygons whose sides turn by at most ``most`` radians; their sides keep their lengths, the first its place."""
    sides = points.diff(dim=-2)  # [B, N, P - 1, 2]
    before, after = sides[..., :-1, :], sides[..., 1:, :]
    cross = before[..., 0] * after[..., 1] - before[..., 1] * after[..., 0]
    dot = (before * after).sum(-1)
    # A side without length has no direction: it neither turns nor has a gradient (atan2 has none at 0, 0).
    some = (cross.square() + dot.square()) > 1e-16
    angle = torch.atan2(torch.where(some, cross, 0.0), torch.where(some, dot, 1.0))  # [B, N, P - 2]
    swing = (angle.clamp(-most, most) - angle).cumsum(-1)
    cos, sin = swing.cos(), swing.sin()
    turned = torch.stack([cos * after[..., 0] - sin * after[..., 1], sin * after[..., 0] + cos * after[..., 1]], -1)
    ways = torch.cat([sides[..., :1, :], turned], dim=-2).cumsum(-2)
    return torch.cat([points[..., :1, :], points[..., :1, :] + ways], dim=-2)
