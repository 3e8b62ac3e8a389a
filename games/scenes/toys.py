"""Sets that need no picture, or hardly one: the toys on which set prediction is understood.

All are ``[B, N, C]`` with presence last (``perception.sets.elements``), and their noise comes from a generator alone.
"""

import math
from dataclasses import dataclass

import torch

from raster.errors import InputError
from raster.shapes import Float, Int, Tensor, UInt8


def polygons(
    games: int, sides: int, generator: torch.Generator
) -> tuple[Float[Tensor, "{games} 2"], Float[Tensor, "{games} {sides} 3"]]:
    """Regular polygons on the unit circle, turned at random: what is told, [B, 2], and the corners, [B, N, 3].

    What is told is the turn, as cosine and sine of `sides` times its angle, so that it moves smoothly and comes back to
    itself after a turn by one corner. The *set* of corners comes back too, and no list of them can: whoever answers
    with a list has to jump somewhere. That is the responsibility problem (Zhang, Hare & Prügel-Bennett, ICLR 2020).
    """
    if sides < 2:
        raise InputError(f"a polygon of {sides} corners", None, "take 2 or more")
    turn = torch.rand(games, generator=generator) * (2 * math.pi / sides)
    told = torch.stack([(sides * turn).cos(), (sides * turn).sin()], dim=-1)
    angles = turn[:, None] + torch.arange(sides) * (2 * math.pi / sides)  # [B, N]
    return told, torch.stack([angles.cos(), angles.sin(), torch.ones_like(angles)], dim=-1)


def multisets(
    games: int, elements: int, channels: int, generator: torch.Generator, copies: int = 1
) -> Float[Tensor, "{games} {elements} c"]:
    """Points of N(0, 1) in `channels` dimensions, [B, N, channels + 1]; each `copies` times (iDSPN, section 4.2).

    Raises InputError where `elements` is not a multiple of `copies`.
    """
    if copies < 1 or elements % copies:
        raise InputError(f"{elements} elements, each {copies} times", None, "let the one be a multiple of the other")
    points = torch.randn(games, elements // copies, channels, generator=generator).repeat_interleave(copies, dim=1)
    return torch.cat([points, points.new_ones(games, elements, 1)], dim=-1)


@dataclass(frozen=True)
class Numbering:
    """Class-specific numbering: elements of a class are to be told apart by numbers from 0 up (iDSPN, section 4.1).

    Attributes:
        given: each element's class, one-hot, [B, N, K + 1]: equal elements, a multiset.
        wanted: the same with a number beside it, one-hot, [B, N, K + N + 1]. In which order a class's elements get
            their numbers is nobody's business; that they get different ones is.
    """

    given: Float[Tensor, "b n c"]
    wanted: Float[Tensor, "b n c2"]


def numbering(games: int, elements: int, classes: int, generator: torch.Generator) -> Numbering:
    """`games` multisets of `elements` elements, each of a class drawn evenly from `classes`."""
    label = torch.randint(classes, (games, elements), generator=generator)
    one = torch.nn.functional.one_hot(label, classes)  # [B, N, K]
    number = (one.cumsum(dim=1) - 1).gather(2, label[..., None])[..., 0]  # [B, N]: how many of its class came before
    there = torch.ones(games, elements, 1)
    kind = one.float()
    wanted = torch.nn.functional.one_hot(number, elements).float()
    return Numbering(torch.cat([kind, there], -1), torch.cat([kind, wanted, there], -1))


def numbered_rightly(answer: Float[Tensor, "b n c"], given: Float[Tensor, "b n k1"]) -> Float[Tensor, " b"]:
    """Which answers are right to the last element, [B] of 0 and 1: the likeliest class and number of each is read.

    `answer` has the layout of ``Numbering.wanted``. It is right if, of every class, it has as many elements as were
    given, with the numbers 0, 1, 2, ..., each once.
    """
    classes, elements = given.shape[-1] - 1, answer.shape[1]
    label = answer[..., :classes].argmax(-1)
    number = answer[..., classes : classes + elements].argmax(-1)
    said = _counts(label * elements + number, classes * elements)  # [B, K * N]
    many = given[..., :classes].sum(dim=1)  # [B, K]
    wanted = (torch.arange(elements, device=many.device) < many[..., None]).flatten(1).to(said.dtype)
    return (said == wanted).all(dim=1).to(answer.dtype)


def _counts(index: Int[Tensor, "b n"], size: int) -> Int[Tensor, "b {size}"]:
    return torch.zeros(len(index), size, dtype=torch.long, device=index.device).scatter_add_(1, index, index * 0 + 1)


def points_of(pictures: UInt8[Tensor, "b h w"], slots: int, threshold: int = 0) -> Float[Tensor, "b {slots} 3"]:
    """Pictures as sets of their inked pixels, [B, N, 3]: x and y in [0, 1] from the first pixel to the last, presence.

    MNIST as point sets (DSPN, section 5.1: pixels brighter than the mean of all; N = 342).

    Args:
        pictures: bytes, ink bright.
        slots: N. Of more pixels than this, every so many is left out, evenly.
        threshold: a pixel belongs to the set above it.
    """
    height, width = pictures.shape[1:]
    sets = torch.zeros(len(pictures), slots, 3)
    scale = torch.tensor([max(width - 1, 1), max(height - 1, 1)], dtype=torch.float32)
    for row, picture in zip(sets, pictures, strict=True):
        places = (picture > threshold).nonzero().flip(-1).float() / scale  # [n, 2]: x, y
        if len(places) > slots:
            places = places[torch.linspace(0, len(places) - 1, slots).round().long()]
        row[: len(places), :2], row[: len(places), 2] = places, 1.0
    return sets
