"""The canvas of a run, as its config says it."""

import math
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from raster.drawing import rasterise
from raster.schedule import Schedule
from raster.shapes import Float, Tensor
from raster.strokes import Strokes


class CanvasConfig(BaseModel):
    """What strokes are drawn on: a square canvas, how wide its ink is, and how strokes meet.

    ``docs/raster.md`` says how to choose ``sigma2``.

    >>> CanvasConfig(size=28).sigma2.at(0)
    0.0005
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    size: int = Field(default=64, ge=8, le=4096, description="pixels on a side")
    sigma2: Schedule = Field(
        default=Schedule.of(5e-4),
        description="squared half-width of the ink, I = exp(-d^2 / sigma2), canvas units; a number or {from, to, over}",
    )
    compose: Literal["softor", "over", "max", "sum"] = Field(
        default="softor",
        description="how strokes meet: softor 1 - prod(1 - I), over (each covers those before it), max, or sum",
    )
    response: Literal["gaussian", "linear"] = Field(
        default="gaussian",
        description="ink by distance: gaussian exp(-d^2 / sigma2), or the linear tent of the same width at half height",
    )
    reach: float | Literal["lossless", "all"] = Field(
        default="lossless",
        description="sigmas beyond which a stroke is not felt; lossless: where float32 cannot show it; all: nowhere",
    )

    @field_validator("reach")
    @classmethod
    def _felt(cls, value: float | str) -> float | str:
        if not isinstance(value, str) and not (value > 0 and math.isfinite(value)):
            raise ValueError(f"reach must be above 0 and finite, got {value:g}; 4.2 sigmas lose nothing that is seen")
        return value

    @field_validator("sigma2")
    @classmethod
    def _positive(cls, value: Schedule) -> Schedule:
        if min(value.ends) <= 0:
            raise ValueError(f"sigma2 must be above 0, got {min(value.ends):g}; 5e-4 suits 64 pixels")
        return value

    def draw(self, strokes: Strokes, step: int = 0, upon: Tensor | None = None) -> Float[Tensor, "*batch size size"]:
        """The strokes as ink in [0, 1], with the sigma2 of this training step: [*batch, size, size], or
        [*batch, 3, size, size] where they have a colour (``on_paper`` shows either).

        ``upon`` is a canvas that earlier strokes were drawn on; the result is that of drawing them all at once.

        Does not look for NaN (that would wait for a GPU at every step): a NaN in a stroke is a NaN in its
        canvas.
        """
        return rasterise(
            strokes,
            (self.size, self.size),
            sigma2=self.sigma2.at(step),
            compose=self.compose,
            response=self.response,
            reach=self.reach,
            background=upon,
            check=False,
        )
