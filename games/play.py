"""Plain data between the room of games and everybody else: a round as it is dealt, a play as it went."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Protocol, runtime_checkable

import torch
from torch import nn

from games.course import Course
from games.pictures import ConceptView, Gallery, PictureView
from perception import FrozenTrunk, Trunks
from raster import CanvasConfig, Strokes
from raster.shapes import Bool, Float, Int, Tensor


@runtime_checkable
class Players(Protocol):
    """What a game needs of those who play it (``agents.Pair`` is one)."""

    def draw(self, view: PictureView, generator: torch.Generator) -> Strokes: ...

    def score(
        self, canvas: Tensor, pool: PictureView, pools: int, pool_of: Tensor, generator: torch.Generator
    ) -> Tensor: ...


@dataclass(frozen=True)
class Round:
    """B games against G pools of K candidates, as indices into a gallery: no pixels.

    Attributes:
        pool: picture indices of the candidates, [G, K].
        target: position of each game's target in its pool, [B], 0 <= target < K; of several the first, -1 for none.
        pool_of: which pool each game is played on, [B].
        shown: picture index that the sender is shown, [B]; of several the first.
        split: the gallery's split that this was dealt from.
        seed: seeds all the noise of this round (dropout masks, augmentations).
        part: which game of a mixture this is.
        targets: which candidates are meant, [B, K], where it is not one a game.
        also: further pictures that the sender is shown, [B, S - 1], -1 where there are fewer.
    """

    pool: Int[Tensor, "g k"]
    target: Int[Tensor, " b"]
    pool_of: Int[Tensor, " b"]
    shown: Int[Tensor, " b"]
    split: str
    seed: int
    part: int = 0
    targets: Bool[Tensor, "b k"] | None = None
    also: Int[Tensor, "b s"] | None = None

    @property
    def meant(self) -> Bool[Tensor, "b k"]:
        """Which candidates are targets, one or several a game, [B, K]."""
        if self.targets is not None:
            return self.targets
        return self.target[:, None] == torch.arange(self.pool.shape[1], device=self.target.device)

    def photo(self, gallery: Gallery) -> PictureView:
        """What the senders are shown: a picture each, or several seen as one."""
        if self.also is None:
            return gallery.view(self.shown)
        return ConceptView(gallery, torch.cat([self.shown[:, None], self.also], dim=1))

    def generator(self) -> torch.Generator:
        """The round's own source of noise, on the CPU."""
        return torch.Generator().manual_seed(self.seed)

    def to(self, device: torch.device) -> "Round":
        """The same round with its indices on ``device``."""
        if self.pool.device == device:
            return self
        return replace(
            self,
            pool=self.pool.to(device),
            target=self.target.to(device),
            pool_of=self.pool_of.to(device),
            shown=self.shown.to(device),
            targets=None if self.targets is None else self.targets.to(device),
            also=None if self.also is None else self.also.to(device),
        )


@dataclass(frozen=True)
class Play:
    """How B games went.

    Attributes:
        round: what was dealt.
        photo: what the senders were shown, B pictures (lazy).
        strokes: what they drew, points [B, N, P, 2].
        canvas: ink, [B, H, W], or [B, 3, H, W] where strokes have a colour (``raster.on_paper`` shows either).
        scores: the receivers' scores of their candidates, [B, K].
        loss: what each game cost, [B].
        trunks: the run's frozen trunks, for biases that compare in feature space.
        kept: what the bias that is asked for its cost keeps from step to step (``Bias.keeps``), if anything.
        course: how it went turn by turn, in a game of turns.
        figures: what else there is to say of each game, [B] each, by name.
        said: the sets that describers answered with, [B, N, C] (``perception.sets``), in a game of description.
    """

    round: Round
    photo: PictureView
    strokes: Strokes
    canvas: Float[Tensor, "b *ink h w"]
    scores: Float[Tensor, "b k"]
    loss: Float[Tensor, " b"]
    trunks: Trunks
    kept: nn.Module | None = None
    course: Course | None = None
    figures: Mapping[str, Float[Tensor, " b"]] = field(default_factory=dict)
    said: Float[Tensor, "b n c"] | None = None

    @property
    def chosen(self) -> bool:
        """Whether there was anything to choose from: without candidates there is no choice, no rate, no receiver."""
        return self.scores.shape[-1] > 0

    @property
    def drawn(self) -> tuple[Float[Tensor, "b _ p 2"], ...]:
        """Control points that costs have a gradient in: ``strokes.points``, or those of each turn."""
        return (self.strokes.points,) if self.course is None else self.course.drawn

    @property
    def label(self) -> Int[Tensor, " b"]:
        """Class of what each sender was shown, [B]."""
        return self.photo.label

    def generator(self, word: str) -> torch.Generator:
        """Noise for whoever is called ``word``, on the CPU: seeded by the round and the word, apart from all other."""
        digest = hashlib.sha256(f"{self.round.seed} {word}".encode()).digest()
        return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)

    @property
    def choice(self) -> Int[Tensor, " b"]:
        """The candidate that each receiver gave the highest score, [B]."""
        return self.scores.argmax(dim=-1)

    @property
    def taken(self) -> Bool[Tensor, "b k"]:
        """Which candidates each receiver took, [B, K]: its choice or, where there may be several, all above 0."""
        return taken(self.scores, self.round)

    @property
    def correct(self) -> Bool[Tensor, " b"]:
        """Whether it took the target; of several, whether it judged every candidate rightly, [B]."""
        return correct(self.scores, self.round)

    @property
    def balanced(self) -> Float[Tensor, ""]:
        """Balanced accuracy of all judgements of candidates (``balanced_accuracy``); 0.5 is what guessing gives."""
        return balanced_accuracy(taken(self.scores, self.round), self.round.meant)

    @property
    def probability(self) -> Float[Tensor, " b"]:
        """How sure each receiver was, [B]: the softmax of its scores at its choice, or the product over candidates of
        how sure it was of its judgement of each.
        """
        if self.round.targets is not None:
            return torch.nn.functional.logsigmoid(self.scores.abs()).sum(dim=-1).exp()
        return self.scores.softmax(dim=-1).amax(dim=-1)


def taken(scores: Float[Tensor, "b k"], round: Round) -> Bool[Tensor, "b k"]:
    """Which candidates are taken at these scores, [B, K]: the best; all above 0 where there may be several targets."""
    if round.targets is not None:
        return scores > 0
    return scores.argmax(dim=-1, keepdim=True) == torch.arange(scores.shape[-1], device=scores.device)


def correct(scores: Float[Tensor, "b k"], round: Round) -> Bool[Tensor, " b"]:
    """Which games are won at these scores, [B]: exactly what was meant is taken."""
    if round.targets is not None:
        return (taken(scores, round) == round.targets).all(dim=-1)
    return scores.argmax(dim=-1) == round.target


@torch.no_grad()
def won(plays: Sequence[Play]) -> Bool[Tensor, "m b"]:
    """Which games of several plays, of one number of games each, are won (``Play.correct``)."""
    if any(play.round.targets is not None for play in plays):
        return torch.stack([play.correct for play in plays])
    choice = torch.stack([play.scores for play in plays]).argmax(dim=-1)
    return choice == torch.stack([play.round.target for play in plays])


def balanced_accuracy(taken: Bool[Tensor, "*batch k"], meant: Bool[Tensor, "*batch k"]) -> Float[Tensor, ""]:
    """The mean of two rates: of targets that were taken, and of distractors that were not. Any blind guess gets 0.5.

    Nothing but NaN comes of games that have no target at all, or no distractor.
    """
    found = (taken & meant).sum().double() / meant.sum()
    left = (~taken & ~meant).sum().double() / (~meant).sum()
    return (found + left) / 2


@runtime_checkable
class Game(Protocol):
    """What is played. ``deal`` draws a round, ``play`` plays it.

    Attributes:
        chooses: whether a receiver chooses among candidates.
        describes: whether somebody answers with the set of what is in the picture instead (``runs.describing``). Where
            nobody does either, no receiver is built, and the run is measured by how drawings and pictures compare
            (``runs.tracing``).
    """

    chooses: ClassVar[bool]
    describes: ClassVar[bool]

    def deal(self, gallery: Gallery, split: str, games: int, generator: torch.Generator, turn: int = 0) -> Round: ...

    def play(self, pair: Players, round: Round, gallery: Gallery, canvas: CanvasConfig, step: int) -> Play: ...

    def reads(self) -> tuple[tuple[FrozenTrunk, int], ...]:
        """Levels of frozen trunks whose features of the photos rounds are dealt by; () for most games."""
        ...

    @property
    def parts(self) -> "Sequence[Game]":
        """The games of a mixture; the game itself, alone, otherwise."""
        ...

    @property
    def label(self) -> str:
        """A word for journals and tables."""
        ...
