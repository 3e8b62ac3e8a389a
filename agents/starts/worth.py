"""What each stroke of a drawing is worth, and where a drawing lacks ink: both read off one gradient."""

import torch

from agents.biases._blur import blur
from agents.biases._drawing import shade
from raster.shapes import Bool, Float, Tensor

#: Pixels over which the wish for ink is averaged: a network's gradient is ragged.
_AROUND = 2.0


def worth(total: Float[Tensor, " m"], weights: Float[Tensor, "m n"]) -> Float[Tensor, "m n"]:
    """How much each drawing's cost would rise without each stroke, to first order: minus the gradient in its weight.

    (The criterion by which Molchanov et al. 2017 prune a network's channels.) Below 0 a stroke is in the way.

    Args:
        total: what the drawings cost.
        weights: a weight of 1 a stroke, with which they were drawn.
    """
    return -_slope(total, weights)


def wanting(total: Float[Tensor, " m"], canvas: Float[Tensor, "m *ink h w"]) -> Float[Tensor, "m h w"]:
    """Where more ink (of any colour: less, too) would lower the cost, and how much: not negative."""
    slope = _slope(total, canvas)
    return blur(shade(slope.abs()) if canvas.ndim == 4 else (-slope).clamp(min=0), _AROUND)


def _slope(total: Float[Tensor, " m"], at: Tensor) -> Tensor:
    """The gradient of all costs in a tensor; 0 where none of them looks at it (``inside`` sees no canvas)."""
    if not total.requires_grad:
        return torch.zeros_like(at)
    (slope,) = torch.autograd.grad(total.sum(), at, retain_graph=True, allow_unused=True, materialize_grads=True)
    return slope


def idle(worths: Float[Tensor, "m n"], share: float, below: float) -> Bool[Tensor, "m n"]:
    """Strokes that do nothing: worth less than ``below`` of the mean worth, at most ``share`` of a drawing's."""
    most = max(1, round(share * worths.shape[1]))
    useful = worths.clamp(min=0).mean(1, keepdim=True)
    rank = worths.argsort(dim=1, stable=True).argsort(dim=1, stable=True)
    return (worths < below * useful) & (rank < most)
