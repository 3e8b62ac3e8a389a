"""``same-for-all``: the drawing of a thing does not depend on which photo of it was seen."""

from pydantic import Field
from torch import nn

from agents.bias import Bias, Played, bias
from agents.biases._drawing import glance
from agents.biases._memory import Memory, others
from raster.shapes import Float, Tensor


@bias("same-for-all")
class SameForAll(Bias):
    """Distance to other drawings of the same class: ``mean_j mean_q (g_q - g_jq)^2`` over those drawings j.

    g are drawings at a glance, the mean shade in q = places x places squares. The others are those of the batch and
    those remembered from earlier steps, for a pool of K classes has each of them once. 0 where there is none.
    """

    memory: int = Field(1024, ge=0, le=1_000_000)
    """Drawings that are remembered; about as many as there are classes, or more. 0: only those of the batch."""
    places: int = Field(16, ge=1, le=256)
    """Squares a side at which drawings are compared; the fewer, the more a drawing may differ in detail."""

    def keeps(self) -> nn.Module | None:
        return Memory(self.memory, self.places**2) if self.memory else None

    def remember(self, play: Played) -> None:
        if isinstance(play.kept, Memory):
            play.kept.write(glance(play.canvas, self.places), play.label)

    def cost(self, play: Played) -> Float[Tensor, " b"]:
        distance, another, alike = others(glance(play.canvas, self.places), play.label, play.kept)
        chosen = (another & alike).to(distance.dtype)
        return (distance * chosen).sum(1) / chosen.sum(1).clamp(min=1.0)
