"""Small layers that the set networks share. Everything here can be differentiated twice, as an inner loop needs."""

import itertools
from collections.abc import Sequence

import torch
from torch import nn

from perception.sets.elements import at_least_one
from raster.errors import InputError
from raster.shapes import Bool, Float, Tensor


def mlp(*widths: int) -> nn.Sequential:
    """Linear layers with ReLU between them, Xavier-uniform weights and zero biases, as in DSPN's code."""
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(widths):
        layers += [linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def linear(before: int, after: int) -> nn.Linear:
    """A Linear of Xavier-uniform weights and zero biases."""
    layer = nn.Linear(before, after)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


class Attention(nn.Module):
    """Multi-head attention written out: torch's fused kernels have no second derivative."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        at_least_one(width=width, heads=heads)
        if width % heads:
            raise InputError(f"a width of {width} does not divide into {heads} heads", None, "use a multiple")
        self.heads = heads
        self.query, self.key, self.value, self.out = (linear(width, width) for _ in range(4))

    def forward(
        self,
        x: Float[Tensor, "b n d"],
        of: Float[Tensor, "b m d"],
        mask: Bool[Tensor, "b m"] | None = None,
    ) -> Float[Tensor, "b n d"]:
        """Each of N asks all M; keys outside the mask are not seen. Of no key it answers something finite."""
        q, k, v = (
            layer(side).unflatten(-1, (self.heads, -1)).transpose(1, 2)  # [B, H, N or M, d]
            for layer, side in ((self.query, x), (self.key, of), (self.value, of))
        )
        scores = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5  # [B, H, N, M]
        if mask is not None:
            scores = scores.masked_fill(~mask[:, None, None, :], torch.finfo(scores.dtype).min)
        weights = scores.softmax(-1)
        return self.out((weights @ v).transpose(1, 2).flatten(-2))


class Block(nn.Module):
    """A pre-norm transformer layer: self-attention, attention to a memory if there is one, an MLP."""

    def __init__(self, width: int, heads: int, memory: bool = False) -> None:
        super().__init__()
        self.own = Attention(width, heads)
        self.cross = Attention(width, heads) if memory else None
        self.think = mlp(width, 2 * width, width)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3 if memory else 2))

    def forward(
        self,
        x: Float[Tensor, "b n d"],
        mask: Bool[Tensor, "b n"] | None = None,
        memory: Float[Tensor, "b m d"] | None = None,
    ) -> Float[Tensor, "b n d"]:
        """The elements after looking at each other (and at the memory)."""
        seen = self.norms[0](x)
        x = x + self.own(seen, seen, mask)
        if self.cross is not None and memory is not None:
            x = x + self.cross(self.norms[2](x), memory)
        return x + self.think(self.norms[1](x))


class Tokens(nn.Module):
    """A vector as a short sequence that attention can look at: ``[B, L] -> [B, P, D]``, each a linear view of it."""

    def __init__(self, latent: int, count: int, width: int) -> None:
        super().__init__()
        at_least_one(tokens=count)
        self.count = count
        self.views = linear(latent, count * width)
        self.norm = nn.LayerNorm(width)

    def forward(self, z: Float[Tensor, "b l"]) -> Float[Tensor, "b p d"]:
        """P views of the vector, each normalised."""
        return self.norm(self.views(z).unflatten(-1, (self.count, -1)))


def widths(channels: int, hidden: Sequence[int], latent: int) -> tuple[int, ...]:
    """The layer widths of an element-wise MLP, checked."""
    at_least_one(channels=channels, latent=latent)
    if any(width < 1 for width in hidden):
        raise InputError(f"hidden layers of {tuple(hidden)} channels", None, "each must have at least 1")
    return (channels, *hidden, latent)
