"""Flat sprites: the simplest scenes that are pictures. Shapes of one colour on white, none hiding another wholly."""

import math

import numpy as np
import torch
from numpy.typing import NDArray

from games.scenes.vocabulary import COLOURS, RGB
from perception.sets import Fields, pack
from raster.errors import InputError
from raster.shapes import Float, Tensor, UInt8

SHAPES = ("circle", "square", "triangle")
#: A sprite's channels: x, y in [-1, 1] (right and down), then colour, shape, and presence.
SPRITE = Fields(2, (len(COLOURS), len(SHAPES)))
#: Rays a pixel along each side.
_FINE = 4


def sprites(
    count: int,
    size: int,
    *,
    least: int = 1,
    most: int = 6,
    radius: float = 0.22,
    slots: int | None = None,
    seed: int = 0,
) -> tuple[UInt8[Tensor, "{count} 3 {size} {size}"], Float[Tensor, "{count} n c"]]:
    """Pictures, [B, 3, size, size] bytes, and the sets of what is in them, [B, N, C] (``SPRITE``).

    Args:
        count: B.
        size: pixels a side.
        least, most: sprites a picture.
        radius: of a sprite, in units of the canvas ([-1, 1]); their middles are at least one radius apart.
        slots: N; `most` when left out.
        seed: the same gives the same bytes.

    Raises InputError for a count or radius that makes no picture.
    """
    if not 0 <= least <= most:
        raise InputError(f"{least} to {most} sprites", None, "let most be at least least, and least at least 0")
    if not 0 < radius <= 0.5 or most * radius**2 > 1:
        raise InputError(
            f"{most} sprites of radius {radius:g}", None, "they find no place: take fewer, or smaller ones"
        )
    noise = np.random.default_rng(seed)
    across = (np.arange(size * _FINE) + 0.5) * 2 / (size * _FINE) - 1
    x, y = np.meshgrid(across, across)
    pictures = np.empty((count, size, size, 3), np.uint8)
    sets = []
    for picture in pictures:
        places = _places(noise, int(noise.integers(least, most + 1)), radius)
        colours, shapes = noise.integers(len(COLOURS), size=len(places)), noise.integers(len(SHAPES), size=len(places))
        fine = np.full((size * _FINE, size * _FINE, 3), 255.0)
        rows = torch.zeros(len(places), SPRITE.channels - 1)
        for row, place, colour, shape in zip(rows, places, colours, shapes, strict=True):
            fine[_covers(SHAPES[shape], x - place[0], y - place[1], radius)] = RGB[COLOURS[colour]]
            row[:2] = torch.from_numpy(place)
            row[2 + int(colour)] = row[2 + len(COLOURS) + int(shape)] = 1.0
        picture[:] = fine.reshape(size, _FINE, size, _FINE, 3).mean(axis=(1, 3)).round()
        sets.append(rows)
    shown = torch.from_numpy(pictures).permute(0, 3, 1, 2).contiguous()
    return shown, pack(sets, most if slots is None else slots)


def _places(noise: np.random.Generator, count: int, radius: float) -> NDArray[np.float64]:
    """Middles, [n, 2], that keep a radius from each other; begun again where one of them finds no place."""
    while True:
        places = np.empty((0, 2))
        for _ in range(50 * count):
            if len(places) == count:
                break
            place = (1 - radius) * (2 * noise.random(2) - 1)
            if (np.linalg.norm(places - place, axis=1) >= radius).all():
                places = np.concatenate([places, place[None]])
        if len(places) == count:
            return places


def _covers(shape: str, x: NDArray[np.float64], y: NDArray[np.float64], radius: float) -> NDArray[np.bool_]:
    """Which places a sprite covers."""
    if shape == "circle":
        return x**2 + y**2 <= radius**2
    if shape == "square":
        return np.maximum(abs(x), abs(y)) <= radius * 0.88
    # A triangle that stands on its side: its half-width grows from the tip down.
    return (y <= radius * 0.75) & (abs(x) <= (y + radius) / math.sqrt(3))
