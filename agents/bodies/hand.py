"""What a body does to strokes that are meant: each becomes one that it can draw, and its gradient stays alive.

So a drawing that is optimised or learned through ``held`` needs no repair before it is plotted (``planning``).
"""

import math
from dataclasses import replace

import torch

from agents.bodies.body import Body
from agents.bodies.frame import Frame
from agents.bodies.reach import Rooms
from raster import Strokes
from raster.curves import flatten, to_bezier
from raster.shapes import Bool, Float, Int, Tensor

#: Pieces of a curve where its length is taken: their sum is never more than the length itself.
PIECES = 16
#: Of two pens of one colour the one nearer in width is taken: how much a width counts beside a colour.
_BY_WIDTH = 1e-3


def held(strokes: Strokes, body: Body, aspect: float = 1.0, as_seen: bool = False) -> Strokes:
    """Strokes as the body draws them, [*batch, n] in and out, in this order:

    - **Pen.** Each gets the pen nearest in colour (of equal ones nearest in width); width, opacity and colour become
      the pen's, and the gradient passes straight through (Bengio et al., arXiv 1308.3432). Strokes without colour stay
      so: they are drawn with the darkest pen.
    - **Presence** becomes 0 or 1, rounded, straight through; beyond ``body.strokes`` of them it is 0.
    - **Reach.** Control points are squeezed into a convex room of what is both within reach and on the canvas
      (``reach.Rooms``): those off its rim stay.
    - **Length.** What is shorter than ``body.shortest`` is stretched about its middle (a stroke without a direction
      becomes level) and shifted inwards if that made it stick out.

    Args:
        strokes: any kind; points may lie anywhere.
        body: whose hand.
        aspect: the canvas's width by its height.
        as_seen: colours are as seen on white paper (``over`` on 1), not ink (1, 1, 1 being black).
    """
    frame = body.frame(aspect)
    which = pen_of(strokes, body, frame, as_seen)  # [*batch n]
    present = kept(strokes, body)
    points = frame.to_canvas(_reached(strokes, frame.to_mm(strokes.points), body, aspect))
    drawn = replace(strokes, points=points, sigma2=None, width=None, colour=None, opacity=None)
    widths = points.new_tensor([frame.width(pen.width) for pen in body.pens])[which]
    drawn = replace(drawn, width=_through(widths, strokes.width))
    opaque = all(pen.opacity == 1 for pen in body.pens)
    if strokes.opacity is not None or not opaque:
        opacity = points.new_tensor([pen.opacity for pen in body.pens])[which]
        drawn = replace(drawn, opacity=_through(opacity, strokes.opacity))
    if strokes.colour is not None:
        inks = points.new_tensor([_ink(pen.rgb, as_seen) for pen in body.pens])[which]  # [*batch n 3]
        drawn = replace(drawn, colour=_through(inks, strokes.colour[..., :3]))
    if strokes.presence is not None or body.strokes is not None:
        drawn = replace(drawn, presence=_through(present.to(points), strokes.presence))
    return drawn


def pen_of(strokes: Strokes, body: Body, frame: Frame, as_seen: bool = False) -> Int[Tensor, "*batch n"]:
    """The number of the pen that each stroke is drawn with."""
    points = strokes.points.detach()
    seen = points.new_tensor([pen.rgb for pen in body.pens])  # [pens 3]
    if strokes.colour is None:
        colour = points.new_zeros(*strokes.batch_shape, strokes.count, 3)
    else:
        colour = strokes.colour.detach()[..., :3].to(points)
        colour = colour if as_seen else 1 - colour
    far = (colour[..., None, :] - seen).square().sum(-1)  # [*batch n pens]
    width = _width(strokes)
    if width is not None:
        widths = points.new_tensor([frame.width(pen.width) for pen in body.pens])
        far = far + _BY_WIDTH * ((width[..., None] - widths) / widths.max()).square().clamp(max=1)
    return far.argmin(-1)


def kept(strokes: Strokes, body: Body) -> Bool[Tensor, "*batch n"]:
    """Which strokes are drawn: those whose presence rounds to 1, and of those the first ``body.strokes``."""
    if strokes.presence is None:
        there = torch.ones_like(strokes.points[..., 0, 0], dtype=torch.bool)
    else:
        there = strokes.presence.detach() >= 0.5
    return there if body.strokes is None else there & (there.cumsum(-1) <= body.strokes)


def _reached(
    strokes: Strokes, places: Float[Tensor, "*batch n p 2"], body: Body, aspect: float
) -> Float[Tensor, "*batch n p 2"]:
    """Control points on the page, mm, within reach and no shorter than the shortest."""
    rooms = body.rooms(aspect)
    which = rooms.of(places.detach().mean(-2))  # [*batch n]
    places = _inside(strokes, rooms.squeezed(places, which), rooms, which)
    if body.shortest == 0 or strokes.kind == "point":
        return places
    middle = places.mean(-2, keepdim=True)
    long = length(replace(strokes, points=places))[..., None, None]  # [*batch n 1 1]
    enough = 1.001 * body.shortest
    more = enough / long.clamp(min=1e-3 * body.shortest)
    # Without a length there is no direction to stretch in; and a spline's far ends may leave the room before the little
    # between them is long enough. Both become level lines, which their middles move.
    wide = (_hull(strokes, places) - middle).square().sum(-1).amax(-1).sqrt()[..., None, None]
    odd = (long < 1e-3 * body.shortest) | (more * wide > rooms.depths.to(places)[which][..., None, None])
    count = places.shape[-2]
    level = torch.linspace(-0.5, 0.5, count, dtype=places.dtype, device=places.device)
    # A spline is drawn from its second point to its last but one.
    whole = enough * (count - 1) / (count - 3 if strokes.kind == "catmull-rom" else count - 1)
    flat = torch.stack([level * whole, torch.zeros_like(level)], -1)  # [p 2]
    stretched = middle + torch.where(odd, flat, (places - middle) * more)
    longer = torch.where(long < body.shortest, stretched, places)
    shift = rooms.inwards(_hull(strokes, longer), which, longer.detach().mean(-2))
    return _inside(strokes, longer + shift[..., None, :], rooms, which)


def _inside(
    strokes: Strokes, places: Float[Tensor, "*batch n p 2"], rooms: Rooms, which: Int[Tensor, "*batch n"]
) -> Float[Tensor, "*batch n p 2"]:
    """Strokes shrunk towards their room's middle until they are inside: a spline may leave the hull of its points."""
    most = rooms.gauge(_hull(strokes, places), which).amax(-1)[..., None, None]
    middle = rooms.middle.to(places)[which][..., None, :]
    return middle + (places - middle) / most.clamp(min=1.0)


def _hull(strokes: Strokes, places: Float[Tensor, "*batch n p 2"]) -> Float[Tensor, "*batch n c 2"]:
    """Points in whose hull each stroke lies."""
    if strokes.kind != "catmull-rom":
        return places
    return to_bezier(replace(strokes, points=places)).flatten(-3, -2)


def length(strokes: Strokes) -> Float[Tensor, "*batch n"]:
    """How long each stroke is, in the units of its points; its gradient is finite where that is nothing."""
    return (flatten(strokes, PIECES).diff(dim=-2).square().sum(-1) + 1e-12).sqrt().sum(-1)


def _width(strokes: Strokes) -> Float[Tensor, "*batch n"] | None:
    """The width at half its ink that each stroke carries, canvas units, without a gradient."""
    if strokes.width is not None:
        return strokes.width.detach()
    return None if strokes.sigma2 is None else 2 * (strokes.sigma2.detach() * math.log(2)).sqrt()


def _ink(seen: tuple[float, float, float], as_seen: bool) -> tuple[float, float, float]:
    red, green, blue = seen
    return seen if as_seen else (1 - red, 1 - green, 1 - blue)


def _through(value: Tensor, meant: Tensor | None) -> Tensor:
    """``value``, with the gradient of what was meant, if anything was."""
    return value if meant is None else value + (meant - meant.detach()).to(value)
