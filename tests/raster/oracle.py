"""The exact distance from a pixel to a Bézier curve, by dense sampling and Newton's method: slow, for tests only."""

import math

import numpy as np
import torch

from raster.shapes import Float, Tensor


def bezier(control: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Points of a Bézier curve, control [c d], at parameters t [...]: [... d]."""
    degree = len(control) - 1
    terms = [math.comb(degree, i) * t**i * (1 - t) ** (degree - i) for i in range(degree + 1)]
    return np.stack(terms, -1) @ control


def distance2(pixels: np.ndarray, control: np.ndarray, samples: int = 400, steps: int = 12) -> np.ndarray:
    """Squared distance of pixels [q d] to one Bézier curve: the best of many starts, each refined by Newton steps."""
    first = np.diff(control, axis=0) * (len(control) - 1)
    second = np.diff(first, axis=0) * (len(first) - 1)
    t = np.linspace(0, 1, samples)
    coarse = ((pixels[:, None] - bezier(control, t)) ** 2).sum(-1)  # [q samples]
    best = coarse.min(1)
    for start in np.argsort(coarse, axis=1)[:, :4].T:  # several basins
        u = t[start]
        for _ in range(steps):
            off = bezier(control, u) - pixels
            slope = (off * bezier(first, u)).sum(-1)
            bend = (bezier(first, u) ** 2).sum(-1) + (off * bezier(second, u)).sum(-1)
            u = np.clip(np.where(bend > 1e-12, u - slope / np.where(bend > 1e-12, bend, 1.0), u), 0, 1)
        best = np.minimum(best, ((bezier(control, u) - pixels) ** 2).sum(-1))
    return best


def ink(curves: Float[Tensor, "n m c d"], size: tuple[int, int], sigma2: float) -> Float[Tensor, "h w"]:
    """Soft-or of N strokes, each of M Bézier curves end to end, in canvas coordinates; float64."""
    short = min(size)
    rows, columns = np.meshgrid(np.arange(size[0]), np.arange(size[1]), indexing="ij")
    x = (columns + 0.5) * 2 / short - size[1] / short
    y = (rows + 0.5) * 2 / short - size[0] / short
    pixels = np.stack([x, y], -1).reshape(-1, 2)
    left = np.ones(len(pixels))
    for stroke in curves.double().numpy():
        nearest = np.min([distance2(pixels, control) for control in stroke], axis=0)
        left *= 1 - np.exp(-nearest / sigma2)
    return torch.from_numpy(1 - left).reshape(size)
