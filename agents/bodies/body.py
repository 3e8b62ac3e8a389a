"""What a hand can do: its page, its pens, how far it reaches, how fast it is. Lengths in mm, times in seconds.

Places on the page are (x, y) in mm from its top left corner, x right and y down, whatever a machine's own axes are.
Physically Embodied Deep Image Optimisation (Mihai & Hare, arXiv 2201.08142) sends optimised strokes to such a hand.
"""

from dataclasses import replace
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic.json_schema import JsonSchemaValue

from agents.bodies.frame import Frame
from agents.bodies.reach import Arm, Rectangle, Room, Rooms, WholePage, rooms_of
from raster import InputError

STRICT = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)
LARGEST = 10_000.0
"""The longest side of a page, mm."""
#: Times its length: further from a short curve's middle its control points hardly ever lie.
_BENT = 4


class Margins(BaseModel):
    """Rims of the page that the pen's tip does not enter, mm; one number stands for all four."""

    model_config = STRICT

    left: float = Field(10.0, ge=0)
    """At the left edge."""
    right: float = Field(10.0, ge=0)
    """At the right edge."""
    top: float = Field(10.0, ge=0)
    """At the upper edge."""
    bottom: float = Field(10.0, ge=0)
    """At the lower edge."""

    @model_validator(mode="before")
    @classmethod
    def _from_number(cls, value: Any) -> Any:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return dict.fromkeys(("left", "right", "top", "bottom"), value)
        return value

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: Any) -> JsonSchemaValue:
        sides = handler.resolve_ref_schema(handler(core_schema))
        return {"anyOf": [{"type": "number", "minimum": 0}, sides], "title": "Margins"}


class Page(BaseModel):
    """The sheet of paper."""

    model_config = STRICT

    width: float = Field(210.0, gt=0, le=LARGEST)
    """From left to right, mm; the default is A4, upright."""
    height: float = Field(297.0, gt=0, le=LARGEST)
    """From top to bottom, mm."""
    margins: Margins = Margins()
    """Rims that stay free, mm: one number, or `{left, right, top, bottom}`."""

    @model_validator(mode="after")
    def _something_is_left(self) -> "Page":
        for one, other, length, sides in (
            (self.margins.left, self.margins.right, self.width, "wide"),
            (self.margins.top, self.margins.bottom, self.height, "high"),
        ):
            if one + other >= length:
                told = f"margins of {one:g} and {other:g} mm leave nothing of a page {length:g} mm {sides}"
                raise ValueError(f"{told}: make them smaller")
        return self


class Pen(BaseModel):
    """One pen: a line of it has one width, one colour, one opacity."""

    model_config = STRICT

    name: str = Field("pen", pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,39}$")
    """What the person who changes pens reads."""
    width: float = Field(0.5, gt=0)
    """Of its line, mm. The drawing's ink is as wide at half its height (full width at half maximum)."""
    colour: str = Field("#000000", pattern=r"^#[0-9a-fA-F]{6}$")
    """Of its line as it is seen on white paper, `#rrggbb`."""
    opacity: float = Field(1.0, gt=0, le=1)
    """How much of the paper a line of it covers."""

    @property
    def rgb(self) -> tuple[float, float, float]:
        """The colour as it is seen: red, green, blue in [0, 1]."""
        red, green, blue = bytes.fromhex(self.colour[1:])
        return red / 255, green / 255, blue / 255


class Body(BaseModel):
    """A hand with pens over a page: what it can draw, and how long that takes."""

    model_config = ConfigDict(**STRICT, title="Hand")  # in docs/config.md, beside the bias that is called Body

    page: Page = Page()
    """The sheet."""
    pens: tuple[Pen, ...] = Field((Pen(name="black"),), min_length=1, max_length=64)
    """What it holds, in the order in which pens are taken up."""
    reach: Annotated[WholePage | Rectangle | Arm, Field(discriminator="kind")] = WholePage()
    """How far it reaches, beside the margins."""
    strokes: int | None = Field(None, ge=1)
    """The most strokes that it draws; null: any number."""
    shortest: float = Field(0.5, ge=0)
    """The shortest stroke that it draws, mm (a point is a dot, and may be drawn)."""
    speed: float = Field(25.0, gt=0)
    """With the pen on the paper, mm a second."""
    travel_speed: float = Field(75.0, gt=0)
    """With the pen lifted, mm a second."""
    lift: float = Field(0.15, ge=0)
    """To lift the pen, seconds."""
    lower: float = Field(0.15, ge=0)
    """To lower it, seconds."""
    change: float = Field(30.0, ge=0)
    """To change it, seconds."""
    home: tuple[float, float] | None = None
    """Where the lifted pen comes from and goes back to, mm on the page; null: it starts and ends at the drawing."""

    @field_validator("pens")
    @classmethod
    def _names_differ(cls, pens: tuple[Pen, ...]) -> tuple[Pen, ...]:
        names = [pen.name for pen in pens]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"two pens are called {twice!r}: give each a name of its own")
        return pens

    @model_validator(mode="after")
    def _can_draw(self) -> "Body":
        page = self.page
        for number, pen in enumerate(self.pens):
            if pen.width >= min(page.width, page.height):
                told = f"pens.{number}: a pen {pen.width:g} mm wide on a page of {page.width:g} x {page.height:g} mm"
                raise ValueError(f"{told}: take a finer one")
        if self.home is not None and not (0 <= self.home[0] <= page.width and 0 <= self.home[1] <= page.height):
            raise ValueError(f"home at {self.home[0]:g}, {self.home[1]:g} mm lies off the page: move it onto it")
        depth = rooms_of(self.room()).depth
        if _BENT * self.shortest > depth:
            told = f"shortest: no stroke under {self.shortest:g} mm, where the pen has {depth:.3g} mm to every side"
            raise ValueError(f"{told}: say at most a quarter of that, or give it more room")
        return self

    def room(self, aspect: float | None = None) -> Room:
        """Where the pen's tip may be: within the margins, half a pen's width from every edge, and within reach.

        With ``aspect``, what of that lies on a canvas of this width by its height: what nobody sees there is not drawn.
        Raises ``ValueError`` if that is nowhere.
        """
        margins, half = self.page.margins, max(pen.width for pen in self.pens) / 2
        left, top = max(margins.left, half), max(margins.top, half)
        right, bottom = self.page.width - max(margins.right, half), self.page.height - max(margins.bottom, half)
        if left >= right or top >= bottom:
            raise ValueError("the widest pen and the margins leave no place on the page: take a finer pen")
        room = self.reach.within(Room(left, top, right, bottom))
        if aspect is None:
            return room
        frame, (across, down) = self.frame(aspect), _half(aspect)
        return replace(
            room,
            left=max(room.left, frame.x - across * frame.scale),
            right=min(room.right, frame.x + across * frame.scale),
            top=max(room.top, frame.y - down * frame.scale),
            bottom=min(room.bottom, frame.y + down * frame.scale),
        )

    def rooms(self, aspect: float = 1.0) -> Rooms:
        """The convex rooms that cover ``room(aspect)``, each wide enough for the shortest stroke, however that bends.

        Raises ``InputError`` if there is none: the canvas lies where an arm does not reach.
        """
        found = rooms_of(self.room(aspect), _BENT * self.shortest)
        if not len(found.depths):
            told = f"a canvas {aspect:g} times as wide as high has no place within reach"
            raise InputError(f"{told} for strokes of {self.shortest:g} mm", "body", "change reach, margins or shortest")
        return found

    def seconds(self, ink: float, travel: float, lines: int, changes: int = 0) -> float:
        """How long so many mm of ink and of travel take, with so many lines and changes of pens, at steady speeds."""
        hands = lines * (self.lift + self.lower) + changes * self.change
        return ink / self.speed + travel / self.travel_speed + hands

    def frame(self, aspect: float = 1.0) -> Frame:
        """How a canvas of this width by its height lies on the page: as large as fits, in the middle of the room."""
        room, (across, down) = self.room(), _half(aspect)
        scale = min((room.right - room.left) / (2 * across), (room.bottom - room.top) / (2 * down))
        return Frame(scale, (room.left + room.right) / 2, (room.top + room.bottom) / 2)


def _half(aspect: float) -> tuple[float, float]:
    """Half a canvas's width and height, canvas units: 1 on the short side."""
    return max(aspect, 1.0), max(1 / aspect, 1.0)
