"""How many of the candidates are meant: one, or any number of one concept."""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator

from games._cards import Cards, View, by_hand, one_of, some_of
from raster import InputError
from raster.shapes import Bool, Int, Tensor


class OneTarget(BaseModel):
    """One candidate is the target, and the receiver takes one."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    kind: Literal["one"] = "one"


class SeveralTargets(BaseModel):
    """Some candidates, or none, show what is meant, and the receiver says of each whether it does.

    The game of reference sets of Mu & Goodman (*Emergent Communication of Generalizations*, NeurIPS 2021) without
    distractors before the sender: a concept is a class, and the sender is shown pictures of it, as many as there are
    targets and at least one. What it sees is the mean of their features. ``view`` says which: the targets themselves
    (where there is none, a picture of a class that is not among the candidates), other pictures of the class, or ones
    by another hand.

    Every pool consists of whole groups, one of each of its concepts, and each concept is meant once: nothing but the
    drawing tells which.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    kind: Literal["several"] = "several"
    least: int = Field(0, ge=0)
    """The fewest targets. With 0, about one game in ``most`` + 1 means something that is not there."""
    most: int = Field(3, ge=1)
    """The most targets. Numbers in between are about equally likely: where a class has too few pictures, or a pool too
    little room left, there are fewer."""

    @model_validator(mode="after")
    def _a_range(self) -> "SeveralTargets":
        if self.least > self.most:
            raise ValueError(f"least {self.least} is above most {self.most}")
        return self

    @property
    def fewest(self) -> int:
        """Pictures of the smallest group that a pool holds."""
        return max(1, self.least)

    def absent(self, concepts: int) -> int:
        """How many games mean what is not there, beside ``concepts`` that are."""
        return max(1, round(concepts / self.most)) if self.least == 0 else 0

    def concepts(self, candidates: int) -> int:
        """The most classes that a pool of so many candidates and its games can take."""
        groups = math.ceil(candidates / self.fewest)
        return groups + self.absent(groups)


TargetConfig = Annotated[OneTarget | SeveralTargets, Field(discriminator="kind")]


@dataclass(frozen=True)
class ConceptPool:
    """One pool of K candidates and its M games.

    Attributes:
        pool: picture of each candidate, [K].
        targets: which candidates each game means, [M, K].
        shown: pictures that each sender is shown, [M, S], -1 where there are fewer; the first is always there.
    """

    pool: Int[Tensor, " k"]
    targets: Bool[Tensor, "m k"]
    shown: Int[Tensor, "m s"]


def concept_pool(
    cards: Cards, view: View, config: SeveralTargets, candidates: int, split: str, generator: torch.Generator
) -> ConceptPool:
    """Deal one pool: groups of a class each until it is full, and classes that are not in it to be meant in vain.

    The last group takes the room that is left; if that is less than ``least``, nobody means it.

    Raises:
        InputError: the split has fewer classes than could be asked for.
    """
    room = _room(cards, view)
    rows = (room >= config.fewest).nonzero()[:, 0]
    need = config.concepts(candidates)
    if len(rows) < need:
        fits = max((k for k in range(config.most + 1, candidates) if config.concepts(k) <= len(rows)), default=None)
        raise InputError(
            f"{candidates} candidates may take {need} classes with {config.fewest} or more targets each, "
            f"but there are {len(rows)} with view {view!r}",
            f"game.candidates, split {split!r}",
            f"take at most {fits} candidates" if fits else "take more pictures, or another view",
        )
    order = rows[torch.randperm(len(rows), generator=generator)].tolist()
    pool: list[Tensor] = []
    games: list[tuple[int, int, Tensor]] = []  # where a group starts, how many it has, what the sender is shown
    filled = 0
    while filled < candidates:
        row = order.pop()
        number = int(torch.randint(config.fewest, config.most + 1, (1,), generator=generator))
        number = min(number, int(room[row]), candidates - filled)
        group, shown = _concept(cards, view, row, number, generator)
        pool.append(group)
        if number >= config.fewest:
            games.append((filled, number, shown))
        filled += number
    absent = order[: config.absent(len(games))]  # what is left of it was not taken
    games += [(0, 0, _concept(cards, view, row, 0, generator)[1]) for row in absent]
    place = torch.randperm(candidates, generator=generator)
    targets = torch.zeros(len(games), candidates, dtype=torch.bool)
    seen = torch.full((len(games), config.most), -1)
    for game, (start, number, shown) in enumerate(games):
        targets[game, place[start : start + number]] = True
        seen[game, : len(shown)] = shown
    return ConceptPool(torch.cat(pool)[place.argsort()], targets, seen)


def _room(cards: Cards, view: View) -> Int[Tensor, " t"]:
    """How many pictures of each class can be targets at once while one at least is left to be shown, [T]."""
    total = cards.pool.sum(dim=1)
    if view == "same":
        return total
    if view == "class":
        return (total - 1).clamp(min=0)
    drawn, shown = by_hand(cards.pool, cards.hand), by_hand(cards.shown, cards.hand)  # [T, A]
    return (total[:, None] - drawn).masked_fill(shown == 0, 0).amax(dim=1)


def _concept(
    cards: Cards, view: View, row: int, number: int, generator: torch.Generator
) -> tuple[Int[Tensor, " n"], Int[Tensor, " s"]]:
    """``number`` targets of a class, and what a sender is shown of it: as many pictures if there are, one at least."""
    pool, shown, hand = cards.pool[row], cards.shown[row], cards.hand[row]  # [M]
    if view == "same":
        targets = some_of(pool, number, generator)
        seen = targets if number else some_of(shown, 1, generator)
    elif view == "class":
        first = one_of(shown[None], generator)
        others = torch.arange(len(pool)) != first
        targets = some_of(pool & others, number, generator)
        free = shown & others
        free[targets] = False
        seen = torch.cat([first, some_of(free, max(0, number - 1), generator)])
    else:
        hands = torch.arange(int(hand.max()) + 1)
        drawn = (pool & (hand != hands[:, None])).sum(dim=1)  # [A]: pictures that are not by this hand
        able = (shown & (hand == hands[:, None])).any(dim=1) & (drawn >= number)
        one = some_of(able, 1, generator)
        seen = some_of(shown & (hand == one), max(1, number), generator)
        targets = some_of(pool & (hand != one), number, generator)
    return cards.picture[row][targets], cards.picture[row][seen]
