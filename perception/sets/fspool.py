"""Featurewise sort pooling, and its unpooling for auto-encoders."""

from typing import Literal

import torch
from torch import nn

from perception.sets.elements import at_least_one, cleaned
from perception.sets.sorting import Order, by_rank, relaxed_sort, sort
from raster.errors import InputError
from raster.shapes import Bool, Float, Tensor


class RankWeights(nn.Module):
    """A piecewise-linear function a channel of relative rank: ``f_c(r)``, r in [0, 1], with `pieces` + 1 knots.

    ``knots`` [pieces + 1, C] start as N(0, 1). It is a function of *relative* rank, so any set size has its weights.
    """

    def __init__(self, channels: int, pieces: int) -> None:
        super().__init__()
        at_least_one(channels=channels, pieces=pieces)
        self.pieces = pieces
        self.knots = nn.Parameter(torch.randn(pieces + 1, channels))

    def forward(self, slots: int, mask: Bool[Tensor, "b n"] | None = None) -> Float[Tensor, "#b n c"]:
        """The weight of each rank 0 .. N - 1, highest value first; 0 beyond a set's own size."""
        rank = torch.arange(slots, device=self.knots.device, dtype=self.knots.dtype)
        size = rank.new_full((1, 1), float(slots)) if mask is None else mask.sum(1, keepdim=True)  # [#B, 1]
        ratio = rank / (size - 1).clamp(min=1)  # [#B, N], above 1 beyond the set
        # Linear interpolation as a product with hat functions: no gather, so the gradient is a plain sum.
        knot = torch.arange(self.pieces + 1, device=rank.device, dtype=rank.dtype)
        hats = (1 - (ratio[..., None] * self.pieces - knot).abs()).clamp(min=0)  # [#B, N, knots]
        return (hats @ self.knots) * (rank < size)[..., None]


class FSPool(nn.Module):
    """A set to a vector by sorting each channel: ``[B, N, C] -> [B, C]``, whatever the order of the elements.

    ``y_c = sum_i f_c(i / (n - 1)) x_(i),c`` over the channel's values in descending order, i = 0 .. n - 1, with
    learned piecewise-linear ``f_c`` (`RankWeights`). Sum, mean, max, min and median are special cases. A set of one
    element has relative rank 0; of none, the answer 0.

    ``sort="relaxed"`` makes the permutation continuous (temperature above 0; N^2 numbers a channel): for
    auto-encoders, whose unpooling uses the permutation itself.

    Source: Zhang, Hare and Prügel-Bennett, FSPool: Learning Set Representations with Featurewise Sort Pooling
    (ICLR 2020); 20 pieces as there.

    >>> pool = FSPool(1, 20)
    >>> with torch.no_grad():
    ...     _ = pool.weights.knots.zero_()[0] = 1.0  # only the highest counts: the maximum
    >>> pool(torch.tensor([[[3.0], [5.0], [4.0]]])).item()
    5.0
    """

    def __init__(
        self, channels: int, pieces: int = 20, sort: Literal["hard", "relaxed"] = "hard", temperature: float = 1.0
    ) -> None:
        super().__init__()
        if not temperature > 0:
            raise InputError(f"a relaxed sort of temperature {temperature}", None, "it must be above 0")
        self.channels, self.pieces, self.kind, self.temperature = channels, pieces, sort, temperature
        self.weights = RankWeights(channels, pieces)

    def ordered(
        self, x: Float[Tensor, "b n c"], mask: Bool[Tensor, "b n"] | None = None
    ) -> tuple[Float[Tensor, "b c"], Order]:
        """What `forward` gives, and the order that `FSUnpool` needs."""
        x = cleaned(x, mask)
        ranked, order = sort(x, mask) if self.kind == "hard" else relaxed_sort(x, mask, self.temperature)
        return (ranked * self.weights(x.shape[1], mask)).sum(1), order

    def forward(self, x: Float[Tensor, "b n c"], mask: Bool[Tensor, "b n"] | None = None) -> Float[Tensor, "b c"]:
        """Pooled features; see the class."""
        if self.kind == "relaxed":
            return self.ordered(x, mask)[0]
        # The same sum in the order of the slots: each value times the weight of the rank that it has.
        x = cleaned(x, mask)
        return (x * by_rank(self.weights(x.shape[1], mask), x, mask)).sum(1)


class FSUnpool(nn.Module):
    """A vector back to a set, for an auto-encoder: ``[B, C]`` and the encoder's own order -> ``[B, N, C]``.

    Channel c of the element that had rank i in it is ``f'_c(r_i) y_c``. Since each element gets its own value back,
    an element-wise loss needs no assignment. It needs the encoder's permutation, so it decodes nothing else: for that
    there is `DSPN`.

    Source: FSPool (ICLR 2020), its auto-encoder.
    """

    def __init__(self, channels: int, pieces: int = 20) -> None:
        super().__init__()
        self.channels, self.pieces = channels, pieces
        self.weights = RankWeights(channels, pieces)

    def forward(
        self, y: Float[Tensor, "b c"], order: Order, slots: int, mask: Bool[Tensor, "b n"] | None = None
    ) -> Float[Tensor, "b n c"]:
        """Elements in the encoder's order; 0 outside the mask, which must be the encoder's."""
        return order.restore(y[:, None] * self.weights(slots, mask))
