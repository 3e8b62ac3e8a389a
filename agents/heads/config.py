"""What a hand can put on the canvas, and which head moves it, as a config says it."""

import math
from typing import Annotated, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator

from raster import Strokes

#: Control points a stroke: fixed by the primitive, or what it has where a config leaves them out.
FIXED = {"point": 1, "line": 2, "quadratic": 3}
USUAL = {"polyline": 4, "cubic": 4, "catmull-rom": 5}


class WidthRange(BaseModel):
    """Between which widths a hand can choose: those at which a stroke's ink falls to one half, canvas units."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    low: float = Field(0.02, gt=0, le=2)
    """The thinnest stroke."""
    high: float = Field(0.2, gt=0, le=2)
    """The widest stroke."""

    @model_validator(mode="after")
    def _a_range(self) -> "WidthRange":
        if self.low >= self.high:
            raise ValueError(f"a width from {self.low:g} to {self.high:g}: low must be below high")
        return self


class StrokesConfig(BaseModel):
    """What the hand puts on the canvas.

    What is not switched on is not learned and not carried: strokes are then as wide as the canvas says
    (``canvas.sigma2``), opaque, of ink without colour, and all there.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    kind: Literal["line", "point", "polyline", "quadratic", "cubic", "catmull-rom"] = "line"
    """Primitive: what the control points of a stroke mean."""
    count: int = Field(20, ge=1, le=1000)
    """Strokes a drawing, N; the most that it can have, where presence is learned."""
    points: int | None = Field(None, ge=1, le=100)
    """Control points a stroke: a polyline takes 2 or more, a cubic 4, 7, 10 ... (3 for each further piece), a
    catmull-rom 4 or more. Left out: 4, 4 and 5; a point, line or quadratic has always 1, 2 or 3."""
    spread: float = Field(0.7, gt=0, le=1)
    """An untrained sender's short strokes are strewn over +-spread of the canvas, so that all are seen."""
    width: WidthRange | None = None
    """Each stroke has a width of its own between these two; null: all as wide as the canvas's sigma2 says."""
    opacity: bool = False
    """Each stroke covers as much of the paper as the sender wants, from nothing to all."""
    colour: bool = False
    """Each stroke has a colour of its own: what it takes away of red, green and blue. The canvas has three channels."""
    smooth: bool = False
    """Of cubics of several pieces: each leaves a joint as the last one came to it. The first handle of every further
    piece is the mirror image of the handle before it, not chosen, so a piece costs four numbers in place of six."""
    presence: Literal["always", "soft", "hard"] = "always"
    """How many strokes there are. ``always``: all; ``soft``: each has a weight from 0 to 1; ``hard``: the same while it
    learns, but when a run is measured a stroke is there (weight 0.5 or more) or is not."""

    @model_validator(mode="after")
    def _as_many_points_as_the_primitive_takes(self) -> "StrokesConfig":
        if self.smooth and (self.kind != "cubic" or self.control_points < 7):
            raise ValueError(
                "smooth is how the pieces of a chain of cubics meet: say kind: cubic and points: 7, 10 ..."
            )
        if self.points is not None:
            Strokes(torch.zeros(1, self.points, 2), self.kind)  # an InputError that says how many it takes
        return self

    @property
    def control_points(self) -> int:
        """Control points a stroke, P."""
        return self.points or FIXED.get(self.kind) or USUAL[self.kind]

    @property
    def chosen(self) -> list[int]:
        """Which control points of a stroke are chosen by whoever draws; of a smooth chain, not all."""
        return [n for n in range(self.control_points) if not self.smooth or n < 4 or n % 3 != 1]

    @property
    def inks(self) -> int:
        """Channels of the canvas: 1 of ink, or 3 of coloured ink."""
        return 3 if self.colour else 1


class OnePassHead(BaseModel):
    """All strokes at once from one vector: a multilayer perceptron, as in Learning to Draw. The cheapest."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    kind: Literal["onepass"] = "onepass"


class ConnectedHead(BaseModel):
    """Points, and for every two of them whether a line joins them: strokes share their ends. Lines with a presence."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    kind: Literal["connected"] = "connected"

    def check(self, strokes: StrokesConfig) -> None:
        """Raise ValueError for strokes that are not the lines between some points."""
        if strokes.kind != "line" or strokes.presence == "always":
            what = "a connected head joins points by lines that are there or not"
            raise ValueError(f"{what}: say strokes.kind: line and strokes.presence: soft or hard")
        joined_by(strokes.count)


def joined_by(lines: int) -> int:
    """How many points have that many lines between them: 2 have 1, 3 have 3, 4 have 6, 5 have 10, ...

    Raises ValueError where no number of points has.

    >>> joined_by(10)
    5
    """
    points = (1 + math.isqrt(1 + 8 * lines)) // 2  # as many as have no more lines than that
    if points * (points - 1) // 2 != lines:
        near = f"{points * (points - 1) // 2} or {points * (points + 1) // 2}"
        raise ValueError(f"no points have {lines} lines between them: with a connected head say strokes.count: {near}")
    return points


class _Attending(BaseModel):
    """What the heads share that look at places of the picture."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    kind: Literal["recurrent", "set"]
    width: int = Field(128, ge=1)
    """Length of the vectors that attend and are attended to."""
    heads: int = Field(4, ge=1)
    """Heads of an attention; they share the width."""

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> "_Attending":
        if self.width % self.heads:
            raise ValueError(f"{self.heads} heads cannot share a width of {self.width}: take a multiple")
        return self


class RecurrentHead(_Attending):
    """Stroke after stroke: each step looks at places of the picture and at the canvas so far."""

    kind: Literal["recurrent"] = "recurrent"
    per_step: int = Field(1, ge=1)
    """Strokes drawn before the hand looks again; the price falls with it."""
    channels: tuple[Annotated[int, Field(ge=1, le=4096)], ...] = Field((16, 32), min_length=1, max_length=8)
    """Channels of the small convnet that sees the canvas so far."""


class SetHead(_Attending):
    """Strokes as a set: learned queries that attend to one another and to places of the picture, each to one stroke."""

    kind: Literal["set"] = "set"
    layers: int = Field(2, ge=1, le=64)
    """Layers, each of attention among strokes, attention to the picture, and a multilayer perceptron."""


HeadConfig = Annotated[OnePassHead | ConnectedHead | RecurrentHead | SetHead, Field(discriminator="kind")]
