"""Where a pen's tip may be: a rectangle of the page, or what of it an arm reaches (a ring around its foot).

A stroke is to stay within reach as a whole, and its gradient alive. Both are easy where the place is convex (a curve
lies in the hull of its control points) and impossible where it is not: the straight line between two places of a ring
may cross its hole. So a ring is covered by convex *rooms*, each the part of the page within the outer circle and
beyond a line that touches the inner one; a stroke is held in the room that lies where it does.
"""

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Annotated, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field

from raster.shapes import Bool, Float, Int, Tensor

_STRICT = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)
Mm = Annotated[float, Field(ge=-1e5, le=1e5)]

#: A place is squeezed from this part of the way to a room's wall on; nearer its middle it stays where it is.
RIM = 0.02
#: Rooms of a ring: 64 touching lines leave 0.12 % of the inner radius between them and its circle.
ROOMS = 64
_GRID = 33
_HALVINGS = 12


@dataclass(frozen=True)
class Room:
    """A rectangle of the page, and the ring that an arm reaches, if it is one; mm.

    Attributes:
        left: x of its left side; so ``top``, ``right``, ``bottom``.
        ring: (x, y, inner radius, outer radius) of an arm's ring, or None.
    """

    left: float
    top: float
    right: float
    bottom: float
    ring: tuple[float, float, float, float] | None = None

    def beyond(self, places: Float[Tensor, "*any 2"]) -> Float[Tensor, "*any"]:
        """How far each place lies outside, mm; 0 or less inside."""
        x, y = places.unbind(-1)
        out = torch.stack([self.left - x, x - self.right, self.top - y, y - self.bottom]).amax(0)
        if self.ring is not None:
            far = torch.hypot(x - self.ring[0], y - self.ring[1])
            out = torch.stack([out, far - self.ring[3], self.ring[2] - far]).amax(0)
        return out


class WholePage(BaseModel):
    """All of the page within its margins."""

    model_config = _STRICT
    kind: Literal["page"] = "page"

    def within(self, room: Room) -> Room:
        """What of ``room`` is within reach."""
        return room


class Rectangle(BaseModel):
    """A rectangle on the page, as a machine has whose bed is smaller than the sheet."""

    model_config = _STRICT
    kind: Literal["rectangle"] = "rectangle"

    left: Mm = 0.0
    """Of its left side, mm from the page's left edge."""
    top: Mm = 0.0
    """Of its upper side, mm from the page's upper edge."""
    width: float = Field(gt=0, le=1e5)
    """mm."""
    height: float = Field(gt=0, le=1e5)
    """mm."""

    def within(self, room: Room) -> Room:
        """What of ``room`` is within reach; ``ValueError`` if that is nothing."""
        left, right = max(room.left, self.left), min(room.right, self.left + self.width)
        top, bottom = max(room.top, self.top), min(room.bottom, self.top + self.height)
        if left >= right or top >= bottom:
            raise ValueError("reach: this rectangle has nothing in common with the page within its margins: move it")
        return replace(room, left=left, right=right, top=top, bottom=bottom)


class Arm(BaseModel):
    """An arm that turns around its foot and reaches a ring, as robots do; the foot may stand beside the page."""

    model_config = _STRICT
    kind: Literal["arm"] = "arm"

    x: Mm
    """Of its foot, mm from the page's left edge."""
    y: Mm
    """Of its foot, mm from the page's upper edge."""
    inner: float = Field(0.0, ge=0, le=1e5)
    """Nearer than this to its foot it cannot reach, mm."""
    outer: float = Field(gt=0, le=1e5)
    """Further than this from its foot it cannot reach, mm."""

    def within(self, room: Room) -> Room:
        """What of ``room`` is within reach, cut to what holds the ring; ``ValueError`` if that is nothing."""
        if self.inner >= self.outer:
            told = f"reach: an arm that reaches from {self.inner:g} to {self.outer:g} mm reaches nothing"
            raise ValueError(f"{told}: outer must be above inner")
        cut = replace(
            room,
            left=max(room.left, self.x - self.outer),
            right=min(room.right, self.x + self.outer),
            top=max(room.top, self.y - self.outer),
            bottom=min(room.bottom, self.y + self.outer),
            ring=(self.x, self.y, self.inner, self.outer),
        )
        if cut.left >= cut.right or cut.top >= cut.bottom or rooms_of(cut).depth <= 0:
            told = f"reach: from its foot at {self.x:g}, {self.y:g} mm the arm reaches nothing of the page"
            raise ValueError(f"{told} within its margins: move the foot, or let it reach further")
        return cut


@dataclass(frozen=True, eq=False)
class Rooms:
    """Convex rooms that cover a ``Room``; K of them, float64, mm.

    Attributes:
        room: what they cover.
        towards: from the foot of the arm to each room, unit vectors [K, 2].
        middle: a place deep inside each, [K, 2].
        depths: how far that is from the room's walls, [K], above 0.
    """

    room: Room
    towards: Float[Tensor, "k 2"]
    middle: Float[Tensor, "k 2"]
    depths: Float[Tensor, " k"]

    @property
    def depth(self) -> float:
        """The largest of the depths; 0 if there is no room."""
        return float(self.depths.amax()) if len(self.depths) else 0.0

    def of(self, places: Float[Tensor, "*any 2"]) -> Int[Tensor, "*any"]:
        """Which room lies in the direction of each place."""
        if self.room.ring is None or len(self.towards) == 1:
            return torch.zeros(places.shape[:-1], dtype=torch.long, device=places.device)
        foot = places.new_tensor(self.room.ring[:2])
        return ((places - foot) @ self.towards.to(places).T).argmax(-1)

    def gauge(self, places: Float[Tensor, "*any p 2"], which: Int[Tensor, "*any"]) -> Float[Tensor, "*any p"]:
        """How much of the way from its room's middle to the wall each place is: 1 on the wall, more beyond it."""
        room, middle = self.room, self.middle.to(places)[which][..., None, :]  # [*any 1 2]
        away, (x, y) = places - middle, middle.unbind(-1)
        right, down = away.unbind(-1)
        parts = [
            right / (room.right - x),
            -right / (x - room.left),
            down / (room.bottom - y),
            -down / (y - room.top),
        ]
        if room.ring is not None:
            foot = places.new_tensor(room.ring[:2])
            from_foot = middle - foot
            # |from_foot + away / g| = outer, solved for g.
            along, left = (away * from_foot).sum(-1), room.ring[3] ** 2 - from_foot.square().sum(-1)
            parts.append((along + (along.square() + left * away.square().sum(-1) + 1e-12).sqrt()) / left)
            if room.ring[2] > 0:
                towards = self.towards.to(places)[which][..., None, :]
                parts.append(-(away * towards).sum(-1) / ((from_foot * towards).sum(-1) - room.ring[2]))
        return torch.stack(parts).amax(0)

    def squeezed(self, places: Float[Tensor, "*any p 2"], which: Int[Tensor, "*any"]) -> Float[Tensor, "*any p 2"]:
        """Every place strictly inside its room; those off its rim stay, others move in, each at a finite slope."""
        if self.room.ring is None:  # each coordinate by itself: what sticks out to the right keeps its height
            middle = self.middle.to(places)[0]
            half = places.new_tensor([self.room.right, self.room.bottom]) - middle
            away = places - middle
            share = (away / half).abs().clamp(min=1e-6)
            return middle + away * (_squeezed(share) / share)
        middle = self.middle.to(places)[which][..., None, :]
        share = self.gauge(places, which)[..., None].clamp(min=1e-6)
        return middle + (places - middle) * (_squeezed(share) / share)

    def inwards(
        self, places: Float[Tensor, "*any p 2"], which: Int[Tensor, "*any"], anchor: Float[Tensor, "*any 2"]
    ) -> Float[Tensor, "*any 2"]:
        """By how much each group of places is shifted, from its anchor towards its room's middle, until all are inside.

        No further than the middle; 0 for those that are inside. It passes no gradient.
        """
        with torch.no_grad():
            way = self.middle.to(places)[which] - anchor  # [*any 2]
            least, most = torch.zeros_like(way[..., :1]), torch.ones_like(way[..., :1])
            inside = self.gauge(places, which).amax(-1, keepdim=True) <= 1 - 1e-5
            for _ in range(_HALVINGS):
                half = (least + most) / 2
                fits = self.gauge(places + (half * way)[..., None, :], which).amax(-1, keepdim=True) <= 1 - 1e-5
                least, most = torch.where(fits, least, half), torch.where(fits, half, most)
            return torch.where(inside, 0.0, most) * way


def _squeezed(share: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
    """Up to 1 - ``RIM`` itself; beyond, 1 - RIM / (1 + t / RIM), t being the excess: below 1, and steadily rising.

    Its slope falls with the square of the excess: not so fast that a place far outside could never come back.
    """
    excess = (share - (1 - RIM)).clamp(min=0.0)
    return torch.where(excess > 0, 1 - RIM / (1 + excess / RIM), share)


@lru_cache(maxsize=64)
def rooms_of(room: Room, least: float = 0.0) -> Rooms:
    """The convex rooms of a place: one for a rectangle or a disc, up to ``ROOMS`` for a ring.

    Only those whose middle lies at least ``least`` mm from every wall.
    """
    middle = torch.tensor([[(room.left + room.right) / 2, (room.top + room.bottom) / 2]], dtype=torch.float64)
    up = torch.tensor([[0.0, -1.0]], dtype=torch.float64)
    if room.ring is None:
        depth = min(room.right - room.left, room.bottom - room.top) / 2
        return _kept(room, up, middle, middle.new_tensor([depth]), least)
    x, y, inner, outer = room.ring
    foot = middle.new_tensor([x, y])
    across = torch.linspace(room.left, room.right, _GRID, dtype=torch.float64)
    down = torch.linspace(room.top, room.bottom, _GRID, dtype=torch.float64)
    places = torch.cartesian_prod(across, down)  # [m 2]
    walls = (places - middle.new_tensor([room.left, room.top])).amin(-1)
    walls = walls.minimum((middle.new_tensor([room.right, room.bottom]) - places).amin(-1))
    walls = walls.minimum(outer - (places - foot).norm(dim=-1))  # [m]
    if inner == 0:
        deepest = walls.argmax()[None]
        return _kept(room, up, places[deepest], walls[deepest], least)
    angle = torch.arange(ROOMS, dtype=torch.float64) * (2 * math.pi / ROOMS)
    towards = torch.stack([angle.cos(), angle.sin()], -1)  # [k 2]
    beyond = towards @ (places - foot).T - inner  # [k m]
    depths, best = beyond.minimum(walls).max(-1)
    return _kept(room, towards, places[best], depths, least)


def _kept(
    room: Room,
    towards: Float[Tensor, "k 2"],
    middle: Float[Tensor, "k 2"],
    depths: Float[Tensor, " k"],
    least: float,
) -> Rooms:
    """Those that are rooms: a place that is a hair wide holds no stroke, and its gauge is no number."""
    hair = 1e-3 * min(room.right - room.left, room.bottom - room.top)
    good: Bool[Tensor, " k"] = (depths >= least) & (depths > hair)
    return Rooms(room, towards[good], middle[good], depths[good])
