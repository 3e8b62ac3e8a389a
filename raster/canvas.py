"""The canvas of a run, as its config says it."""

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
    compose: Literal["softor"] = Field(default="softor", description="how strokes meet: 1 - prod(1 - I)")

    @field_validator("sigma2")
    @classmethod
    def _positive(cls, value: Schedule) -> Schedule:
        if min(value.ends) <= 0:
            raise ValueError(f"sigma2 must be above 0, got {min(value.ends):g}; 5e-4 suits 64 pixels")
        return value

    def draw(self, strokes: Strokes, step: int = 0) -> Float[Tensor, "*batch size size"]:
        """The strokes as ink in [0, 1], with the sigma2 of this training step.

        Does not look for NaN (that would wait for a GPU at every step): a NaN in a stroke is a NaN in its
        canvas.
        """
        sigma2 = self.sigma2.at(step)
        return rasterise(strokes, (self.size, self.size), sigma2=sigma2, compose=self.compose, check=False)
