"""``spread``: strokes do not pile up."""

import torch
from pydantic import Field

from agents.bias import Bias, Played, bias
from agents.biases._drawing import along, there
from raster.shapes import Float, Tensor


@bias("spread")
class Spread(Bias):
    """Strokes repel each other: ``mean_(m != n) mean_(x on m, y on n) exp(-|x - y|^2 / (2 radius^2))``.

    In [0, 1]: 1 when all strokes lie on one spot, 0 when none comes near another. Points of one stroke do not repel
    each other. A stroke that is not there (presence 0) does not count.
    """

    radius: float = Field(0.15, gt=0)
    """How near is near, canvas units."""
    samples: int = Field(3, ge=2, le=100)
    """Points that are taken along each stroke; the cost in time grows with their square."""

    def cost(self, play: Played) -> Float[Tensor, " b"]:
        strokes = play.strokes
        points = along(strokes, self.samples)  # [B, N, S, 2]
        samples = points.shape[-2]
        flat = points.flatten(-3, -2)  # [B, N S, 2]
        apart = (flat[:, :, None] - flat[:, None]).square().sum(-1)  # [B, N S, N S]
        near = torch.exp(-apart / (2 * self.radius**2)).unflatten(2, (-1, samples)).unflatten(1, (-1, samples))
        pairs = near.mean((2, 4))  # [B, N, N]
        weight = there(strokes)  # [B, N]
        apart_from_itself = 1 - torch.eye(strokes.count, dtype=pairs.dtype, device=pairs.device)
        both = weight[:, :, None] * weight[:, None] * apart_from_itself
        return (pairs * both).sum((1, 2)) / (both.sum((1, 2)) + 1e-6)
