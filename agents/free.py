"""Strokes that are parameters themselves: a sender without eyes, whose drawings costs pull into place."""

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from pydantic import Field
from torch import nn

from agents.bias import Bias
from agents.eye import View
from agents.heads.config import StrokesConfig
from agents.heads.hand import PRESENT, carried, parts_of
from agents.moment import Moment
from raster import Strokes
from raster.shapes import Bool, Float, Tensor

#: Opacity, colour, presence and the width's share of its range start no nearer than this to their ends, where the
#: sigmoid is flat.
_KEEP_OFF = 0.02


class FreeConfig(StrokesConfig):
    """What a drawing is made of when its strokes are optimised."""

    count: int = Field(100, ge=1, le=20_000)
    """Strokes a drawing, N. An SVG start brings its own."""
    spread: float = Field(1.0, gt=0, le=1)
    """A random start strews its strokes over +-spread of the canvas."""
    paper: bool = False
    """The paper has a colour of its own too (a grey, where strokes have no colour); white otherwise."""
    beyond: float = Field(0.1, ge=0, le=1)
    """How far control points may lie outside the canvas, canvas units: what is further out no cost would pull back."""


class Free(nn.Module):
    """M drawings of N strokes as parameters.

    Points are canvas coordinates as they stand, so that a step of the optimiser is a distance; width, opacity, colour,
    presence and paper are raw numbers, made what they are by the sigmoid (``agents.heads.hand.carried``).

    Args:
        config: what is learned.
        start: where it begins, points [M, N, P, 2], of any kind. What it carries and is not learned stays as it is.
        paper: ink of the paper that is begun with, [M, C] in [0, 1], C channels; no ink if left out.

    Attributes:
        raw: the parameters by name: ``points`` [M, N, P, 2], ``width`` ``opacity`` ``presence`` [M, N, 1], ``colour``
            [M, N, 3], ``paper`` [M, C].
    """

    def __init__(self, config: FreeConfig, start: Strokes, paper: Float[Tensor, "m c"] | None = None) -> None:
        super().__init__()
        self.config, self.kind, self.knots = config, start.kind, start.knots
        drawings, count = start.batch_shape[0], start.count
        self.parts = [name for name in parts_of(config) if name != "points"]
        made = {"points": start.points.detach().clone(), **self._raw(start)}
        if config.paper:
            ink = start.points.new_zeros(drawings, config.inks) if paper is None else paper
            made["paper"] = torch.logit(ink.clamp(_KEEP_OFF, 1 - _KEEP_OFF))
        self.raw = nn.ParameterDict({name: nn.Parameter(value) for name, value in made.items()})
        self.fixed: list[str] = []
        for name in ("sigma2", "width", "opacity", "colour", "presence"):
            value = getattr(start, name)
            learned = name in self.parts or (name == "sigma2" and "width" in self.parts)
            if value is not None and not learned:
                self.register_buffer(name, value.detach().expand(drawings, count, *value.shape[2:]).clone())
                self.fixed.append(name)

    def _raw(self, strokes: Strokes) -> dict[str, Tensor]:
        """Raw numbers of what is learned beside the points, from what ``strokes`` carry or else the usual."""
        found: dict[str, Tensor] = {}
        like = strokes.points[..., 0, :1]  # [M, N, 1]
        for name in self.parts:
            value = getattr(strokes, name)
            if name == "width" and value is None and strokes.sigma2 is not None:
                value = 2 * (strokes.sigma2 * math.log(2)).sqrt()
            if value is None:
                found[name] = torch.full_like(like, 0.0 if name == "width" else PRESENT)
                found[name] = found[name].repeat_interleave(3, -1) if name == "colour" else found[name]
                continue
            if name == "width":
                assert self.config.width is not None
                low, high = self.config.width.low, self.config.width.high
                value = (value.detach() / low).log() / math.log(high / low)
            value = value.detach()[..., :3] if name == "colour" else value.detach()[..., None]
            found[name] = torch.logit(value.clamp(_KEEP_OFF, 1 - _KEEP_OFF))
        return found

    def strokes(self, training: bool = True) -> Strokes:
        """The drawings as they are now, points [M, N, P, 2]; ``training`` False makes ``presence: hard`` hard."""
        moment = Moment(0, "sender", torch.Generator(), training)
        own = carried({name: self.raw[name] for name in self.parts}, self.config, moment)
        own |= {name: getattr(self, name) for name in self.fixed}
        return Strokes(self.raw["points"], self.kind, knots=self.knots, **own)

    def paper(self) -> Float[Tensor, "m *ink 1 1"] | None:
        """The ink of each paper, [M, 1, 1], or [M, 3, 1, 1] where strokes have a colour; None for white paper."""
        if "paper" not in self.raw:
            return None
        ink = torch.sigmoid(self.raw["paper"])[..., None, None]
        return ink if self.config.inks == 3 else ink[:, 0]

    @torch.no_grad()
    def keep(self) -> None:
        """Bring control points back that went further out than ``beyond``."""
        limit = 1 + self.config.beyond
        self.raw["points"].clamp_(-limit, limit)

    @torch.no_grad()
    def replant(self, which: Bool[Tensor, "m n"], fresh: Strokes) -> None:
        """Put ``fresh`` strokes, [M, N], in the place of those that ``which`` says."""
        for name, value in {"points": fresh.points, **self._raw(fresh)}.items():
            rows = which.reshape(*which.shape, *([1] * (value.ndim - 2)))
            self.raw[name].copy_(torch.where(rows, value.to(self.raw[name]), self.raw[name]))


class FreeHand:
    """Free strokes as a player: biases move the hand as they move a sender's.

    What biases do to what a sender *sees* changes nothing here, for nobody looks.
    """

    def __init__(self, free: Free, biases: Sequence[Bias], step: int, training: bool) -> None:
        self.free, self.biases, self.step, self.training = free, biases, step, training
        self.presence: Tensor | None = None

    def weigh(self) -> Float[Tensor, "m n"]:
        """From now on strokes are drawn with a weight each, 1, [M, N], whose gradient says what each is worth."""
        self.presence = torch.ones_like(self.free.raw["points"][..., 0, 0]).requires_grad_()
        return self.presence

    def draw(self, view: View, generator: torch.Generator) -> Strokes:
        """The drawings, points [M, N, P, 2]: of these pictures already, so the view is not looked at."""
        strokes = self.free.strokes(self.training)
        moment = Moment(self.step, "sender", generator, self.training)
        for each in self.biases:
            strokes = each.move(strokes, moment)
        if self.presence is not None:
            own = self.presence if strokes.presence is None else strokes.presence * self.presence
            strokes = replace(strokes, presence=own)
        return strokes

    def paper(self) -> Float[Tensor, "m *ink 1 1"] | None:
        """The ink of each paper (``Free.paper``)."""
        return self.free.paper()
