"""How large a step is, and one step of many agents at once, each with its own state, as if it had taken it alone."""

import math
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import nn
from torch.optim.adamw import adamw

from perception import Trunk
from raster.shapes import Bool, Float, Tensor


@runtime_checkable
class Schedule(Protocol):
    """The keys of a config that a step size hangs on."""

    @property
    def steps(self) -> int: ...
    @property
    def lr(self) -> float: ...
    @property
    def warmup(self) -> int: ...
    @property
    def flat(self) -> float: ...
    @property
    def floor(self) -> float: ...


def lr_at(train: Schedule, step: int) -> float:
    """The step size at ``step`` (0-based): linear warm-up, flat, then a cosine down to ``floor``."""
    if step < train.warmup:
        return train.lr * (step + 1) / train.warmup
    start = max(train.warmup, int(train.flat * train.steps))
    if step < start:
        return train.lr
    done = (step - start) / max(1, train.steps - start)
    return train.lr * (train.floor + (1 - train.floor) * 0.5 * (1 + math.cos(math.pi * done)))


def by_pace(module: nn.Module) -> dict[float, list[nn.Parameter]]:
    """A module's parameters by their step size as a part of the run's: 1 but for trunks that are learned on."""
    slow = {
        id(parameter): each.pace
        for each in module.modules()
        if isinstance(each, Trunk) and each.pace is not None
        for parameter in each.parameters()
    }
    groups: dict[float, list[nn.Parameter]] = {}
    for parameter in module.parameters():
        groups.setdefault(slow.get(id(parameter), 1.0), []).append(parameter)
    return groups


def means_of(each: Bool[Tensor, "m b"] | Float[Tensor, "m b"]) -> Float[Tensor, " m"]:
    """The mean of each row; in float64 of what is no floating point number."""
    return (each if each.is_floating_point() else each.double()).mean(dim=1)


def clip_each(groups: Sequence[Sequence[Tensor]], clip: float) -> None:
    """Scale the gradients of each group down, in place, to at most the norm ``clip``: ``clip_grad_norm_`` for many.

    Args:
        groups: the gradients of one agent each, all on one device.
        clip: the norm.
    """
    if not groups:
        return
    flat = [gradient for group in groups for gradient in group]
    norms = torch.stack(torch._foreach_norm(flat))  # one for each tensor
    owner = torch.repeat_interleave(torch.tensor([len(group) for group in groups])).to(norms.device)
    total: Float[Tensor, " g"] = norms.new_zeros(len(groups)).index_add(0, owner, norms.square()).sqrt()
    scale = (clip / (total + 1e-6)).clamp(max=1.0)
    torch._foreach_mul_(flat, list(scale[owner].unbind()))


def step_each(optimisers: Sequence[torch.optim.Optimizer]) -> None:
    """Take a step of AdamW (Loshchilov & Hutter 2019) with every parameter that has a gradient, in one fused call.

    State stands where each optimiser itself would keep it, so its ``state_dict`` is what it would be.

    Args:
        optimisers: fused AdamWs with the same betas, eps and decay; each of their parameter groups has its own step
            size (``lr``).
    """
    found: dict[float, list[tuple[nn.Parameter, Tensor, Tensor, Tensor, Tensor]]] = {}
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = optimiser.state[parameter]
                if not state:
                    state["step"] = torch.zeros((), dtype=torch.float32, device=parameter.device)
                    state["exp_avg"] = torch.zeros_like(parameter, memory_format=torch.preserve_format)
                    state["exp_avg_sq"] = torch.zeros_like(parameter, memory_format=torch.preserve_format)
                each = (parameter, parameter.grad, state["exp_avg"], state["exp_avg_sq"], state["step"])
                found.setdefault(group["lr"], []).append(each)
    for lr, each_of in found.items():
        parameters, gradients, means, squares, steps = (list(column) for column in zip(*each_of, strict=True))
        adamw_of(optimisers[0], parameters, gradients, means, squares, steps, lr)


@torch.no_grad()
def adamw_of(
    optimiser: torch.optim.Optimizer,
    parameters: list[Tensor],
    gradients: list[Tensor],
    means: list[Tensor],
    squares: list[Tensor],
    steps: list[Tensor],
    lr: float,
) -> None:
    """One fused step of AdamW, in place, with the betas, epsilon and decay of an optimiser.

    Args:
        optimiser: whose constants.
        parameters: what moves; ``gradients``, ``means`` and ``squares`` (their first and second moments) have their
            shapes.
        steps: how many steps each has taken, scalars, which are counted on.
        lr: the step size.
    """
    (beta1, beta2), eps, decay = (optimiser.defaults[key] for key in ("betas", "eps", "weight_decay"))
    adamw(
        parameters,
        gradients,
        means,
        squares,
        [],
        steps,
        fused=True,
        amsgrad=False,
        beta1=beta1,
        beta2=beta2,
        lr=lr,
        weight_decay=decay,
        eps=eps,
        maximize=False,
    )
