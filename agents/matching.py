"""How a receiver may compare place by place: what each place of a candidate finds on the canvas."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from agents.heads.sight import Places, Sight
from raster.shapes import Float, Int, Tensor


class Matching(nn.Module):
    """Cross-attention of several heads between the places of candidates and of canvases.

    Each place of a candidate asks the places of the canvas, and is compared by cosine with what it finds there; a
    candidate's score is the mean over its places: stacked cross-attention (Lee et al. 2018, the image-text form), its
    attention by cosine times a learned sharpness (9 at first, as there), with the heads of Vaswani et al. 2017.
    Candidates know nothing of one another. Who asks and who answers is projected alike, for both are places of
    pictures: what is equal finds itself.

    Args:
        canvas: (C, h, w) of each map of a canvas.
        photo: (C, h, w) of each map of a photo.
        hidden: length of the vector that stands for the whole of a canvas.
        whole: length of the vector that stands for the whole of a photo.
        dims: length D of the vectors that are compared.
        heads: how many heads share them.
    """

    def __init__(
        self,
        canvas: Sequence[tuple[int, int, int]],
        photo: Sequence[tuple[int, int, int]],
        hidden: int,
        whole: int,
        dims: int,
        heads: int,
    ) -> None:
        super().__init__()
        self.heads = heads
        self.canvas = Places(canvas, hidden, dims)
        self.photo = Places(photo, whole, dims)
        self.key = nn.Linear(dims, dims)
        self.value = nn.Linear(dims, dims)
        self.sharp = nn.Parameter(torch.tensor(math.log(9.0)))

    def of_canvas(self, sight: Sight) -> Float[Tensor, "b l d"]:
        """The places of B canvases, the whole as the last of them."""
        return self.canvas(sight)

    def of_photos(self, sight: Sight) -> Float[Tensor, "n l d"]:
        """The places of N photos, the whole as the last of them."""
        return self.photo(sight)

    def forward(
        self, message: Float[Tensor, "b lc d"], pools: Float[Tensor, "g k lp d"], pool_of: Int[Tensor, " b"]
    ) -> Float[Tensor, "b k"]:
        """Mean cosines in [-1, 1] of each game's canvas and the candidates of its own pool.

        Pools are projected once, however many games are played on them. (``nn.MultiheadAttention`` projects inside
        of itself, and would do so for every game and candidate.)
        """
        k, places = pools.shape[1], pools.shape[2]
        sharp = self.sharp.clamp(max=math.log(50.0)).exp()
        asks = sharp * F.normalize(self._split(self.key(pools).flatten(1, 2)), dim=-1)  # [G, heads, K Lp, D / heads]
        answers = F.normalize(self._split(self.key(message)), dim=-1)  # [B, heads, Lc, D / heads]
        found = F.scaled_dot_product_attention(
            asks[pool_of], answers, self._split(self.value(message)), scale=1.0
        )  # [B, heads, K Lp, D / heads]
        own = self.value(pools)[pool_of]  # [B, K, Lp, D]
        return F.cosine_similarity(found.transpose(1, 2).flatten(2).unflatten(1, (k, places)), own, dim=-1).mean(-1)

    def _split(self, x: Float[Tensor, "n l d"]) -> Float[Tensor, "n heads l _"]:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)
