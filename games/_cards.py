"""What can be dealt from a split under a view, class by class, and how one of several is drawn."""

from dataclasses import dataclass
from typing import Literal
from weakref import WeakKeyDictionary

import torch

from games.pictures import Gallery
from raster import InputError
from raster.shapes import Bool, Int, Tensor

View = Literal["same", "class", "artist"]


@dataclass(frozen=True)
class Cards:
    """What can be dealt from one split: rows are classes, columns their pictures ([T, M], -1 where there is none).

    ``pool`` holds only pictures for which some picture may be shown.
    """

    picture: Int[Tensor, "t m"]
    shown: Bool[Tensor, "t m"]
    pool: Bool[Tensor, "t m"]
    hand: Int[Tensor, "t m"]


_DECKS: WeakKeyDictionary[Gallery, dict[tuple[str, str], Cards]] = WeakKeyDictionary()


def cards_of(gallery: Gallery, split: str, view: View) -> Cards:
    """The cards of a split under a view, sorted once a gallery.

    Raises:
        InputError: there is no such split.
    """
    cards = _DECKS.setdefault(gallery, {}).get((split, view))
    if cards is None:
        cards = _DECKS[gallery][split, view] = _sorted(gallery, split, view)
    return cards


def _sorted(gallery: Gallery, split: str, view: View) -> Cards:
    if split not in gallery.splits:
        raise InputError(f"no split {split!r}", f"pictures {gallery.source}", f"there are {', '.join(gallery.splits)}")
    chosen = gallery.splits[split]
    table, _ = gallery.by_class(chosen.shown | chosen.pool)  # [T, M]
    there = table >= 0
    safe = table.clamp(min=0)
    shown, pool, hand = chosen.shown[safe] & there, chosen.pool[safe] & there, gallery.hand[safe]
    if view == "same":
        pool = pool & shown
    elif view == "class":
        pool = pool & (shown.sum(dim=1, keepdim=True) - shown.long() > 0)
    else:
        hands = by_hand(shown, hand)
        pool = pool & (hands.sum(dim=1, keepdim=True) - hands.gather(1, hand) > 0)
    return Cards(table, shown, pool, hand)


def by_hand(allowed: Bool[Tensor, "t m"], hand: Int[Tensor, "t m"]) -> Int[Tensor, "t a"]:
    """How many allowed pictures of each class are by each hand, [T, A]."""
    hands = torch.zeros(len(hand), int(hand.max()) + 1 if hand.numel() else 1, dtype=torch.long)
    return hands.scatter_add_(1, hand, allowed.long())


def one_of(allowed: Bool[Tensor, "k m"], generator: torch.Generator) -> Int[Tensor, " k"]:
    """A random allowed column of each row."""
    noise = torch.rand(allowed.shape, generator=generator)
    return noise.masked_fill(~allowed, -1.0).argmax(dim=1)


def some_of(allowed: Bool[Tensor, " m"], count: int, generator: torch.Generator) -> Int[Tensor, " n"]:
    """At most ``count`` random allowed positions, each once."""
    found = allowed.nonzero()[:, 0]
    return found[torch.randperm(len(found), generator=generator)[:count]]
