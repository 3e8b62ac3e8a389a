"""Who draws: photo features to strokes."""

from collections.abc import Callable
from typing import Annotated, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import nn

from agents.eye import Eye, Pictures, View
from agents.moment import Moment
from perception import Convnet, ConvnetTrunk, TimmTrunk, TrunkConfig
from raster import Strokes
from raster.shapes import Float, Tensor


class StrokesConfig(BaseModel):
    """What the hand puts on the canvas."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    kind: Literal["line"] = "line"
    """Primitive: straight lines of two control points."""
    count: int = Field(20, ge=1, le=1000)
    """Strokes a drawing, N."""
    spread: float = Field(0.7, gt=0, le=1)
    """An untrained sender's short strokes are strewn over +-spread of the canvas, so that all are seen."""


class SenderConfig(BaseModel):
    """A drawing agent: its eye, and a multilayer perceptron to stroke parameters."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    trunk: TrunkConfig = Field(TimmTrunk(), discriminator="kind")
    """Whose features it sees."""
    levels: tuple[Annotated[int, Field(ge=0)], ...] = Field((3,), min_length=1)
    """Which levels of the trunk's pyramid: 0 is the finest."""
    pixels: bool = False
    """Also sees the picture itself through a small learned convnet."""
    hidden: int = Field(256, ge=1)
    """Width of the hidden layers."""
    dropout: float = Field(0.2, ge=0, lt=1)
    """Dropout rate on the trunk's features."""
    strokes: StrokesConfig = StrokesConfig()


class Sender(nn.Module):
    """Photo -> eye -> MLP -> tanh -> ``Strokes`` with points in (-1, 1), after Mihai & Hare 2021 (section 3).

    The last layer starts small around short strokes strewn evenly over the canvas: strokes that start on one
    another get the same gradient and never part.
    """

    def __init__(
        self, config: SenderConfig, pictures: Pictures, convnet: Callable[[ConvnetTrunk], Convnet] = Convnet.of
    ) -> None:
        super().__init__()
        self.config = config
        self.eye = Eye(config.trunk, config.levels, config.hidden, config.dropout, pictures, convnet)
        self.glance = (
            Eye(ConvnetTrunk(), (), config.hidden, 0.0, pictures, convnet) if config.pixels else None
        )  # pixels beside features
        width = config.hidden * (2 if config.pixels else 1)
        self.hidden = nn.Linear(width, config.hidden)
        self.head = nn.Linear(config.hidden, config.strokes.count * 4)
        with torch.no_grad():
            self.head.weight.mul_(0.5)
            centre = (torch.rand(config.strokes.count, 1, 2) * 2 - 1) * config.strokes.spread
            ends = (centre + (torch.rand(config.strokes.count, 2, 2) - 0.5) * 0.4).clamp(-0.95, 0.95)
            self.head.bias.copy_(torch.atanh(ends).flatten())

    def draw(self, view: View, moment: Moment) -> Strokes:
        """Draw B pictures; returns strokes with points [B, N, 2, 2]."""
        return Strokes(points=self(view, moment), kind=self.config.strokes.kind)

    def forward(self, view: View, moment: Moment) -> Float[Tensor, "b n p 2"]:
        """The control points of ``draw``, [B, N, P, 2] in (-1, 1)."""
        seen = self.eye(view, moment)  # [B, D]
        if self.glance is not None:
            seen = torch.cat([seen, self.glance(view, moment)], dim=-1)
        x = torch.relu(self.hidden(torch.relu(seen)))
        return torch.tanh(self.head(x)).unflatten(-1, (self.config.strokes.count, 2, 2))
