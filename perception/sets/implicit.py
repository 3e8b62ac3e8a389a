"""Implicit DSPN: the inner loop's end is differentiated, not its way."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import nn

from perception.sets._descent import Descent, Objective, ordinary, ordinary_tensors
from perception.sets.decoded import Decoded, noise
from perception.sets.dspn import InnerLoop
from perception.sets.elements import at_least_one, cleaned
from perception.sets.encoders import SetEncoder
from raster.errors import InputError
from raster.shapes import Bool, Float, Tensor


class ImplicitDSPN(InnerLoop):
    """A vector to a set as `DSPN`, with momentum, a random start, and memory that does not grow with T.

    ``[B, latent] -> sets [B, slots, channels]``; presence is a plain channel, the last. T - 1 steps leave no graph; the
    gradient g of the inner objective at the last one does, and the answer's gradient is taken by the implicit function
    theorem, ``dY/dtheta = -H^-1 dg/dtheta``, where H is the objective's Hessian in the set.

    `solver`: ``"identity"`` takes H for the identity, as the paper does: its gradients are small and their scale means
    little, so train with Adam. ``"conjugate"`` solves with H itself by `solver_steps` steps of conjugate gradient on
    ``H + damping I``: exact where the inner loop has converged and H is regular, and `solver_steps` times the cost.

    The start is N(0, 0.1^2), anew at each call (a start of zeros stands still: its ReLUs are closed); or
    ``start="learned"``, which adds ``0.1 / 2 |Y - Y0|^2`` to the objective, without which an implicit gradient would
    not reach it. `trace="ends"` keeps only the first and the last set (the T + 1 sets of a trace are small, but they
    are the one thing here that grows with T).

    **Equal elements can be driven apart**: the gradient through a stable sort treats duplicates by their slot, so the
    answer is multiset-equivariant and not set-equivariant. It holds for the FSPool encoders (hard sort), not for
    `DeepSets` or `SetTransformer`.

    Source: Zhang et al., Multiset-Equivariant Set Prediction with Approximate Implicit Differentiation (ICLR 2022):
    0.5 MSE (sum over the batch, mean over the latent), Nesterov 0.9, each set's gradient norm clipped at 10. Its step
    is 1 for a latent of 512; at 128 that hardly moves an element and 10 does. `tune_rate` finds what fits.
    """

    def __init__(
        self,
        latent: int,
        slots: int,
        channels: int,
        encoder: SetEncoder | None = None,
        steps: int = 20,
        rate: float = 10.0,
        momentum: float = 0.9,
        clip: float = 10.0,
        start: Literal["random", "learned"] = "random",
        solver: Literal["identity", "conjugate"] = "identity",
        solver_steps: int = 10,
        damping: float = 1e-3,
        distance: Literal["smooth_l1", "mse"] = "mse",
        trace: Literal["all", "ends"] = "all",
    ) -> None:
        super().__init__(latent, slots, channels, encoder, distance, steps, rate)
        at_least_one(solver_steps=solver_steps)
        if not (0 <= momentum < 1 and clip > 0 and damping >= 0):
            raise InputError(
                f"momentum {momentum}, clip {clip}, damping {damping}",
                None,
                "momentum lies in [0, 1), clip is above 0, damping 0 or more",
            )
        self.momentum, self.clip = momentum, clip
        self.solver, self.solver_steps, self.damping, self.keep = solver, solver_steps, damping, trace
        self.start = nn.Parameter(0.1 * torch.randn(slots, channels)) if start == "learned" else None

    def forward(
        self,
        z: Float[Tensor, "b l"],
        mask: Bool[Tensor, "b n"] | None = None,
        generator: torch.Generator | None = None,
        *,
        start: Float[Tensor, "b n c"] | None = None,
        steps: int | None = None,
    ) -> Decoded:
        """The set that `z` describes. `start` and `steps` replace the module's own for this call."""
        steps = self.steps if steps is None else steps
        at_least_one(steps=steps)
        with ordinary_tensors():
            z, mask = ordinary(z), None if mask is None else ordinary(mask)
            wanted = torch.is_grad_enabled()
            if start is None and self.start is not None:
                start = self.start.expand(z.shape[0], -1, -1)
            elif start is None:
                start = 0.1 * noise(z, (self.slots, self.channels), generator)
            start = cleaned(start, mask)
            descent = Descent(self.rate, self.momentum, self.clip)
            objective = self._objective(z.detach(), mask, start.detach())
            walk = descent.walk(objective, start.detach(), steps - 1, False, self.keep == "all")
            here = walk.sets[-1].detach().requires_grad_()
            with torch.enable_grad():
                total, gap = self._objective(z, mask, start)(here)
                (grad,) = torch.autograd.grad(total.sum(), here, create_graph=wanted)
            with torch.no_grad():
                sets, _ = descent.step(here, grad, walk.velocity)
            path = [*walk.sets, sets]
            if wanted:
                if self.solver == "conjugate":
                    self._solve_on_the_way_back(grad, here.detach(), z.detach(), mask, start.detach())
                # The value is the last iterate's; the gradient is that of -g.
                sets = sets + (grad.detach() - grad)
            trace = torch.stack(path if self.keep == "all" else [path[0], path[-1]]).detach()
            return Decoded(sets, trace, torch.stack([*walk.gaps, gap.detach()]), sets[None])

    def _objective(self, z: Tensor, mask: Tensor | None, start: Tensor) -> Objective:
        def objective(sets: Tensor) -> tuple[Tensor, Tensor]:
            gap = self.gap(sets, z, mask)
            if self.start is None:
                return gap, gap
            return gap + 0.05 * (sets - start).square().sum((1, 2)), gap

        return objective

    def _solve_on_the_way_back(self, grad: Tensor, here: Tensor, z: Tensor, mask: Tensor | None, start: Tensor) -> None:
        """Put H^-1 between the answer and g: when a gradient comes back through g, solve for it first."""

        def solve(v: Tensor) -> Tensor:
            with torch.enable_grad():
                sets = here.requires_grad_()
                total, _ = self._objective(z, mask, start)(sets)
                (g,) = torch.autograd.grad(total.sum(), sets, create_graph=True)

            def hessian(x: Tensor) -> Tensor:
                (product,) = torch.autograd.grad(g, sets, x, retain_graph=True)
                return product + self.damping * x

            return conjugate_gradient(hessian, v, self.solver_steps)

        grad.register_hook(solve)


def conjugate_gradient(
    matrix: Callable[[Tensor], Tensor], right: Float[Tensor, "b n c"], steps: int
) -> Float[Tensor, "b n c"]:
    """Solve ``matrix(x) = right`` for a symmetric positive matrix that does not mix the sets of a batch.

    A fixed number of steps and no look at a value; a set that is solved already stays as it is.
    """
    tiny = torch.finfo(right.dtype).tiny
    x, residual, way = torch.zeros_like(right), right, right
    square = residual.square().sum((1, 2), keepdim=True)
    for _ in range(steps):
        along = matrix(way)
        size = square / (way * along).sum((1, 2), keepdim=True).clamp(min=tiny)
        size = torch.where(square > tiny, size, 0.0)
        x, residual = x + size * way, residual - size * along
        after = residual.square().sum((1, 2), keepdim=True)
        way = residual + torch.where(square > tiny, after / square.clamp(min=tiny), 0.0) * way
        square = after
    return x
