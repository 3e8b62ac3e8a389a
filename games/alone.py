"""Rounds of pictures alone: nobody chooses, so there are no candidates and there is no target."""

import torch

from games.pictures import Gallery
from games.play import Round
from raster import InputError
from raster.shapes import Int, Tensor


def deal_alone(gallery: Gallery, split: str, games: int, generator: torch.Generator, what: str) -> Round:
    """Deal ``games`` pictures of a split, none twice unless there are fewer; pools are empty.

    Args:
        gallery: the pictures.
        split: one of ``gallery.splits``.
        games: B.
        generator: the run's dealing generator, on the CPU.
        what: what is done with them, for the message.

    Raises:
        InputError: the split has no pictures.
    """
    there = gallery.splits[split].shown.nonzero()[:, 0]  # [n]
    if not len(there):
        raise InputError(f"no picture to {what}", f"split {split!r}", "take other pictures or another split")
    order = torch.randperm(len(there), generator=generator)
    some = there[order[torch.arange(games) % len(there)]]
    return alone(some, split, int(torch.randint(2**62, (1,), generator=generator)))


def alone(shown: Int[Tensor, " b"], split: str, seed: int) -> Round:
    """The round of these pictures: no candidates, no target."""
    none = torch.zeros_like(shown)
    return Round(shown.new_zeros(1, 0), none - 1, none, shown, split, seed)
