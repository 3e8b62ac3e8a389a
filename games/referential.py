"""The referential game: draw a picture so that a partner finds it, or its like, among K candidates."""

import math
from dataclasses import replace
from functools import lru_cache
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator

from games import losses
from games._cards import Cards, View, cards_of, one_of, some_of
from games.distractors import DistractorConfig, NearestDistractors, RandomDistractors, hardest
from games.pictures import Gallery
from games.play import Play, Players, Round
from games.targets import OneTarget, SeveralTargets, TargetConfig, concept_pool
from perception import FrozenTrunk
from raster import CanvasConfig, InputError
from raster.shapes import Bool, Float, Int, Tensor


class Referential(BaseModel):
    """One sender's photo, K candidates, one target (Lewis games; Havrylov & Titov 2017; Mihai & Hare 2021); or several
    targets, or none (Mu & Goodman 2021).
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    chooses: ClassVar[bool] = True
    describes: ClassVar[bool] = False

    kind: Literal["referential"] = "referential"
    view: View = "same"
    """What the target is: the sender's own picture, another picture of its class, or the same thing by another hand."""
    candidates: int = Field(64, ge=2)
    """K, the target among them."""
    pool: Literal["classes", "photos", "class"] = "classes"
    """Candidates of K distinct classes, any K photos, or K pictures of one class (another one each pool): scenes with
    variants then stand among scenes that differ from them in one object. That takes the view ``same``."""
    hands: Literal["any", "one"] = "any"
    """Whose pictures the candidates of a pool are: any mixture of artists, or all by one hand (another one each pool),
    so that style tells nothing."""
    distractors: DistractorConfig = RandomDistractors()
    """Who stands beside the target: anybody, or those most like it."""
    targets: TargetConfig = OneTarget()
    """How many candidates are meant."""
    loss: Literal["cross_entropy", "hinge", "multi_margin", "info_nce"] = "cross_entropy"
    """``cross_entropy``: of the target under a softmax over the pool; with several targets, binary, candidate by
    candidate. ``hinge`` is the paper's formula: margin 1, summed over the distractors; ``multi_margin`` is torch's and
    that of the paper's code: the same divided by K. ``info_nce``: the mean of the cross-entropies from sketch to photo
    among the candidates and from photo to sketch among the games on the same pool (CPC, CLIP)."""

    @model_validator(mode="after")
    def _fits_together(self) -> "Referential":
        if self._own_pools and self.loss == "info_nce":
            raise ValueError(
                "info_nce tells the games on a pool apart, but with distractors.about: target each has its own pool: "
                "say distractors.about: pool, or take another loss"
            )
        if self.pool == "class" and (self.view != "same" or self.reads()):
            raise ValueError(
                "in a pool of one class any picture would be another one of the target's class, and all are alike: "
                "take view: same, and leave out distractors"
            )
        if isinstance(self.targets, SeveralTargets):
            if self.reads() or self.pool != "classes" or self.hands != "any":
                raise ValueError(
                    "several targets stand in pools of classes, by any hands, beside random distractors: "
                    "leave out pool, hands and distractors"
                )
            if self.loss != "cross_entropy":
                raise ValueError(
                    "several targets are judged one by one: leave loss at cross_entropy, which is binary there"
                )
            if self.targets.most >= self.candidates:
                raise ValueError(f"{self.targets.most} targets leave no distractor among {self.candidates} candidates")
        return self

    @property
    def parts(self) -> "tuple[Referential, ...]":
        return (self,)

    @property
    def label(self) -> str:
        """The view and, with a hyphen each, what is not as usual: ``same``, ``class-several``, ``same-nearest``,
        ``same-within`` (a pool of one class).
        """
        words: list[str] = [self.view]
        if self.pool == "class":
            words.append("within")
        if isinstance(self.targets, SeveralTargets):
            words.append("several")
        if isinstance(self.distractors, NearestDistractors):
            words.append("nearest")
        return "-".join(words)

    def among(self, candidates: int) -> "Referential":
        """The same game with another number of candidates."""
        return Referential.model_validate({**dict(self), "candidates": candidates})

    def reads(self) -> tuple[tuple[FrozenTrunk, int], ...]:
        """The level of the trunk whose features say which distractors are nearest, if they are."""
        if isinstance(self.distractors, NearestDistractors):
            return ((self.distractors.trunk, self.distractors.number),)
        return ()

    def deal(self, gallery: Gallery, split: str, games: int, generator: torch.Generator, turn: int = 0) -> Round:
        """Deal ``games`` games. ``ceil(games / K)`` pools of K are shared among them; each has a pool of its own where
        distractors are the nearest to its target; with several targets there are as many pools as it takes.

        Args:
            gallery: the pictures.
            split: one of ``gallery.splits``.
            games: B.
            generator: the run's dealing generator, on the CPU.
            turn: ignored here; a mixture plays its parts in turn.

        Raises:
            InputError: the split has fewer classes (or photos) that can be played than candidates.
        """
        if isinstance(self.targets, SeveralTargets):
            return self._deal_concepts(gallery, split, games, generator)
        cards = cards_of(gallery, split, self.view)
        k = self.candidates
        pools = games if self._own_pools else math.ceil(games / k)
        dealt = [self._pool(cards, gallery, split, generator) for _ in range(pools)]
        pool = torch.stack([p for p, _ in dealt])  # [G, K]
        shown = torch.stack([s for _, s in dealt])  # [G, K]
        pool_of, place = _places(games, pools)
        order = torch.stack([torch.randperm(k, generator=generator) for _ in range(pools)])  # [G, K]
        if self.reads():  # the first was compared with the rest: it goes where the first game's target stands
            pool, shown = (torch.empty_like(each).scatter_(1, order, each) for each in (pool, shown))
        target = order[pool_of, place]
        seed = int(torch.randint(2**62, (1,), generator=generator))
        return Round(pool, target, pool_of, shown[pool_of, target], split, seed)

    def deal_pool(self, gallery: Gallery, split: str, generator: torch.Generator) -> Round:
        """Deal one pool whole: a game for each candidate or, with several targets, for each concept. (Where each game
        has its own pool: as many games as there are candidates.)
        """
        if isinstance(self.targets, SeveralTargets):
            return self._deal_concepts(gallery, split, None, generator)
        return self.deal(gallery, split, self.candidates, generator)

    @property
    def _own_pools(self) -> bool:
        return isinstance(self.distractors, NearestDistractors) and self.distractors.about == "target"

    def _deal_concepts(self, gallery: Gallery, split: str, games: int | None, generator: torch.Generator) -> Round:
        """Pools with their games until there are ``games``, in random order; with None, all games of one pool."""
        assert isinstance(self.targets, SeveralTargets)
        cards = cards_of(gallery, split, self.view)
        dealt = [concept_pool(cards, self.view, self.targets, self.candidates, split, generator)]
        while sum(len(each.targets) for each in dealt) < (games or 0):
            dealt.append(concept_pool(cards, self.view, self.targets, self.candidates, split, generator))
        pool_of = torch.cat([torch.full((len(each.targets),), number) for number, each in enumerate(dealt)])
        some = torch.randperm(len(pool_of), generator=generator)[:games]
        targets = torch.cat([each.targets for each in dealt])[some]  # [B, K]
        shown = torch.cat([each.shown for each in dealt])[some]  # [B, S]
        first = torch.where(targets.any(dim=1), targets.long().argmax(dim=1), -1)
        seed = int(torch.randint(2**62, (1,), generator=generator))
        pool = torch.stack([each.pool for each in dealt])  # [G, K]
        return Round(pool, first, pool_of[some], shown[:, 0], split, seed, targets=targets, also=shown[:, 1:])

    def _pool(
        self, cards: Cards, gallery: Gallery, split: str, generator: torch.Generator
    ) -> tuple[Int[Tensor, " k"], Int[Tensor, " k"]]:
        """K candidates and, for each, what a sender would be shown if it were the target."""
        allowed = cards.pool if self.hands == "any" else self._of_one_hand(cards, split, generator)
        if self.pool == "class":
            return self._pool_of_one_class(cards, allowed, split, generator)
        picture, wide = cards.picture, allowed.shape[1]
        if self.pool == "photos":  # each photo a row of its own
            picture, allowed = picture.reshape(-1, 1), allowed.reshape(-1, 1)
        rows = allowed.any(dim=1).nonzero()[:, 0]
        self._enough(len(rows), self.pool, split)
        row = rows[torch.randperm(len(rows), generator=generator)]  # [R]
        if isinstance(self.distractors, NearestDistractors):
            embeddings = gallery.embeddings(self.distractors.trunk, self.distractors.number)
            hard = self.distractors.hard(self.candidates)
            row, column = hardest(embeddings, picture, allowed, row, hard, self.candidates, generator)
        else:
            row = row[: self.candidates]
            column = one_of(allowed[row], generator) if self.pool == "classes" else torch.zeros_like(row)  # [K]
        if self.pool == "photos":
            row, column = row // wide, row % wide
        partners = cards.shown[row]  # [K, M]
        if self.view == "artist":
            partners = partners & (cards.hand[row] != cards.hand[row, column, None])
        else:
            itself = torch.arange(partners.shape[1]) == column[:, None]
            partners = partners & (itself if self.view == "same" else ~itself)
        return cards.picture[row, column], cards.picture[row, one_of(partners, generator)]

    def _pool_of_one_class(
        self, cards: Cards, allowed: Bool[Tensor, "t m"], split: str, generator: torch.Generator
    ) -> tuple[Int[Tensor, " k"], Int[Tensor, " k"]]:
        """K pictures of a class that has as many, each of which is what the sender would be shown."""
        counts = allowed.sum(dim=1)  # [T]
        self._enough(int(counts.max()) if len(counts) else 0, "pictures of one class", split)
        rows = (counts >= self.candidates).nonzero()[:, 0]
        row = rows[int(torch.randint(len(rows), (1,), generator=generator))]
        candidates = cards.picture[row][some_of(allowed[row], self.candidates, generator)]
        return candidates, candidates

    def _of_one_hand(self, cards: Cards, split: str, generator: torch.Generator) -> Bool[Tensor, "t m"]:
        """What may be a candidate, [T, M], of one hand: drawn at random from those that have enough."""
        hands = cards.hand[cards.pool].unique()  # [A]
        own = cards.pool & (cards.hand == hands[:, None, None])  # [A, T, M]
        if self.pool == "class":
            counts = own.sum(dim=2).amax(dim=1)  # [A]
        else:
            counts = own.any(dim=2).sum(dim=1) if self.pool == "classes" else own.sum(dim=(1, 2))
        what = "pictures of one class" if self.pool == "class" else self.pool
        self._enough(int(counts.max()) if len(counts) else 0, f"{what} by one hand", split)
        enough = (counts >= self.candidates).nonzero()[:, 0]
        return own[enough[int(torch.randint(len(enough), (1,), generator=generator))]]

    def _enough(self, count: int, what: str, split: str) -> None:
        if count < self.candidates:
            more = ", or more pictures (of scenes: pictures.variants)" if self.pool == "class" else ""
            few = {
                "class": "it takes two pictures of a class in every split: give more pictures or larger splits",
                "artist": "take another view, or pictures by several artists",
            }
            raise InputError(
                f"{self.candidates} candidates, but only {count} {what} can be played with view {self.view!r}",
                f"game.candidates, split {split!r}",
                f"take at most {count} candidates{more}" if count >= 2 else few.get(self.view, "take other pictures"),
            )

    def play(self, pair: Players, round: Round, gallery: Gallery, canvas: CanvasConfig, step: int) -> Play:
        """Play a round: draw, rasterise, score. The round's indices are on the gallery's device."""
        generator = round.generator()
        photo = round.photo(gallery)
        strokes = pair.draw(photo, generator)
        ink = canvas.draw(strokes, step)  # [B, H, W], or [B, 3, H, W] of coloured strokes
        pool = gallery.view(round.pool.flatten())
        scores = pair.score(ink, pool, round.pool.shape[0], round.pool_of, generator)
        return Play(round, photo, strokes, ink, scores, self.price(scores, round), gallery.trunks)

    def price(self, scores: Float[Tensor, "b k"], round: Round) -> Float[Tensor, " b"]:
        """The game's loss, one number a game, [B]."""
        if round.targets is not None:
            return losses.binary(scores, round.targets)
        if self.loss == "info_nce":
            return losses.info_nce(scores, round.target, round.pool_of)
        return losses.OF_ONE_TARGET[self.loss](scores, round.target)


@lru_cache
def _places(games: int, pools: int) -> tuple[Int[Tensor, " b"], Int[Tensor, " b"]]:
    """Which pool each game is played on, and which of the pool's games it is."""
    game = torch.arange(games)
    return game % pools, game // pools


class Mixture(BaseModel):
    """Several games played in turn: each once, or as often in a row as ``turns`` says, then from the first again."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    chooses: ClassVar[bool] = True
    describes: ClassVar[bool] = False

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

    def reads(self) -> tuple[tuple[FrozenTrunk, int], ...]:
        """What its parts read."""
        return tuple(dict.fromkeys(pair for part in self.of for pair in part.reads()))

    def deal(self, gallery: Gallery, split: str, games: int, generator: torch.Generator, turn: int = 0) -> Round:
        """Deal the game whose turn it is."""
        cycle = [part for part, times in enumerate(self.turns or (1,) * len(self.of)) for _ in range(times)]
        part = cycle[turn % len(cycle)]
        return replace(self.of[part].deal(gallery, split, games, generator), part=part)

    def play(self, pair: Players, round: Round, gallery: Gallery, canvas: CanvasConfig, step: int) -> Play:
        """Play a round of the part that dealt it."""
        return self.of[round.part].play(pair, round, gallery, canvas, step)
