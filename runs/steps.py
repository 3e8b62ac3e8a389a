"""One optimiser step of many agents at once, each with its own state, as if each had taken it alone."""

from collections.abc import Mapping, Sequence

import torch
from torch import nn
from torch.optim.adamw import adamw

from raster.shapes import Float, Tensor


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


def step_each(optimisers: Sequence[torch.optim.Optimizer], paces: Mapping[int, Sequence[float]], lr: float) -> None:
    """Take a step of AdamW (Loshchilov & Hutter 2019) with every parameter that has a gradient, in one fused call.

    State stands where each optimiser itself would keep it, so its ``state_dict`` is what it would be.

    Args:
        optimisers: fused AdamWs with the same betas, eps and decay.
        paces: the step size of each parameter group as a part of ``lr``, by the optimiser's position.
        lr: step size.
    """
    found: dict[float, list[tuple[nn.Parameter, Tensor, Tensor, Tensor, Tensor]]] = {}
    for number, optimiser in enumerate(optimisers):
        for group, pace in zip(optimiser.param_groups, paces[number], strict=True):
            group["lr"] = lr * pace
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = optimiser.state[parameter]
                if not state:
                    state["step"] = torch.zeros((), dtype=torch.float32, device=parameter.device)
                    state["exp_avg"] = torch.zeros_like(parameter, memory_format=torch.preserve_format)
                    state["exp_avg_sq"] = torch.zeros_like(parameter, memory_format=torch.preserve_format)
                each = (parameter, parameter.grad, state["exp_avg"], state["exp_avg_sq"], state["step"])
                found.setdefault(pace, []).append(each)
    for pace, each_of in found.items():
        parameters, gradients, means, squares, steps = (list(column) for column in zip(*each_of, strict=True))
        (beta1, beta2), eps, decay = (optimisers[0].defaults[key] for key in ("betas", "eps", "weight_decay"))
        with torch.no_grad():
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
                lr=lr * pace,
                weight_decay=decay,
                eps=eps,
                maximize=False,
            )
