"""What a head is given of a picture, and how it attends to its places."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from perception import LayerNorm, Linear, a_picture
from raster.shapes import Float, Tensor

#: Doublings of frequency in which a place is told: from half a wave over the picture to four.
OCTAVES = 4


@dataclass(frozen=True)
class Sight:
    """A batch of pictures as a sender sees them.

    Attributes:
        vector: the whole picture, [B, D].
        maps: the places of it, one [B, C, h, w] a level of its eyes; empty for a head that does not attend.
    """

    vector: Float[Tensor, "b d"]
    maps: Sequence[Float[Tensor, "b _ _ _"]]


class Places(nn.Module):
    """Feature maps to one sequence of vectors [B, L, width], each knowing where it is; the whole picture comes last.

    Args:
        shapes: (C, h, w) of each map.
        vector: length of the vector that stands for the whole picture.
        width: of the vectors that come out.
    """

    def __init__(self, shapes: Sequence[tuple[int, int, int]], vector: int, width: int) -> None:
        super().__init__()
        self.levels = nn.ModuleList(Linear(channels, width) for channels, _, _ in shapes)
        self.whole = Linear(vector, width)
        self.place = Linear(4 * OCTAVES, width)
        self.norm = LayerNorm(width)
        for number, (_, height, wide) in enumerate(shapes):
            self.register_buffer(f"waves{number}", waves(height, wide), persistent=False)

    def forward(self, sight: Sight) -> Float[Tensor, "b l width"]:
        """The places of B pictures."""
        found = [self.whole(sight.vector)[:, None]]
        for number, (level, each) in enumerate(zip(self.levels, sight.maps, strict=True)):
            places = self.get_buffer(f"waves{number}")  # [h w, waves]
            if self.place.weight.ndim == 3:  # of several agents
                places = places.expand(len(self.place.weight), -1, -1)
            where = a_picture(self.place(places), 2, len(each))  # [h w, width], or one a picture
            found.append(level(each.flatten(2).transpose(1, 2)) + where)
        return self.norm(torch.cat([*found[1:], found[0]], dim=1))


def waves(height: int, width: int) -> Float[Tensor, "hw _"]:
    """Sines and cosines of where each place of a map is, in canvas coordinates, row after row."""
    y, x = ((torch.arange(n) + 0.5) * 2 / n - 1 for n in (height, width))
    place = torch.stack([x.expand(height, width), y[:, None].expand(height, width)], dim=-1).flatten(0, 1)  # [hw, 2]
    angle = place[..., None] * (math.pi / 2 * 2.0 ** torch.arange(OCTAVES))  # [hw, 2, octaves]
    return torch.cat([angle.sin(), angle.cos()], dim=-1).flatten(1)


class Attention(nn.Module):
    """Scaled dot-product attention of several heads (Vaswani et al. 2017), in plain products.

    Keys and values come from ``remember``, so that what does not change is projected once, however often it is
    attended to.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.out = (Linear(width, width) for _ in range(4))

    def remember(self, memory: Float[Tensor, "b l width"]) -> tuple[Tensor, Tensor]:
        """Keys and values of what is attended to, [B, heads, L, width / heads] each."""
        return self._split(self.key(memory)), self._split(self.value(memory))

    def forward(self, asking: Float[Tensor, "b n width"], memory: tuple[Tensor, Tensor]) -> Float[Tensor, "b n width"]:
        """What each of N vectors finds in the memory."""
        query, (key, value) = self._split(self.query(asking)), memory
        weight = (query @ key.mT / math.sqrt(query.shape[-1])).softmax(dim=-1)  # [B, heads, N, L]
        return self.out((weight @ value).transpose(1, 2).flatten(2))

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)
