"""More to learn from: changed copies of the training pictures, which stand in the gallery as pictures of their own."""

import dataclasses
import math

import numpy as np
import torch

from games.pictures.album import Album
from games.pictures.splits import Split
from raster.shapes import Bool, Float, Tensor

TURN, SCALE, SHIFT = math.radians(8), 0.12, 0.08
"""Largest change of a copy: turn in radians, relative size, shift as a part of the picture's half."""


def training_splits(splits: dict[str, Split]) -> list[str]:
    """The splits that rounds of training are dealt from, in turn or at random: "train", "train/copy-1", ..."""
    return [name for name in splits if name.split("/")[0] == "train"]


def add_copies(album: Album, splits: dict[str, Split], views: int, seed: int) -> tuple[Album, dict[str, Split]]:
    """Append ``views - 1`` changed copies of every training picture, each set of copies a split of its own.

    Copy 1 is the mirror image. Further ones are turned, scaled and shifted a little, picture by picture, every
    second one mirrored too; what comes in from outside repeats the border. A copy is a picture with an index, so
    its features are computed once and cached like any other's, and one round is dealt from one set of copies:
    sender and receiver look at the same world.

    Args:
        album: the pictures.
        splits: their splits; those of validation and test keep to the originals.
        views: versions of each training picture, the original among them.
        seed: draws turns, scales and shifts.
    """
    train = splits["train"]
    chosen = (train.shown | train.pool).nonzero()[:, 0]  # [m]
    pixels = torch.from_numpy(album.pixels)[chosen]
    generator = torch.Generator().manual_seed(seed)
    copies = [change(pixels, number, generator).numpy() for number in range(1, views)]
    index = chosen.numpy()
    grown = dataclasses.replace(
        album,
        pixels=np.concatenate([album.pixels, *copies]),
        label=np.concatenate([album.label, *[album.label[index]] * (views - 1)]),
        artist=np.concatenate([album.artist, *[album.artist[index]] * (views - 1)]),
    )
    n, m = len(album.label), len(chosen)
    total = n + m * (views - 1)
    found = {
        name: Split(name, _put(split.shown, 0, total), _put(split.pool, 0, total)) for name, split in splits.items()
    }
    for number in range(1, views):
        start, name = n + m * (number - 1), f"train/copy-{number}"
        found[name] = Split(name, _put(train.shown[chosen], start, total), _put(train.pool[chosen], start, total))
    return grown, found


def change(pixels: Tensor, number: int, generator: torch.Generator) -> Tensor:
    """Copy ``number`` of pictures, uint8 [m, 3, H, W] to the same; see ``add_copies``."""
    mirrored = number % 2 == 1
    if number == 1:
        return pixels.flip(-1)
    turned = []
    for part in pixels.split(512):
        theta = _affine(len(part), mirrored, generator)
        grid = torch.nn.functional.affine_grid(theta, list(part.shape), align_corners=False)
        moved = torch.nn.functional.grid_sample(
            part.float(), grid, mode="bilinear", padding_mode="border", align_corners=False
        )
        turned.append(moved.round().clamp(0, 255).to(torch.uint8))
    return torch.cat(turned)


def _affine(count: int, mirrored: bool, generator: torch.Generator) -> Float[Tensor, "m 2 3"]:
    """Random maps from a copy's place to the original's, [m, 2, 3]."""
    noise = torch.rand(count, 4, generator=generator) * 2 - 1
    angle, scale = noise[:, 0] * TURN, 1 + noise[:, 1] * SCALE
    sign = -1.0 if mirrored else 1.0
    rows = [
        torch.stack([sign * scale * angle.cos(), -scale * angle.sin(), noise[:, 2] * SHIFT], dim=-1),
        torch.stack([sign * scale * angle.sin(), scale * angle.cos(), noise[:, 3] * SHIFT], dim=-1),
    ]
    return torch.stack(rows, dim=1)


def _put(mask: Bool[Tensor, " k"], start: int, total: int) -> Bool[Tensor, " n"]:
    longer = torch.zeros(total, dtype=torch.bool)
    longer[start : start + len(mask)] = mask
    return longer
