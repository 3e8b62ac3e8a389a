"""``novelty``: a drawing is unlike the others."""

import torch
from pydantic import Field
from torch import nn

from agents.bias import Bias, Played, bias
from agents.biases._drawing import glance
from agents.biases._memory import Memory, others
from raster.shapes import Float, Tensor


@bias("novelty")
class Novelty(Bias):
    """Nearness of the most alike drawings: ``(1 / k) sum_(j of the k nearest) exp(-mean_q (g_q - g_jq)^2 / near^2)``.

    After the novelty of Lehman & Stanley 2011 (distance to the k nearest), bounded: 1 for a drawing that others
    repeat, towards 0 for one like no other. g are drawings at a glance, the mean shade in q = places x places squares.
    """

    k: int = Field(5, ge=1, le=1000)
    """How many of the nearest count."""
    near: float = Field(0.1, gt=0)
    """How far in shade (root mean square) is no longer near."""
    memory: int = Field(0, ge=0, le=1_000_000)
    """Drawings of earlier steps that count too; 0: only those of the batch."""
    own_class: bool = True
    """Drawings of the same class count; false leaves them out, so that one word may serve for a thing."""
    places: int = Field(16, ge=1, le=256)
    """Squares a side at which drawings are compared."""

    def keeps(self) -> nn.Module | None:
        return Memory(self.memory, self.places**2) if self.memory else None

    def remember(self, play: Played) -> None:
        if isinstance(play.kept, Memory):
            play.kept.write(glance(play.canvas, self.places), play.label)

    def cost(self, play: Played) -> Float[Tensor, " b"]:
        distance, another, alike = others(glance(play.canvas, self.places), play.label, play.kept)
        chosen = another if self.own_class else another & ~alike
        near = torch.exp(-distance / self.near**2) * chosen
        return near.topk(min(self.k, near.shape[1]), dim=1).values.sum(1) / self.k
