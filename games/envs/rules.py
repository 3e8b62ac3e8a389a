"""What an environment's game is: who may do what, how long, and for which reward."""

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from games.pictures import Gallery, PicturesConfig, load_gallery
from games.referential import Referential
from perception import Trunks
from raster import CanvasConfig, InputError, Schedule, Strokes
from raster.shapes import Float, Tensor

#: Control points a stroke where ``points`` is left out.
USUAL = {"point": 1, "line": 2, "polyline": 4, "quadratic": 3, "cubic": 4, "catmull-rom": 5}


class Hand(BaseModel):
    """What the sender of an environment puts on the canvas in one turn, and how actions become it.

    An action holds D numbers a stroke, each in [-1, 1]: x and y of every control point in canvas coordinates, then the
    width, the opacity, the colour (3) and the presence, as far as they are switched on.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    kind: Literal["line", "point", "polyline", "quadratic", "cubic", "catmull-rom"] = "line"
    """Primitive: what the control points of a stroke mean."""
    count: int = Field(8, ge=1, le=1000)
    """Strokes a turn, N."""
    points: int | None = Field(None, ge=1, le=100)
    """Control points a stroke; left out: what the primitive has, 4 for a polyline or cubic, 5 for a catmull-rom."""
    width: tuple[float, float] | None = None
    """The thinnest and the widest stroke, canvas units, in equal ratios between; null: as wide as the canvas says."""
    opacity: bool = False
    """Each stroke says how much of the paper it covers, from nothing to all."""
    colour: bool = False
    """Each stroke says what it takes away of red, green and blue. The canvas has three channels."""
    presence: Literal["always", "soft", "hard"] = "always"
    """Whether a stroke is there: always; by a weight from 0 to 1; or not at all below 0 and wholly from 0 on."""

    @model_validator(mode="after")
    def _can_be_drawn(self) -> "Hand":
        Strokes(torch.zeros(1, self.control_points, 2), self.kind)  # an InputError that says how many points it takes
        if self.width is not None and not 0 < self.width[0] < self.width[1] <= 2:
            low, high = self.width
            raise ValueError(f"a width from {low:g} to {high:g}: both above 0 and up to 2, the first below the second")
        return self

    @property
    def control_points(self) -> int:
        """Control points a stroke, P."""
        return self.points or USUAL[self.kind]

    @property
    def numbers(self) -> int:
        """Numbers of an action for each stroke, D."""
        carried = (self.width is not None) + self.opacity + 3 * self.colour + (self.presence != "always")
        return 2 * self.control_points + carried

    def strokes(self, action: Float[Tensor, "*batch n d"]) -> Strokes:
        """Actions of D numbers a stroke, clipped to [-1, 1], as strokes."""
        action = action.clamp(-1, 1)
        split = 2 * self.control_points
        points = action[..., :split].unflatten(-1, (self.control_points, 2))
        rest = list(((action[..., split:] + 1) / 2).unbind(-1))  # [*batch, n] each, in [0, 1]
        width = opacity = colour = presence = None
        if self.width is not None:
            low, high = self.width
            width = low * (high / low) ** rest.pop(0)
        if self.opacity:
            opacity = rest.pop(0)
        if self.colour:
            colour = torch.stack([rest.pop(0) for _ in range(3)], dim=-1)
        if self.presence != "always":
            presence = rest.pop(0)
        if self.presence == "hard" and presence is not None:
            presence = (presence >= 0.5).to(action.dtype)
        return Strokes(points, self.kind, width=width, opacity=opacity, colour=colour, presence=presence)


class Rules(BaseModel):
    """A game of turns: the sender adds strokes to one canvas, the receiver picks a candidate or waits for more.

    With one turn that is the referential game, and nobody waits.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    game: Referential = Referential(candidates=5)
    """What is dealt: how many candidates, and what the target is. (Its loss plays no part here.)"""
    hand: Hand = Hand()
    """What the sender draws in a turn."""
    canvas: CanvasConfig = CanvasConfig(size=32, sigma2=Schedule.of(2e-3))
    """What is drawn on, with the ink of step 0."""
    turns: int = Field(1, ge=1, le=1000)
    """After so many turns of the sender a receiver that goes on waiting ends the game without a pick, T."""
    price: float = Field(0.0, ge=0)
    """What it costs both to look at the canvas once, the last time included."""

    @property
    def may_wait(self) -> bool:
        """Whether the receiver has an action more than there are candidates: to wait."""
        return self.turns > 1

    @classmethod
    def of(cls, game: str, changes: "Rules | Mapping[str, Any] | None" = None) -> "Rules":
        """The usual rules of ``referential`` or ``pictionary`` with ``changes`` laid on top, key by key.

        Raises:
            InputError: no such game, or a key or value that does not fit, all told in one line.
        """
        if isinstance(changes, Rules):
            return changes
        if game not in _USUAL:
            raise InputError(f"no game {game!r}", "game", f"one of {', '.join(_USUAL)}")
        return _valid(cls, _laid_on(_USUAL[game].model_dump(), changes or {}), "rules")


_USUAL = {
    "referential": Rules(),
    "pictionary": Rules(turns=4, price=0.05, hand=Hand(count=2)),
}


def pictures_of(pictures: Gallery | Mapping[str, Any] | BaseModel | None) -> Gallery:
    """A gallery as it is, or the one that a config's ``pictures`` describe (32 px digits when left out).

    Equal configs share one gallery, for there may be many environments.

    Raises:
        InputError: a wrong key, or pictures that cannot be had, in one line.
    """
    if isinstance(pictures, Gallery):
        return pictures
    if isinstance(pictures, BaseModel):
        return _load(pictures.model_dump_json())
    given = dict(pictures or {"kind": "digits", "size": 32})
    config: BaseModel = _valid(PicturesConfig, given, "pictures")
    return _load(config.model_dump_json())


@lru_cache(maxsize=4)
def _load(config: str) -> Gallery:
    return load_gallery(TypeAdapter(PicturesConfig).validate_json(config), Trunks())


def _laid_on(under: Mapping[str, Any], top: Mapping[str, Any]) -> dict[str, Any]:
    laid = dict(under)
    for key, value in top.items():
        below = laid.get(key)
        value = value.model_dump() if isinstance(value, BaseModel) else value
        laid[key] = _laid_on(below, value) if isinstance(below, dict) and isinstance(value, Mapping) else value
    return laid


def _valid(kind: Any, given: Mapping[str, Any], where: str) -> Any:
    try:
        return TypeAdapter(kind).validate_python(dict(given))
    except ValidationError as error:
        told = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
        raise InputError("; ".join(told), where, "docs/envs.md has the keys") from None


def strokes_a_turn(strokes: int, turns: int) -> int:
    """How many strokes of a drawing are laid down in each of ``turns`` turns, the last perhaps fewer."""
    return math.ceil(strokes / turns)
