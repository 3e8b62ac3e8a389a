"""Decoders that give the elements an order: MLP, LSTM, and a transformer with learned queries. The honest baselines."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import nn

from perception.sets._layers import Block, Tokens, linear, mlp, widths
from perception.sets.decoded import Decoded
from perception.sets.elements import at_least_one, cleaned
from raster.shapes import Bool, Float, Tensor


class MLPDecoder(nn.Module):
    """A vector to a list of all elements at once. It must be discontinuous where elements swap their roles.

    Source: the baseline of Deep Set Prediction Networks (NeurIPS 2019), latent -> d -> d -> N C.
    """

    def __init__(self, latent: int, slots: int, channels: int, hidden: Sequence[int] = (256, 256)) -> None:
        super().__init__()
        at_least_one(slots=slots, channels=channels)
        self.latent, self.slots, self.channels = latent, slots, channels
        self.net = mlp(*widths(latent, hidden, slots * channels))

    def forward(
        self,
        z: Float[Tensor, "b l"],
        mask: Bool[Tensor, "b n"] | None = None,
        generator: torch.Generator | None = None,
    ) -> Decoded:
        """The set that `z` describes; nothing is random."""
        return Decoded.at_once(cleaned(self.net(z).unflatten(-1, (self.slots, self.channels)), mask))


class LSTMDecoder(nn.Module):
    """A vector to elements one after another: z is the first cell, and what comes in is zero at each of N steps.

    Source: the baseline of Deep Set Prediction Networks (NeurIPS 2019). A `hidden` other than `latent` puts a linear
    map between the two.
    """

    def __init__(self, latent: int, slots: int, channels: int, hidden: int = 256) -> None:
        super().__init__()
        at_least_one(latent=latent, slots=slots, channels=channels, hidden=hidden)
        self.latent, self.slots, self.channels = latent, slots, channels
        self.first = linear(latent, hidden)
        self.cell = nn.LSTM(1, hidden, batch_first=True)
        self.out = linear(hidden, channels)

    def forward(
        self,
        z: Float[Tensor, "b l"],
        mask: Bool[Tensor, "b n"] | None = None,
        generator: torch.Generator | None = None,
    ) -> Decoded:
        """The set that `z` describes; nothing is random."""
        cell = self.first(z)[None]  # [1, B, D]
        inputs = z.new_zeros(z.shape[0], self.slots, 1)
        states, _ = self.cell(inputs, (torch.zeros_like(cell), cell))
        return Decoded.at_once(cleaned(self.out(states), mask))


class TransformerDecoder(nn.Module):
    """Learned queries, a slot each, look at each other and at the vector, layer by layer.

    The vector is seen as `tokens` linear views of it; `read` takes a sequence that is there already (a feature map,
    with its positions). ``trace`` holds the set after each layer, the queries' own first; ``supervise="all"`` puts the
    loss on every layer, as DETR does.

    Source: after Carion et al., DETR (ECCV 2020), section 3.2, with pre-norm layers.
    """

    def __init__(
        self,
        latent: int,
        slots: int,
        channels: int,
        width: int = 64,
        layers: int = 3,
        heads: int = 4,
        tokens: int = 8,
        supervise: Literal["all", "last"] = "all",
    ) -> None:
        super().__init__()
        at_least_one(latent=latent, slots=slots, channels=channels, layers=layers)
        self.latent, self.slots, self.channels, self.width = latent, slots, channels, width
        self.supervise = supervise
        self.tokens = Tokens(latent, tokens, width)
        self.queries = nn.Parameter(torch.randn(slots, width))
        self.blocks = nn.ModuleList(Block(width, heads, memory=True) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.head = linear(width, channels)

    def forward(
        self,
        z: Float[Tensor, "b l"],
        mask: Bool[Tensor, "b n"] | None = None,
        generator: torch.Generator | None = None,
    ) -> Decoded:
        """The set that `z` describes; nothing is random."""
        return self.read(self.tokens(z), mask)

    def read(self, memory: Float[Tensor, "b p d"], mask: Bool[Tensor, "b n"] | None = None) -> Decoded:
        """The set that a sequence of P features of the decoder's width describes."""
        x = self.queries.expand(memory.shape[0], -1, -1)
        states = [x]
        for block in self.blocks:
            x = block(x, mask, memory)
            states.append(x)
        steps = self.head(self.norm(torch.stack(states)))  # [T + 1, B, N, C]
        if mask is not None:
            steps = torch.where(mask[..., None], steps, 0.0)
        return Decoded.by_layers(steps, self.supervise == "all")
