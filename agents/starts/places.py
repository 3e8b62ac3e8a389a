"""Short straight strokes where a map of a picture is high, lying along it."""

import math

import torch

from agents.biases._blur import blur
from agents.biases._slopes import slopes
from raster.shapes import Float, Tensor

#: Pixels over which the direction of an edge is averaged.
_AROUND = 1.5


def tangents(height: Float[Tensor, "b h w"]) -> Float[Tensor, "b h w"]:
    """The direction along which a map changes least, around each pixel, [B, H, W] radians (x right, y down).

    The second eigenvector of the structure tensor (Bigun & Granlund 1987); 0 where nothing changes.
    """
    across, down = slopes(height[:, None]).unbind(1)  # [B, H, W] each
    xx, yy, xy = (blur(each, _AROUND) for each in (across * across, down * down, across * down))
    turned = torch.atan2(2 * xy, xx - yy) / 2 + math.pi / 2
    return torch.where(xx + yy > 1e-12, turned, torch.zeros_like(turned))


def planted(
    density: Float[Tensor, "b h w"],
    along: Float[Tensor, "b h w"],
    count: int,
    length: float,
    generator: torch.Generator,
    flat: float = 0.0,
) -> Float[Tensor, "b n 2 2"]:
    """Ends of ``count`` strokes a picture at places drawn in proportion to ``density``, each pixel once if they are
    enough, in canvas coordinates.

    Args:
        density: not negative; a picture of nothing but zeros counts as even.
        along: direction of a stroke that is laid there, radians.
        count: strokes, N.
        length: of a stroke on average, canvas units; each between half and one and a half of it.
        generator: noise on the CPU. Every picture gets the same noise, so its strokes do not hang on its neighbours.
        flat: part of the whole density that is even.
    """
    tall, wide = density.shape[-2:]
    pixels, short = tall * wide, min(tall, wide)
    noise = torch.rand(4, count, generator=generator)
    # Gumbel's way to draw without replacement, with the same noise for all pictures: the largest of log p + g.
    spread = density.flatten(1).double().cpu()
    spread = spread / spread.sum(1, keepdim=True).clamp(min=1e-300)
    empty = spread.sum(1, keepdim=True) == 0
    chance = torch.where(empty, torch.full_like(spread, 1 / pixels), (1 - flat) * spread + flat / pixels)
    places = []
    left = count
    while left > 0:  # more strokes than pixels: once more over all
        uniform = torch.rand(pixels, generator=generator, dtype=torch.float64)
        gumbel = -torch.log(-torch.log(uniform.clamp(1e-300, 1 - 1e-16)))
        places.append((chance.log() + gumbel).topk(min(left, pixels), dim=1).indices)
        left -= pixels
    place = torch.cat(places, 1)  # [B, N]
    row, column = place // wide, place % wide
    x = (column + noise[0]) * (2 / short) - wide / short
    y = (row + noise[1]) * (2 / short) - tall / short
    angle = along.flatten(1).cpu().gather(1, place)
    half = length * (0.5 + noise[2]) / 2
    step = torch.stack([angle.cos() * half, angle.sin() * half], -1)  # [B, N, 2]
    centre = torch.stack([x, y], -1)
    return torch.stack([centre - step, centre + step], -2).to(density)
