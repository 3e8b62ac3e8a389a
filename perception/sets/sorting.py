"""Sorting each channel of a set by itself, hard or relaxed, and the way back."""

from dataclasses import dataclass
from typing import Any

import torch

from raster.shapes import Bool, Float, Int, Tensor, UInt8

FEW = 32
"""Elements up to which comparing all pairs is cheaper than a sort."""


@dataclass(frozen=True, eq=False)
class Order:
    """Which element came where, for each channel: by index (a hard sort) or by weights (a relaxed one).

    Attributes:
        index: [B, N, C], the element at each rank; None after a relaxed sort.
        weights: [B, C, N, N], how much of each element (last) a rank is made of; None after a hard sort.
    """

    index: Int[Tensor, "b n c"] | None
    weights: Float[Tensor, "b c n n"] | None

    def restore(self, ranked: Float[Tensor, "b n c"]) -> Float[Tensor, "b n c"]:
        """Values by rank, given back to the elements that had those ranks (the transposed permutation)."""
        if self.weights is not None:
            return torch.einsum("bcij,bic->bjc", self.weights, ranked)
        assert self.index is not None
        return ranked.gather(1, self.index.argsort(1))


def sort(x: Float[Tensor, "b n c"], mask: Bool[Tensor, "b n"] | None = None) -> tuple[Float[Tensor, "b n c"], Order]:
    """Each channel in descending order; elements outside the mask come last, as zeros.

    Stable: equal values keep the order of their slots. Equal elements so come to *different* ranks, and a gradient
    through the sort can drive them apart (the exclusive multiset-equivariance of iDSPN).
    """
    if mask is None:
        ranked, index = x.sort(dim=1, descending=True, stable=True)
        return ranked, Order(index, None)
    ranked, index = x.masked_fill(~mask[..., None], -torch.inf).sort(dim=1, descending=True, stable=True)
    return torch.where(_inside(mask)[..., None], ranked, 0.0), Order(index, None)


def ranks(x: Float[Tensor, "b n c"], mask: Bool[Tensor, "b n"] | None = None) -> Int[Tensor, "b n c"]:
    """Where `sort` puts each value: its place from 0 in the descending order of its channel, ties by slot.

    It has no gradient. On the CPU small sets are ranked by comparing every pair, compiled at its first use: ten
    elements in a fifteenth of the time of a sort.
    """
    x = x.detach() if mask is None else x.detach().masked_fill(~mask[..., None], -torch.inf)
    if not _few(x):
        return x.sort(dim=1, descending=True, stable=True).indices.argsort(1)
    return _places(x).long()


def by_rank(
    weights: Float[Tensor, "#b n c"], x: Float[Tensor, "b n c"], mask: Bool[Tensor, "b n"] | None = None
) -> Float[Tensor, "b n c"]:
    """For each value of `x` the weight of the rank that it has in its channel (`ranks`), [B, N, C].

    Differentiable in the weights, as often as wanted; the ranks have no gradient. On the CPU small sets without a mask
    take compiled code that makes no index of eight bytes a number: this is asked in every inner step of a DSPN.
    """
    if mask is not None or not _few(x) or x.dtype != weights.dtype:
        return weights.expand_as(x).gather(1, ranks(x, mask))
    picked: Tensor = _Picked.apply(weights[0], _places(x.detach()))
    return picked


def relaxed_sort(
    x: Float[Tensor, "b n c"], mask: Bool[Tensor, "b n"] | None = None, temperature: float = 1.0
) -> tuple[Float[Tensor, "b n c"], Order]:
    """The sort made continuous: each rank a softmax-weighted mean of the elements, the hard sort as temperature -> 0.

    Row i of n of the weights is ``softmax(((n + 1 - 2 i) x - A 1) / temperature)`` with ``A_jk = |x_j - x_k|``.
    Equal elements get equal weights and equal gradients: this sort breaks no ties. N^2 numbers a channel.

    Source: Grover et al., Stochastic Optimization of Sorting Networks via Continuous Relaxations (ICLR 2019),
    as FSPool (ICLR 2020) uses it in its auto-encoders.
    """
    values = x.transpose(1, 2)  # [B, C, N]
    n = x.new_full((x.shape[0], 1, 1, 1), float(x.shape[1]))
    apart = (values[..., :, None] - values[..., None, :]).abs()  # [B, C, N, N]
    if mask is not None:
        n = mask.sum(1).to(x.dtype)[:, None, None, None]
        apart = apart * mask[:, None, None, :]
    rank = torch.arange(1, x.shape[1] + 1, device=x.device, dtype=x.dtype)[:, None]  # [N, 1]
    logits = (n + 1 - 2 * rank) * values[..., None, :] - apart.sum(-1)[..., None, :]  # rank, element: [B, C, N, N]
    if mask is not None:
        # Not -inf: a set of no element would have a softmax over nothing.
        logits = logits.masked_fill(~mask[:, None, None, :], torch.finfo(x.dtype).min / 2 * min(temperature, 1.0))
    weights = (logits / temperature).softmax(-1)
    if mask is not None:
        weights = weights * (_inside(mask)[:, None, :, None] & mask[:, None, None, :])
    return torch.einsum("bcij,bjc->bic", weights, x), Order(None, weights)


def _inside(mask: Bool[Tensor, "b n"]) -> Bool[Tensor, "b n"]:
    """Which ranks are taken: the first n of each set."""
    return torch.arange(mask.shape[1], device=mask.device) < mask.sum(1, keepdim=True)


def _few(x: Float[Tensor, "b n c"]) -> bool:
    """Whether its ranks are found by comparing all pairs."""
    return x.device.type == "cpu" and x.shape[1] <= FEW and x.dtype in {torch.float32, torch.float64}


def _places(x: Float[Tensor, "b n c"]) -> UInt8[Tensor, "b n c"]:
    """The ranks of a small set, compiled."""
    from perception.sets._ranks import ranked  # numba takes a moment to import

    places = torch.empty(x.shape, dtype=torch.uint8)
    ranked(x.contiguous().numpy(), places.numpy())
    return places


class _Picked(torch.autograd.Function):
    """``values[places]`` channel by channel: [N, C] -> [B, N, C]."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, places: Tensor) -> Tensor:
        from perception.sets._ranks import picked

        ctx.save_for_backward(places)
        found = torch.empty(places.shape, dtype=values.dtype)
        picked(values.detach().contiguous().numpy(), places.numpy(), found.numpy())
        return found

    @staticmethod
    def backward(ctx: Any, given: Tensor) -> tuple[Tensor, None]:
        (places,) = ctx.saved_tensors
        return _Gathered.apply(given, places), None


class _Gathered(torch.autograd.Function):
    """The transpose of `_Picked`: [B, N, C] -> [N, C]."""

    @staticmethod
    def forward(ctx: Any, given: Tensor, places: Tensor) -> Tensor:
        from perception.sets._ranks import gathered

        ctx.save_for_backward(places)
        sums = given.new_zeros(places.shape[1:])
        gathered(given.detach().contiguous().numpy(), places.numpy(), sums.numpy())
        return sums

    @staticmethod
    def backward(ctx: Any, given: Tensor) -> tuple[Tensor, None]:
        (places,) = ctx.saved_tensors
        return _Picked.apply(given, places), None
