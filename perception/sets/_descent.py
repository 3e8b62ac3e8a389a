"""The inner loop that DSPN and iDSPN share: descend on how far a set's representation is from the wanted one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from raster.shapes import Float, Tensor

#: From sets [B, N, C] to what is descended on and the representation loss in it, both [B].
Objective = Callable[[Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True, eq=False)
class Walk:
    """Where an inner loop has come to: the sets on the way (or its ends), the gap before each step, the momentum."""

    sets: list[Tensor]
    gaps: list[Tensor]
    velocity: Tensor | None


@dataclass(frozen=True, eq=False)
class Descent:
    """Gradient descent on sets: `rate` (a 0-d tensor), Nesterov `momentum`, and `clip`, a bound of each set's gradient
    norm; `settle` is applied to the set after each step.

    The objective is summed over the batch, so a set's step does not know how many others there are.
    """

    rate: Float[Tensor, ""]
    momentum: float = 0.0
    clip: float | None = None
    settle: Callable[[Tensor], Tensor] | None = None

    def step(
        self, sets: Float[Tensor, "b n c"], grad: Float[Tensor, "b n c"], velocity: Float[Tensor, "b n c"] | None
    ) -> tuple[Float[Tensor, "b n c"], Float[Tensor, "b n c"] | None]:
        """One step against `grad`: the new sets and velocity."""
        if self.clip is not None:
            # The root's argument is kept off zero, where its own gradient (of an unrolled loop) would be NaN.
            norm = (grad.square().sum((1, 2), keepdim=True) + torch.finfo(grad.dtype).tiny).sqrt()
            grad = grad * (self.clip / norm).clamp(max=1.0)
        if self.momentum:
            velocity = grad if velocity is None else self.momentum * velocity + grad
            grad = grad + self.momentum * velocity
        after = sets - self.rate * grad
        return (after if self.settle is None else self.settle(after)), velocity

    def walk(
        self, objective: Objective, start: Float[Tensor, "b n c"], steps: int, unroll: bool, keep: bool = True
    ) -> Walk:
        """`steps` steps from `start`. Unrolled, all of them stay in the graph; else each is freed after its use.

        `keep` every set on the way, or the first and the last.
        """
        sets, gaps, velocity = [start], [], None
        with torch.enable_grad():
            for _ in range(steps):
                here = sets[-1]
                if not (unroll and here.requires_grad):
                    here = here.detach().requires_grad_()
                total, gap = objective(here)
                (grad,) = torch.autograd.grad(total.sum(), here, create_graph=unroll)
                after, velocity = self.step(here, grad, velocity)
                sets = [*(sets if keep else sets[:1]), after if unroll else after.detach()]
                gaps.append(gap if unroll else gap.detach())
                if not unroll and velocity is not None:
                    velocity = velocity.detach()
        return Walk(sets, gaps, velocity)


@contextmanager
def ordinary_tensors() -> Iterator[None]:
    """An inner loop needs gradients even where its caller has switched autograd off altogether."""
    if not torch.is_inference_mode_enabled():
        yield
        return
    with torch.inference_mode(False), torch.no_grad():
        yield


def ordinary(x: Tensor) -> Tensor:
    """A tensor that autograd may keep."""
    return x.clone() if x.is_inference() else x
