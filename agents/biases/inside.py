"""``inside``: strokes keep to the canvas."""

from pydantic import Field

from agents.bias import Bias, Played, bias
from agents.biases._drawing import there, vertices
from raster.shapes import Float, Tensor


@bias("inside")
class Inside(Bias):
    """How far strokes stick out: ``mean_n mean_v sum_xy max(0, |v| - (1 - margin))`` over points v of what is drawn.

    In canvas units, whose edges lie at -1 and 1: 0 for a drawing that stays within the margin. It is the curve that
    counts, not its control points: those of a curve may lie outside while it does not.
    """

    margin: float = Field(0.05, ge=0, lt=1)
    """Width of the rim that stays free, canvas units."""

    def cost(self, play: Played) -> Float[Tensor, " b"]:
        drawn = vertices(play.strokes)  # [B, N, V, 2]
        beyond = (drawn.abs() - (1 - self.margin)).clamp(min=0.0).sum(-1).mean(-1)  # [B, N]
        return (beyond * there(play.strokes)).mean(-1)
