"""The textbook way to draw: the distance of every pixel to every stroke, kept for autograd. The yardstick.

Mihai & Hare (arXiv 2103.16194) as one would write it down, in the favourable way: coordinates apart, so that no map has
two numbers a pixel, and squared distances, so that there is no root.
"""

import torch
from torch import Tensor


def grid(size: int) -> tuple[Tensor, Tensor]:
    axis = (torch.arange(size) + 0.5) * 2 / size - 1
    return axis[None, :], axis[:, None]


def distance2(points: Tensor, size: int) -> Tensor:
    """Squared distances [..., size, size] to segments [..., 2, 2]."""
    x, y = grid(size)
    ax, ay, bx, by = (points[..., i, j, None, None] for i in (0, 1) for j in (0, 1))
    dx, dy = bx - ax, by - ay
    px, py = x - ax, y - ay
    t = ((px * dx + py * dy) / (dx * dx + dy * dy)).clamp(0, 1)
    return (px - t * dx) ** 2 + (py - t * dy) ** 2


def lines(points: Tensor, size: int, sigma2: float) -> Tensor:
    """Soft-or of lines [B, N, 2, 2]: [B, size, size]."""
    return 1 - (1 - torch.exp(-distance2(points, size) / sigma2)).prod(1)


def cubics(points: Tensor, size: int, sigma2: float, pieces: int = 10) -> Tensor:
    """Soft-or of cubic Bézier curves [B, N, 4, 2], each drawn as ``pieces`` lines."""
    t = torch.linspace(0, 1, pieces + 1)[:, None]
    basis = torch.cat([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3], 1)
    vertices = torch.einsum("kc,bncd->bnkd", basis, points)
    each = torch.stack([vertices[:, :, :-1], vertices[:, :, 1:]], -2)  # [B N K 2 2]
    nearest = distance2(each, size).amin(2)
    return 1 - (1 - torch.exp(-nearest / sigma2)).prod(1)
