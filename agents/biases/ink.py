"""``ink``: drawing costs."""

from pydantic import Field

from agents.bias import Bias, Played, bias
from raster.shapes import Float, Tensor


@bias("ink")
class Ink(Bias):
    """A price on ink: the mean of the canvas (over its colours too), in [0, 1], above what is free."""

    free: float = Field(0.0, ge=0, le=1)
    """Part of the canvas that may be inked at no cost."""

    def cost(self, play: Played) -> Float[Tensor, " b"]:
        return (play.canvas.mean(dim=tuple(range(1, play.canvas.ndim))) - self.free).clamp(min=0.0)
