"""Set encoders: ``[B, N, C] -> [B, L]``, whatever the order of the elements, for any size by mask."""

from collections.abc import Sequence
from typing import Literal, Protocol, runtime_checkable

import torch
from torch import nn

from perception.sets._layers import Block, linear, mlp, widths
from perception.sets.elements import at_least_one, cleaned, counted
from perception.sets.fspool import FSPool
from raster.shapes import Bool, Float, Tensor


@runtime_checkable
class SetEncoder(Protocol):
    """Whatever turns a set into a vector.

    Called with sets [B, N, C] (presence, where there is one, is the last channel and just a channel here) and a mask
    [B, N] of the elements that are there, it answers [B, L]. The order of elements changes nothing, nor does what
    stands outside the mask. To serve as the inner objective of a DSPN it must be twice differentiable: those here are.
    """

    channels: int
    latent: int

    def __call__(
        self, sets: Float[Tensor, "b n c"], mask: Bool[Tensor, "b n"] | None = None
    ) -> Float[Tensor, "b l"]: ...


class FSPoolEncoder(nn.Module):
    """An MLP on each element, divided by the set's size, then FSPool: the encoder of DSPN and iDSPN.

    Source: Deep Set Prediction Networks (NeurIPS 2019), appendix; `hidden` is (256, 256) or (512, 512) there.
    """

    def __init__(
        self,
        channels: int,
        latent: int,
        hidden: Sequence[int] = (128, 128),
        pieces: int = 20,
        sort: Literal["hard", "relaxed"] = "hard",
        temperature: float = 1.0,
    ) -> None:
        super().__init__()
        self.channels, self.latent = channels, latent
        self.each = mlp(*widths(channels, hidden, latent))
        self.pool = FSPool(latent, pieces, sort, temperature)

    def forward(self, sets: Float[Tensor, "b n c"], mask: Bool[Tensor, "b n"] | None = None) -> Float[Tensor, "b l"]:
        """The set as a vector."""
        return self.pool(self.each(cleaned(sets, mask)), mask) / counted(sets, mask)


class RelationEncoder(nn.Module):
    """An MLP on each ordered pair of elements, divided by their number, then FSPool over the N^2 pairs.

    Sees how elements stand to each other before anything is summed up; costs N times what `FSPoolEncoder` does.

    Source: the relation-network encoder of Deep Set Prediction Networks (NeurIPS 2019), after Santoro et
    al. (NeurIPS 2017).
    """

    def __init__(self, channels: int, latent: int, hidden: Sequence[int] = (128,), pieces: int = 20) -> None:
        super().__init__()
        self.channels, self.latent = channels, latent
        self.pair = mlp(*widths(2 * channels, hidden, latent))
        self.pool = FSPool(latent, pieces)

    def forward(self, sets: Float[Tensor, "b n c"], mask: Bool[Tensor, "b n"] | None = None) -> Float[Tensor, "b l"]:
        """The set as a vector."""
        sets = cleaned(sets, mask)
        count = counted(sets, mask)
        n = sets.shape[1]
        first, second = sets[:, :, None].expand(-1, -1, n, -1), sets[:, None].expand(-1, n, -1, -1)
        pairs = torch.cat([first, second], -1).flatten(1, 2)  # [B, N N, 2 C]
        both = None if mask is None else (mask[:, :, None] & mask[:, None]).flatten(1)
        return self.pool(self.pair(pairs), both) / count.square()


class DeepSets(nn.Module):
    """An MLP on each element, sum, mean or max, and an MLP on the outcome. Set-equivariant gradient: it splits no ties.

    Source: Zaheer et al., Deep Sets (NeurIPS 2017), theorem 2. An empty set pools to 0.
    """

    def __init__(
        self,
        channels: int,
        latent: int,
        hidden: Sequence[int] = (128, 128),
        pool: Literal["sum", "mean", "max"] = "sum",
    ) -> None:
        super().__init__()
        self.channels, self.latent, self.pool = channels, latent, pool
        self.each = mlp(*widths(channels, hidden, latent))
        self.whole = mlp(latent, latent, latent)

    def forward(self, sets: Float[Tensor, "b n c"], mask: Bool[Tensor, "b n"] | None = None) -> Float[Tensor, "b l"]:
        """The set as a vector."""
        features = cleaned(self.each(cleaned(sets, mask)), mask)  # [B, N, L]; the biases are no element's
        if self.pool == "max":
            floor = features.new_full((features.shape[0], 1, self.latent), torch.finfo(features.dtype).min)
            inside = features if mask is None else torch.where(mask[..., None], features, floor)
            # The floor makes a maximum of nothing legal; it is then replaced by 0.
            top = torch.cat([inside, floor], 1).amax(1)
            pooled = torch.where(top == floor[:, 0], 0.0, top)
        else:
            pooled = features.sum(1)
            if self.pool == "mean":
                pooled = pooled / counted(sets, mask)
        return self.whole(torch.relu(pooled))


class SetTransformer(nn.Module):
    """Self-attention without positions; a learned token that takes part is what comes out.

    The token is always there, so a set of no element has something to look at.

    Source: after Lee et al., Set Transformer (ICML 2019), with full attention and a token in place of pooling by
    attention.
    """

    def __init__(self, channels: int, latent: int, width: int = 64, layers: int = 2, heads: int = 4) -> None:
        super().__init__()
        at_least_one(channels=channels, latent=latent, layers=layers)
        self.channels, self.latent = channels, latent
        self.embed = linear(channels, width)
        self.token = nn.Parameter(torch.randn(width))
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.out = linear(width, latent)

    def forward(self, sets: Float[Tensor, "b n c"], mask: Bool[Tensor, "b n"] | None = None) -> Float[Tensor, "b l"]:
        """The set as a vector."""
        token = self.token.expand(sets.shape[0], 1, -1)
        x = torch.cat([token, self.embed(cleaned(sets, mask))], 1)  # [B, 1 + N, D]
        if mask is not None:
            mask = torch.cat([mask.new_ones(mask.shape[0], 1), mask], 1)
        for block in self.blocks:
            x = block(x, mask)
        return self.out(self.norm(x[:, 0]))
