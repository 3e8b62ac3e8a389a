"""``tremor``: a hand that is not exact while it learns, so that a drawing's meaning cannot hang on a hair."""

from dataclasses import replace

import torch
from pydantic import Field

from agents.bias import Bias, bias
from agents.moment import Moment
from raster import Strokes


@bias("tremor")
class Tremor(Bias):
    """Motor noise in training: every drawing is turned, scaled and shifted a little, every point jittered.

    Nothing moves when a run is measured. Uniform noise from the moment's generator.
    """

    turn: float = Field(0.12, ge=0)
    """Largest turn of a whole drawing, radians."""
    scale: float = Field(0.1, ge=0, lt=1)
    """Largest change of its size, as a part of it."""
    shift: float = Field(0.08, ge=0)
    """Largest shift of it in x and in y, canvas units."""
    jitter: float = Field(0.015, ge=0)
    """Largest shift of each single control point in x and in y, canvas units."""

    def move(self, strokes: Strokes, moment: Moment) -> Strokes:
        if not moment.training:
            return strokes
        points = strokes.points  # [B, N, P, 2]
        noise = moment.rand((points.shape[0], 4), points) * 2 - 1  # [B, 4]
        angle, scale = noise[:, 0] * self.turn, 1 + noise[:, 1] * self.scale
        along, across = scale * angle.cos(), scale * angle.sin()
        turn = torch.stack([torch.stack([along, -across], -1), torch.stack([across, along], -1)], -2)  # [B, 2, 2]
        moved = torch.einsum("bnpi,bji->bnpj", points, turn) + noise[:, None, None, 2:] * self.shift
        jitter = (moment.rand(tuple(points.shape), points) * 2 - 1) * self.jitter
        return replace(strokes, points=moved + jitter)
