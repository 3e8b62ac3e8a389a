"""A batch through a network in as many parts as torch has threads, each part in a thread of its own.

torch shares out each operation and its threads meet at the end of each: of small convolutions most of what a second
thread brings is lost in waking it (docs/perception.md). The pictures of a batch do not depend on each other, so here a
thread takes its pictures through the whole network, and later their gradients back.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

#: Pictures that are worth a thread.
LEAST = 8

Network = Callable[[Tensor], Sequence[Tensor]]
Given = TypeVar("Given")
Made = TypeVar("Made")

_pools: dict[int, ThreadPoolExecutor] = {}
# Threads do not survive a fork (a data loader's workers): the child makes its own.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pools.clear)


def in_parts(network: Network, x: Tensor, parameters: Iterable[nn.Parameter]) -> tuple[Tensor, ...]:
    """``network(x)``, where the network treats each row of ``x`` by itself: [B, ...] to tensors [B, ...].

    On a CPU with T torch threads and at least 2 x 8 rows these are cut into at most T parts, which are joined in their
    order: the same numbers to rounding whatever T, the same bits for the same T. Elsewhere, under a transform
    (``torch.func``, ``torch.compile``) and under autocast, whose states belong to a thread, it is the plain call.

    Args:
        network: what is called, from several threads at once.
        x: the batch. Gradients reach it; they cannot be differentiated again where it was cut.
        parameters: all that the network learns.
    """
    threads = min(torch.get_num_threads(), x.shape[0] // LEAST)
    if threads <= 1 or x.device.type != "cpu" or transformed():
        return tuple(network(x))
    learned = [parameter for parameter in parameters if parameter.requires_grad]
    if torch.is_grad_enabled() and (x.requires_grad or learned):
        joined: tuple[Tensor, ...] = _InParts.apply(network, threads, x, *learned)
        return joined
    return _joined(_each(lambda part: _unrecorded(network, part), x.chunk(threads)))


def transformed() -> bool:
    """Whether a transform (``torch.func``, ``torch.compile``) or autocast is at work, to which a plain call is owed."""
    active: bool = torch._C._are_functorch_transforms_active()  # what torch.autograd.Function asks as well
    return active or torch.compiler.is_compiling() or torch.is_autocast_enabled("cpu")


def _unrecorded(network: Network, part: Tensor) -> tuple[Tensor, ...]:
    with torch.no_grad():  # each thread has its own switch
        return tuple(network(part))


class _InParts(torch.autograd.Function):
    """Forward: each part's own graph is recorded. Backward: gone back through, each in a thread."""

    @staticmethod
    def forward(ctx: Any, network: Network, threads: int, x: Tensor, *learned: Tensor) -> tuple[Tensor, ...]:
        parts = [part.detach().requires_grad_(x.requires_grad) for part in x.chunk(threads)]

        def run(part: Tensor) -> tuple[Tensor, ...]:
            with torch.enable_grad():
                return tuple(network(part))

        ctx.made = _each(run, parts)
        ctx.parts, ctx.learned, ctx.wants_x = parts, learned, x.requires_grad
        return _joined([[tensor.detach() for tensor in made] for made in ctx.made])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        rows = [len(part) for part in ctx.parts]
        shares = zip(*(tensor.split(rows) for tensor in upstream), strict=True)

        def run(part: tuple[Tensor, tuple[Tensor, ...], tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
            x, made, share = part
            wanted = [x, *ctx.learned] if ctx.wants_x else list(ctx.learned)
            reached = [(m, s) for m, s in zip(made, share, strict=True) if m.requires_grad]
            # Kept, because the outer graph may be gone through again; it goes when that does.
            return torch.autograd.grad(
                [m for m, _ in reached],
                wanted,
                [s for _, s in reached],
                retain_graph=True,
                allow_unused=True,
                materialize_grads=True,
            )

        found = _each(run, list(zip(ctx.parts, ctx.made, shares, strict=True)))
        columns = list(zip(*found, strict=True))
        to_x = torch.cat(columns.pop(0)) if ctx.wants_x else None
        return None, None, to_x, *(torch.stack(column).sum(dim=0) for column in columns)


def _each(function: Callable[[Given], Made], given: Sequence[Given]) -> list[Made]:
    """``function`` of each, the first here and the others in threads; inside, torch's operations use one thread."""
    pool = _pools.get(len(given))
    if pool is None:
        pool = ThreadPoolExecutor(len(given) - 1, "perception", torch.set_num_threads, (1,))
        pool = _pools.setdefault(len(given), pool)
    others = [pool.submit(function, each) for each in given[1:]]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # in the pool's threads their own setting holds; MKL has one for all of them
    try:
        first = function(given[0])
    finally:
        wait(others)
        torch.set_num_threads(threads)
    return [first, *(other.result() for other in others)]


def _joined(made: Sequence[Sequence[Tensor]]) -> tuple[Tensor, ...]:
    return tuple(torch.cat(list(parts)) for parts in zip(*made, strict=True))
