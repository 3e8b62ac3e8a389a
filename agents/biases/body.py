"""``body``: drawings that a real hand could draw, with its pens, on its page."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from agents.bias import Bias, Played, bias
from agents.bodies.body import Body as Hand
from agents.bodies.hand import held
from agents.bodies.shipped import body_of
from agents.moment import Moment
from raster import Schedule, Strokes
from raster.curves import flatten
from raster.shapes import Float, Tensor


@bias("body")
class Body(Bias):
    """Strokes become what a plotter or a robot can draw, and its minutes may be priced (arXiv 2201.08142).

    It holds when a run is measured too: this is the hand, not a price. The price is the time that it takes.
    """

    weight: Schedule = Schedule.of(0.0)
    """Of the price of a minute; the hand itself holds whatever its weight."""
    body: Annotated[Hand, BeforeValidator(body_of)] = Hand()
    """The hand: the word of a machine that ships (`a4-axidraw`, `hpgl`, `gcode`), or its keys."""
    aspect: float = Field(1.0, gt=0.01, lt=100)
    """The canvas's width by its height."""
    as_seen: bool = False
    """Colours are what is seen on white paper (`compose: over` on 1) and not ink."""

    def move(self, strokes: Strokes, moment: Moment) -> Strokes:
        return held(strokes, self.body, self.aspect, self.as_seen)

    def cost(self, play: Played) -> Float[Tensor, " b"]:
        """Minutes: ink and travel in the order of drawing at the body's speeds, and a lift and a lowering a stroke."""
        strokes, body = play.strokes, self.body
        drawn = body.frame(self.aspect).to_mm(flatten(strokes, 8))  # [B, N, V, 2], mm
        ink = _far(drawn.diff(dim=-2)).sum(-1)  # [B, N]
        travel = _far(drawn[:, 1:, 0] - drawn[:, :-1, -1])  # [B, N - 1]
        if strokes.presence is not None:
            ink, travel = ink * strokes.presence, travel * strokes.presence[:, 1:] * strokes.presence[:, :-1]
        lines = ink.new_full(ink.shape[:1], strokes.count) if strokes.presence is None else strokes.presence.sum(-1)
        seconds = ink.sum(-1) / body.speed + travel.sum(-1) / body.travel_speed + lines * (body.lift + body.lower)
        return seconds / 60


def _far(way: Float[Tensor, "*any 2"]) -> Float[Tensor, "*any"]:
    """Lengths, mm, with a finite gradient at 0."""
    return (way.square().sum(-1) + 1e-12).sqrt()
