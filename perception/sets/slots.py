"""Slot Attention: slots that compete for what is seen."""

from typing import Literal

import torch
from torch import nn

from perception.sets._layers import Tokens, linear, mlp
from perception.sets.decoded import Decoded, noise
from perception.sets.elements import at_least_one
from raster.shapes import Bool, Float, Tensor


class SlotAttention(nn.Module):
    """Slots drawn from one learned normal distribution, refined by attention in which *they* share out each input.

    ``[B, latent] -> sets [B, slots, channels]``: the vector is seen as `tokens` linear views of it. `read` takes a
    sequence that is there already (a feature map, with its positions), [B, P, width]. Attention is normalised over the
    slots and then averaged over the inputs; a GRU and a residual MLP update the slots, `iterations` times; an MLP head
    reads a set from them. ``trace`` holds the set before the first and after each iteration; ``supervise="last"`` is
    the paper's, ``"all"`` helps beyond about 5 iterations.

    It is set-equivariant: slots that start equal stay equal. The start's noise comes from the call's generator.

    Source: Locatello et al., Object-Centric Learning with Slot Attention (NeurIPS 2020), algorithm 1; the head is
    linear at the end, where the paper's set prediction has a sigmoid, so that it can say any number.
    """

    def __init__(
        self,
        latent: int,
        slots: int,
        channels: int,
        width: int = 64,
        iterations: int = 3,
        tokens: int = 16,
        supervise: Literal["all", "last"] = "last",
        eps: float = 1e-8,
    ) -> None:
        super().__init__()
        at_least_one(latent=latent, slots=slots, channels=channels, width=width, iterations=iterations)
        self.latent, self.slots, self.channels, self.width = latent, slots, channels, width
        self.iterations, self.supervise, self.eps = iterations, supervise, eps
        self.tokens = Tokens(latent, tokens, width)
        self.mean = nn.Parameter(0.1 * torch.randn(width))
        self.log_spread = nn.Parameter(torch.zeros(width))
        self.query, self.key, self.value = (linear(width, width) for _ in range(3))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))  # of inputs, slots, and before the MLP
        self.update = nn.GRUCell(width, width)
        self.think = mlp(width, 2 * width, width)
        self.head = mlp(width, width, channels)

    def forward(
        self,
        z: Float[Tensor, "b l"],
        mask: Bool[Tensor, "b n"] | None = None,
        generator: torch.Generator | None = None,
    ) -> Decoded:
        """The set that `z` describes; the slots' start is drawn from `generator`."""
        return self.read(self.tokens(z), mask, generator)

    def read(
        self,
        inputs: Float[Tensor, "b p d"],
        mask: Bool[Tensor, "b n"] | None = None,
        generator: torch.Generator | None = None,
        *,
        start: Float[Tensor, "b n d"] | None = None,
    ) -> Decoded:
        """The set that a sequence of P features describes. `start` gives the slots themselves."""
        if start is None:
            drawn = noise(inputs[:, 0], (self.slots, self.width), generator)
            start = self.mean + self.log_spread.exp() * drawn
        slots = start
        inputs = self.norms[0](inputs)
        key, value = self.key(inputs) * self.width**-0.5, self.value(inputs)  # [B, P, D]
        states = [slots]
        for _ in range(self.iterations):
            slots = self._iterate(slots, key, value, mask)
            states.append(slots)
        steps = self.head(torch.stack(states))  # [T + 1, B, N, C]
        if mask is not None:
            steps = torch.where(mask[..., None], steps, 0.0)
        return Decoded.by_layers(steps, self.supervise == "all")

    def _iterate(
        self,
        slots: Float[Tensor, "b n d"],
        key: Float[Tensor, "b p d"],
        value: Float[Tensor, "b p d"],
        mask: Bool[Tensor, "b n"] | None,
    ) -> Float[Tensor, "b n d"]:
        scores = key @ self.query(self.norms[1](slots)).transpose(1, 2)  # [B, P, N]
        if mask is not None:
            scores = scores.masked_fill(~mask[:, None], torch.finfo(scores.dtype).min)
        shares = scores.softmax(-1) + self.eps  # the slots compete for each input
        shares = shares / shares.sum(1, keepdim=True)  # and average over what they got
        seen = shares.transpose(1, 2) @ value  # [B, N, D]
        slots = self.update(seen.flatten(0, 1), slots.flatten(0, 1)).unflatten(0, slots.shape[:2])
        return slots + self.think(self.norms[2](slots))
