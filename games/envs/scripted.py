"""A partner that learned nothing: it traces what is darkest, and picks what lies most alike."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from games.pictures import PictureView
from raster import Strokes
from raster.shapes import Float, Int, Tensor


@dataclass(frozen=True)
class Scripted:
    """Both roles by rule, without weights and without noise (``games.Players``): a partner where no run is at hand.

    Attributes:
        strokes: lines of a drawing, N.
        length: of a line, canvas units.
        side: pictures are looked at with side x side pixels.
        sure: how steeply scores tell the alike from the unlike (a factor on a correlation).
    """

    strokes: int = 8
    length: float = 0.4
    side: int = 32
    sure: float = 10.0

    def draw(self, view: PictureView, generator: torch.Generator) -> Strokes:
        """Lines along what stands out from the paper, the most striking place first, [B, N, 2, 2]."""
        ink = self._ink(view.pixels())  # [B, S, S]
        along = _along(ink).flatten(1)  # [B, S S]
        places = _places(self.side).to(ink)  # [S S, 2]
        left, game = ink.flatten(1).clone(), torch.arange(len(ink), device=ink.device)
        ends = []
        for _ in range(self.strokes):
            where = left.argmax(dim=1)  # [B]
            angle, centre = along[game, where], places[where]
            way = torch.stack([angle.cos(), angle.sin()], dim=-1)  # [B, 2]
            half = self.length / 2
            ends.append(torch.stack([centre - half * way, centre + half * way], dim=1).clamp(-0.98, 0.98))
            # What lies beside the line counts as drawn.
            off = places - centre[:, None]  # [B, S S, 2]
            on = (off * way[:, None]).sum(-1).clamp(-half, half)
            far = (off - on[..., None] * way[:, None]).square().sum(-1)
            left = left * (1 - torch.exp(-far / 0.12**2))
        return Strokes(torch.stack(ends, dim=1))

    def score(
        self,
        canvas: Float[Tensor, "b *ink h w"],
        pool: PictureView,
        pools: int,
        pool_of: Int[Tensor, " b"],
        generator: torch.Generator,
    ) -> Float[Tensor, "b k"]:
        """Correlation of each canvas with what stands out in each candidate of its pool, both a little blurred."""
        ink = canvas.float()
        ink = ink[:, None] if ink.ndim == 3 else ink.mean(dim=1, keepdim=True)
        drawn = _like(F.interpolate(ink, (self.side, self.side), mode="bilinear", antialias=True)[:, 0])  # [B, S S]
        photos = _like(self._ink(pool.pixels())).unflatten(0, (pools, -1))[pool_of]  # [B, K, S S]
        return self.sure * (photos @ drawn[..., None])[..., 0]

    def _ink(self, rgb: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b side side"]:
        """How far each place is from the paper, which is what a picture's border mostly shows; at most 1."""
        border = torch.cat([rgb[..., 0, :], rgb[..., -1, :], rgb[..., 0], rgb[..., -1]], dim=-1)  # [B, 3, 2 h + 2 w]
        far = (rgb - border.median(dim=-1).values[..., None, None]).abs().mean(dim=1, keepdim=True)
        small = F.interpolate(far, (self.side, self.side), mode="bilinear", antialias=True)[:, 0]
        return small / small.amax(dim=(1, 2), keepdim=True).clamp_min(1e-3)


def _places(side: int) -> Float[Tensor, "places 2"]:
    """Canvas coordinates of each pixel, row after row."""
    line = (torch.arange(side) + 0.5) * 2 / side - 1
    return torch.stack([line.expand(side, side), line[:, None].expand(side, side)], dim=-1).flatten(0, 1)


def _along(ink: Float[Tensor, "b h w"]) -> Float[Tensor, "b h w"]:
    """The direction in which ink runs at each place, by its structure tensor (Bigün & Granlund 1987), in radians."""
    down, right = torch.gradient(_blur(ink), dim=(1, 2))
    xx, yy, xy = (_blur(each) for each in (right * right, down * down, right * down))
    return 0.5 * torch.atan2(2 * xy, xx - yy) + math.pi / 2


def _blur(x: Float[Tensor, "b h w"]) -> Float[Tensor, "b h w"]:
    once = F.avg_pool2d(x[:, None], 3, stride=1, padding=1, count_include_pad=False)
    return F.avg_pool2d(once, 3, stride=1, padding=1, count_include_pad=False)[:, 0]


def _like(ink: Float[Tensor, "b h w"]) -> Float[Tensor, "b places"]:
    flat = _blur(ink).flatten(1)
    return F.normalize(flat - flat.mean(dim=1, keepdim=True), dim=1)
