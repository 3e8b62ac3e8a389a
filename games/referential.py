"""The referential game: draw a picture so that a partner finds it, or its like, among K candidates."""

import math
from dataclasses import dataclass
from typing import Annotated, Literal
from weakref import WeakKeyDictionary

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator

from games.pictures import Gallery
from games.play import Play, Players, Round
from raster import CanvasConfig, InputError
from raster.shapes import Bool, Float, Int, Tensor

View = Literal["same", "class", "artist"]


@dataclass(frozen=True)
class _Cards:
    """What can be dealt from one split: rows are classes, columns their pictures ([T, M], -1 where there is none).

    ``pool`` holds only pictures for which some picture may be shown.
    """

    picture: Int[Tensor, "t m"]
    shown: Bool[Tensor, "t m"]
    pool: Bool[Tensor, "t m"]
    hand: Int[Tensor, "t m"]


class Referential(BaseModel):
    """One sender's photo, K candidates, one target (Lewis games; Havrylov & Titov 2017; Mihai & Hare 2021)."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    kind: Literal["referential"] = "referential"
    view: View = "same"
    """What the target is: the sender's own picture, another picture of its class, or the same thing by another hand."""
    candidates: int = Field(64, ge=2)
    """K, the target among them."""
    pool: Literal["classes", "photos"] = "classes"
    """Candidates of K distinct classes, or any K photos."""
    hands: Literal["any", "one"] = "any"
    """Whose pictures the candidates of a pool are: any mixture of artists, or all by one hand (another one each pool),
    so that style tells nothing."""
    loss: Literal["cross_entropy", "hinge"] = "cross_entropy"
    """``hinge`` is the paper's: margin 1, summed over the distractors (not averaged, as torch's own is)."""

    @property
    def parts(self) -> "tuple[Referential, ...]":
        return (self,)

    @property
    def label(self) -> str:
        return self.view

    def deal(self, gallery: Gallery, split: str, games: int, generator: torch.Generator, turn: int = 0) -> Round:
        """Deal ``games`` games; ``ceil(games / K)`` pools of K are shared among them.

        Args:
            gallery: the pictures.
            split: one of ``gallery.splits``.
            games: B.
            generator: the run's dealing generator, on the CPU.
            turn: ignored here; a mixture plays its parts in turn.

        Raises:
            InputError: the split has fewer classes (or photos) that can be played than candidates.
        """
        cards = self._cards(gallery, split)
        k = self.candidates
        pools = math.ceil(games / k)
        dealt = [self._pool(cards, split, generator) for _ in range(pools)]
        pool = torch.stack([p for p, _ in dealt])  # [G, K]
        shown = torch.stack([s for _, s in dealt])  # [G, K]
        game = torch.arange(games)
        pool_of = game % pools
        order = torch.stack([torch.randperm(k, generator=generator) for _ in range(pools)])  # [G, K]
        target = order[pool_of, game // pools]
        seed = int(torch.randint(2**62, (1,), generator=generator))
        return Round(pool, target, pool_of, shown[pool_of, target], split, seed)

    def _cards(self, gallery: Gallery, split: str) -> _Cards:
        cards = _DECKS.setdefault(gallery, {}).get((split, self.view))
        if cards is None:
            cards = _DECKS[gallery][split, self.view] = _sort_cards(gallery, split, self.view)
        return cards

    def _pool(
        self, cards: _Cards, split: str, generator: torch.Generator
    ) -> tuple[Int[Tensor, " k"], Int[Tensor, " k"]]:
        """K candidates and, for each, what a sender would be shown if it were the target."""
        allowed = cards.pool if self.hands == "any" else self._of_one_hand(cards, split, generator)
        if self.pool == "classes":
            rows = allowed.any(dim=1).nonzero()[:, 0]
            self._enough(len(rows), "classes", split)
            row = rows[torch.randperm(len(rows), generator=generator)[: self.candidates]]  # [K]
            column = _one_of(allowed[row], generator)  # [K]
        else:
            cells = allowed.nonzero()
            self._enough(len(cells), "photos", split)
            row, column = cells[torch.randperm(len(cells), generator=generator)[: self.candidates]].unbind(1)
        partners = cards.shown[row]  # [K, M]
        if self.view == "artist":
            partners = partners & (cards.hand[row] != cards.hand[row, column, None])
        else:
            itself = torch.arange(partners.shape[1]) == column[:, None]
            partners = partners & (itself if self.view == "same" else ~itself)
        return cards.picture[row, column], cards.picture[row, _one_of(partners, generator)]

    def _of_one_hand(self, cards: _Cards, split: str, generator: torch.Generator) -> Bool[Tensor, "t m"]:
        """What may be a candidate, [T, M], of one hand: drawn at random from those that have enough."""
        hands = cards.hand[cards.pool].unique()  # [A]
        own = cards.pool & (cards.hand == hands[:, None, None])  # [A, T, M]
        counts = own.any(dim=2).sum(dim=1) if self.pool == "classes" else own.sum(dim=(1, 2))  # [A]
        self._enough(int(counts.max()) if len(counts) else 0, f"{self.pool} by one hand", split)
        enough = (counts >= self.candidates).nonzero()[:, 0]
        return own[enough[int(torch.randint(len(enough), (1,), generator=generator))]]

    def _enough(self, count: int, what: str, split: str) -> None:
        if count < self.candidates:
            few = {
                "class": "it takes two pictures of a class in every split: give more pictures or larger splits",
                "artist": "take another view, or pictures by several artists",
            }
            raise InputError(
                f"{self.candidates} candidates, but only {count} {what} can be played with view {self.view!r}",
                f"game.candidates, split {split!r}",
                f"take at most {count} candidates" if count >= 2 else few.get(self.view, "take other pictures"),
            )

    def play(self, pair: Players, round: Round, gallery: Gallery, canvas: CanvasConfig, step: int) -> Play:
        """Play a round: draw, rasterise, score. The round's indices are on the gallery's device."""
        generator = round.generator()
        photo = gallery.view(round.shown)
        strokes = pair.draw(photo, generator)
        ink = canvas.draw(strokes, step)  # [B, H, W], or [B, 3, H, W] of coloured strokes
        pool = gallery.view(round.pool.flatten())
        scores = pair.score(ink, pool, round.pool.shape[0], round.pool_of, generator)
        return Play(round, photo, strokes, ink, scores, self.price(scores, round.target), gallery.trunks)

    def price(self, scores: Float[Tensor, "b k"], target: Int[Tensor, " b"]) -> Float[Tensor, " b"]:
        """The game's loss, one number a game, [B]."""
        if self.loss == "cross_entropy":
            return torch.nn.functional.cross_entropy(scores, target, reduction="none")
        margin = (1.0 - scores.gather(1, target[:, None]) + scores).clamp(min=0.0)  # [B, K]
        return margin.sum(dim=1) - 1.0  # the target's own margin is always 1


class Mixture(BaseModel):
    """Several games played in turn: each once, or as often in a row as ``turns`` says, then from the first again."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    kind: Literal["mixture"] = "mixture"
    of: tuple[Referential, ...] = Field(min_length=1)
    """The games."""
    turns: tuple[Annotated[int, Field(ge=1)], ...] | None = None
    """How many steps in a row each of them is played; one each when left out."""

    @model_validator(mode="after")
    def _one_number_a_game(self) -> "Mixture":
        if self.turns is not None and len(self.turns) != len(self.of):
            raise ValueError(f"{len(self.turns)} turns for {len(self.of)} games: give one number a game")
        return self

    @property
    def parts(self) -> tuple[Referential, ...]:
        return self.of

    @property
    def label(self) -> str:
        return "+".join(part.label for part in self.of)

    def deal(self, gallery: Gallery, split: str, games: int, generator: torch.Generator, turn: int = 0) -> Round:
        """Deal the game whose turn it is."""
        cycle = [part for part, times in enumerate(self.turns or (1,) * len(self.of)) for _ in range(times)]
        part = cycle[turn % len(cycle)]
        dealt = self.of[part].deal(gallery, split, games, generator)
        return Round(dealt.pool, dealt.target, dealt.pool_of, dealt.shown, split, dealt.seed, part)

    def play(self, pair: Players, round: Round, gallery: Gallery, canvas: CanvasConfig, step: int) -> Play:
        """Play a round of the part that dealt it."""
        return self.of[round.part].play(pair, round, gallery, canvas, step)


_DECKS: WeakKeyDictionary[Gallery, dict[tuple[str, str], _Cards]] = WeakKeyDictionary()


def _sort_cards(gallery: Gallery, split: str, view: View) -> _Cards:
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
        hands = torch.zeros(len(table), int(gallery.hand.max()) + 1, dtype=torch.long)  # shown pictures by each hand
        hands.scatter_add_(1, hand, shown.long())
        pool = pool & (hands.sum(dim=1, keepdim=True) - hands.gather(1, hand) > 0)
    return _Cards(table, shown, pool, hand)


def _one_of(allowed: Bool[Tensor, "k m"], generator: torch.Generator) -> Int[Tensor, " k"]:
    """A random allowed column of each row."""
    noise = torch.rand(allowed.shape, generator=generator)
    return noise.masked_fill(~allowed, -1.0).argmax(dim=1)
