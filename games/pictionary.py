"""Pictionary: a drawing that grows turn by turn, and a receiver that says when it has seen enough."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal, Protocol, runtime_checkable

import torch
from pydantic import BaseModel, ConfigDict, Field, field_validator

from games import losses
from games.course import Course, decided, drawn_from, log_stop, reached
from games.pictures import Gallery, PictureView
from games.play import Play, Players, Round
from games.referential import Referential, View
from perception import FrozenTrunk
from raster import CanvasConfig, Schedule, Strokes
from raster.shapes import Float, Int, Tensor


@runtime_checkable
class Patient(Protocol):
    """Who decides whether to wait (``agents.turns.Patience`` is one)."""

    mean: Tensor
    """Moving average of what games cost."""

    def __call__(self, scores: Tensor, turn: int) -> Tensor: ...

    def remember(self, cost: Tensor, keep: float) -> None: ...


@runtime_checkable
class TurnPlayers(Players, Protocol):
    """What a game of turns needs of those who play it (``agents.Pair`` is one)."""

    @property
    def training(self) -> bool: ...

    @property
    def patience(self) -> Patient: ...

    def begin(self, view: PictureView, generator: torch.Generator) -> Any: ...

    def more(
        self, at: Any, canvas: Tensor | None, count: int, generator: torch.Generator, heard: Tensor | None
    ) -> tuple[Strokes, Any]: ...

    def look(self, pool: PictureView, pools: int, generator: torch.Generator) -> Tensor: ...

    def guess(self, canvas: Tensor, photos: Tensor, pool_of: Tensor) -> Tensor: ...


class Expected(BaseModel):
    """The expected cost over all turns at which the receiver may answer: exact, and differentiable in the decision."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    kind: Literal["expected"] = "expected"


class Reinforce(BaseModel):
    """The cost at one turn that is drawn by the receiver's own probabilities; the decision learns by REINFORCE.

    The gradient of the decision is ``(cost - baseline) d log p`` (Williams 1992), with a moving average of earlier
    costs as the baseline; the drawing's still goes through the rasteriser. Its mean is that of ``expected``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    kind: Literal["reinforce"] = "reinforce"
    baseline: float = Field(0.9, ge=0, lt=1)
    """Part of the moving average that stays at each step; each receiver keeps one."""


Learn = Annotated[Expected | Reinforce, Field(discriminator="kind")]


class Pictionary(BaseModel):
    """Turns of a few strokes on one canvas; after each the receiver answers or waits (after Qiu et al. 2022).

    A sender draws ``turns`` times ``strokes`` strokes at most (that is its ``strokes.count``). The receiver scores the
    candidates after each turn and answers or waits; the last turn it must answer. An answer after turn t costs the
    referential game's loss of its scores, and t times the price of a turn.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    chooses: ClassVar[bool] = True
    describes: ClassVar[bool] = False

    kind: Literal["pictionary"] = "pictionary"
    view: View = "same"
    """What the target is: the sender's own picture, another picture of its class, or the same thing by another hand."""
    candidates: int = Field(64, ge=2)
    """K, the target among them."""
    pool: Literal["classes", "photos"] = "classes"
    """Candidates of K distinct classes, or any K photos."""
    hands: Literal["any", "one"] = "any"
    """Whose pictures the candidates of a pool are: any mixture of artists, or all by one hand."""
    loss: Literal["cross_entropy", "hinge", "multi_margin"] = "cross_entropy"
    """What a guess costs, as in ``referential``."""
    turns: int = Field(5, ge=2, le=100)
    """T, turns at most."""
    strokes: int = Field(4, ge=1)
    """Strokes a turn, n."""
    price: Schedule = Schedule.of(0.0)
    """What a turn costs, in units of the loss: a number, or {from, to, over} steps. It never falls below 0."""
    sees_scores: bool = False
    """Before each turn but the first the sender is told how the guess stands: the log-probabilities of the target and
    of the best other candidate, and the entropy of all (each over log K). Needs the head ``recurrent``."""
    learn: Learn = Expected()
    """How the decision to answer is learned."""
    explore: Schedule = Schedule.of(0.0)
    """While agents learn, the part of the games that end after any turn alike, whatever the receiver decides (a number,
    or {from, to, over} steps): without it, turns that nobody waits for are not learned, and so never worth waiting
    for. At 1 all turns are learned alike, and no decision is."""

    @field_validator("price")
    @classmethod
    def _no_reward(cls, value: Schedule) -> Schedule:
        if min(value.ends) < 0:
            raise ValueError(f"a turn cannot cost {min(value.ends):g}: the price is 0 or more")
        return value

    @field_validator("explore")
    @classmethod
    def _a_part(cls, value: Schedule) -> Schedule:
        if min(value.ends) < 0 or max(value.ends) > 1:
            raise ValueError(f"explore is a part of the games, from 0 to 1; got {value.ends[0]:g} to {value.ends[1]:g}")
        return value

    @property
    def parts(self) -> "Sequence[Pictionary]":
        return (self,)

    @property
    def label(self) -> str:
        return self.view

    @property
    def guessing(self) -> Referential:
        """The game that is played after every turn: how it is dealt."""
        return Referential(view=self.view, candidates=self.candidates, pool=self.pool, hands=self.hands, loss=self.loss)

    def reads(self) -> tuple[tuple[FrozenTrunk, int], ...]:
        """It is dealt without looking."""
        return ()

    def deal_pool(self, gallery: Gallery, split: str, generator: torch.Generator) -> Round:
        """Deal one pool whole: each candidate is the target once."""
        return self.deal(gallery, split, self.candidates, generator)

    def deal(self, gallery: Gallery, split: str, games: int, generator: torch.Generator, turn: int = 0) -> Round:
        """Deal ``games`` games (``Referential.deal``).

        Raises:
            InputError: the split has fewer classes (or photos) that can be played than candidates.
        """
        return self.guessing.deal(gallery, split, games, generator)

    def play(self, pair: Players, round: Round, gallery: Gallery, canvas: CanvasConfig, step: int) -> Play:
        """Play a round turn by turn. The round's indices are on the gallery's device.

        All turns are drawn, also those that the receiver does not wait for: that is how it is known what they would
        have brought. In the play a stroke has the probability that it is drawn as its presence while agents learn
        (without a gradient: biases push the drawing, not the decision), and 1 or 0 when they are measured; the canvas
        is what is drawn with that. Scores, choice and turn are those of a receiver that does not gamble.
        """
        assert isinstance(pair, TurnPlayers), "pictionary is played by who can draw and look turn by turn"
        generator = round.generator()
        photo = gallery.view(round.shown)
        at = pair.begin(photo, generator)
        photos = pair.look(gallery.view(round.pool.flatten()), round.pool.shape[0], generator)  # [G, K, D]
        ink, heard = None, None
        pieces, inks, guesses, waits = [], [], [], []
        for turn in range(self.turns):
            strokes, at = pair.more(at, ink, self.strokes, generator, heard)
            ink = canvas.draw(strokes, step, upon=ink)  # [B, H, W], or [B, 3, H, W] of coloured strokes
            scores = pair.guess(ink, photos, round.pool_of)  # [B, K]
            pieces.append(strokes)
            inks.append(ink)
            guesses.append(scores)
            if turn < self.turns - 1:
                waits.append(pair.patience(scores, turn))
                heard = told(scores, round.target) if self.sees_scores else None
        wait = torch.stack(waits, dim=1)  # [B, T - 1]
        taken = decided(wait)
        course = Course(torch.stack(guesses, dim=1), wait, taken, tuple(each.points for each in pieces))
        costs = self.costs(course.scores, round.target, step)
        every = torch.arange(len(taken), device=taken.device)
        if pair.training:
            there = reached(wait).detach()
            loss = self._learned(costs, wait, pair.patience, generator, self.explore.at(step))
        else:
            there = (torch.arange(self.turns, device=taken.device) <= taken[:, None]).to(wait)
            loss = costs[every, taken]
        whole = Strokes.cat([_there(each, there[:, turn]) for turn, each in enumerate(pieces)], dim=1)
        seen = canvas.draw(whole, step) if pair.training else torch.stack(inks, dim=1)[every, taken]
        return Play(round, photo, whole, seen, course.scores[every, taken], loss, gallery.trunks, course=course)

    def costs(self, scores: Float[Tensor, "b t k"], target: Int[Tensor, " b"], step: int) -> Float[Tensor, "b t"]:
        """What an answer after each turn costs, [B, T]: the game's loss, and the price of that turn and all before."""
        games, turns, _ = scores.shape
        guess = losses.OF_ONE_TARGET[self.loss](scores.flatten(0, 1), target.repeat_interleave(turns))
        return guess.unflatten(0, (games, turns)) + self.price.at(step) * torch.arange(
            1, turns + 1, device=scores.device
        )

    def _learned(
        self,
        costs: Float[Tensor, "b t"],
        wait: Float[Tensor, "b m"],
        patience: Patient,
        generator: torch.Generator,
        explore: float,
    ) -> Float[Tensor, " b"]:
        stop = log_stop(wait)  # [B, T]
        if explore:
            even = torch.full_like(stop, math.log(explore / self.turns))
            stop = torch.logaddexp(stop + math.log1p(-explore), even) if explore < 1 else even
        if isinstance(self.learn, Expected):
            return (stop.exp() * costs).sum(dim=-1)
        noise = torch.rand(len(costs), generator=generator).to(costs)
        at = drawn_from(stop.detach().exp(), noise)[:, None]
        loss = sampled(costs.gather(1, at)[:, 0], stop.gather(1, at)[:, 0], patience.mean)
        patience.remember(loss.detach().mean(), self.learn.baseline)
        return loss


def sampled(cost: Float[Tensor, " b"], chance: Float[Tensor, " b"], baseline: Float[Tensor, ""]) -> Float[Tensor, " b"]:
    """A sampled cost whose gradient is REINFORCE's: ``d cost + (cost - baseline) d chance``, [B].

    Args:
        cost: of the turn that was drawn.
        chance: log-probability of that turn.
        baseline: what a game is expected to cost; anything that does not depend on this turn.
    """
    return cost + (cost - baseline).detach() * (chance - chance.detach())  # worth the cost itself


def told(scores: Float[Tensor, "b k"], target: Int[Tensor, " b"]) -> Float[Tensor, "b 3"]:
    """How a guess stands, for a sender that knows no candidates: three numbers a game.

    The log-probability of the target and that of the best other candidate, and the entropy of all, each over log K.
    """
    log = scores.log_softmax(dim=-1)
    own = torch.nn.functional.one_hot(target, scores.shape[-1]).bool()
    best = log.masked_fill(own, float("-inf")).amax(dim=-1)
    entropy = -(log.exp() * log).sum(dim=-1)
    told = torch.stack([log.gather(1, target[:, None])[:, 0], best, entropy], dim=-1)
    return told / math.log(scores.shape[-1])


def _there(strokes: Strokes, share: Float[Tensor, " b"]) -> Strokes:
    """Strokes that are there by ``share`` (and by their own presence)."""
    shares = share[:, None].expand(-1, strokes.count)
    return replace(strokes, presence=shares if strokes.presence is None else strokes.presence * shares)
