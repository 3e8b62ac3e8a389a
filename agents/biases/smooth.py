"""``smooth``: strokes do not turn more than they must."""

import torch

from agents.bias import Bias, Played, bias
from agents.biases._drawing import there, vertices
from raster.shapes import Float, Tensor

_TINY = 1e-3
"""Pieces shorter than this, canvas units, have hardly a direction."""


@bias("smooth")
class Smooth(Bias):
    """How much strokes bend: ``mean_n J sum_k (1 - cos t_nk)`` over the turns t of each stroke's J joints.

    For a curve, cut into small pieces, that is half its length times the integral of its squared curvature (the
    elastica of Mumford 1994, made independent of size): pi^2 / 2 for any half circle, however large. A stroke that is
    not there (presence 0) does not count; lines and points have no joints and cost nothing.
    """

    def cost(self, play: Played) -> Float[Tensor, " b"]:
        drawn = vertices(play.strokes)  # [B, N, V, 2]
        joints = drawn.shape[-2] - 2
        if joints < 1:
            return play.canvas.new_zeros(play.canvas.shape[0])
        pieces = drawn.diff(dim=-2)
        along = pieces * torch.rsqrt(pieces.square().sum(-1, keepdim=True) + _TINY**2)  # of length 1, or a dot's 0
        turns = along.diff(dim=-2).square().sum((-2, -1)) / 2  # |a - b|^2 / 2 = 1 - cos for two of length 1
        return (joints * turns * there(play.strokes)).mean(-1)
