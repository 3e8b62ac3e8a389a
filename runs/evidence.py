"""Played games as evidence: measured without learning, with every control beside the rate."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from games import Game, Pictionary, Play, Referential, balanced_accuracy, correct, taken
from raster import Strokes
from raster.shapes import Bool, Float, Tensor
from runs.finding import Finding
from runs.intervals import bootstrap_by_pool, bootstrap_of_mean
from runs.journal import Record
from runs.run import Run
from runs.sketches import Control, Sketches

__all__ = ["Evidence", "Finding", "bootstrap_by_pool", "bootstrap_of_mean", "gather", "pairs_in_turn"]

_THRESHOLDS = 256
"""At most about twice so many are tried for the ceiling of several targets."""


@dataclass(frozen=True)
class Evidence:
    """Games of one kind on one split, one play a pool, and what is needed to ask more of them."""

    run: Run
    game: Game
    split: str
    plays: list[Play]
    pairs: list[tuple[int, int]]

    @cached_property
    def sketches(self) -> Sketches:
        """The drawings of all games beside their controls, and what the judge sees of them."""
        return Sketches(self)

    @property
    def n(self) -> int:
        """Games played."""
        return sum(len(play.loss) for play in self.plays)

    @property
    def chance(self) -> float:
        """Rate of the best blind guess: 1 / K; of several targets, the answer that is right most often on a pool.

        Each concept of a pool is meant once, so that is any one of them, or none at all where more games mean none.
        """
        if self.plays[0].round.targets is None:
            return 1.0 / self.plays[0].scores.shape[1]
        answers = [play.round.meant.unique(dim=0, return_counts=True)[1] for play in self.plays]  # games by answer
        return float(sum(counts.max() for counts in answers)) / self.n

    def by_pair(self) -> dict[str, float]:
        """The rate as a mean over pairs of agents, with its 95 % interval (bootstrap over pairs), and how many they
        are: how far the community as a whole understands itself, whoever else it were made of.
        """
        right: dict[tuple[int, int], list[Tensor]] = {}
        for play, pair in zip(self.plays, self.pairs, strict=True):
            right.setdefault(pair, []).append(play.correct.double())
        rates = [torch.cat(each).mean()[None] for each in right.values()]  # a number a pair, each of weight 1
        low, high = bootstrap_of_mean(rates)
        return {"rate": float(torch.cat(rates).mean()), "low": low, "high": high, "pairs": float(len(rates))}

    def records(self) -> list[Record]:
        """The plays as the journal writes them."""
        return [Record(self.game.label, play, *pair) for play, pair in zip(self.plays, self.pairs, strict=True)]

    def rate(self) -> float:
        """Communication rate."""
        return _mean([play.correct for play in self.plays])

    def scored(self, canvases: Callable[[int, Play], Float[Tensor, "b *ink h w"]]) -> list[Bool[Tensor, " b"]]:
        """Play the same rounds with other canvases: for each pool, which games came out right.

        Args:
            canvases: number of the pool and its play to the canvas that the receiver gets instead.
        """
        return self._right(self._scores(canvases))

    def _right(self, scores: list[Tensor]) -> list[Bool[Tensor, " b"]]:
        return [correct(each, play.round) for each, play in zip(scores, self.plays, strict=True)]

    def _scores(self, canvases: Callable[[int, Play], Float[Tensor, "b *ink h w"]]) -> list[Float[Tensor, "b k"]]:
        """The receivers' scores in the same rounds with other canvases, pool by pool."""
        found = []
        with torch.no_grad():
            for number, play in enumerate(self.plays):
                pair = self.run.pair(*self.pairs[number])
                found.append(pair.guess(canvases(number, play), self.looked[number], play.round.pool_of))
        return found

    @cached_property
    def looked(self) -> list[Float[Tensor, "g k *places d"]]:
        """Each pool's candidates as its receiver sees them: looked at once, for all controls."""
        with torch.no_grad():
            return [
                self.run.pair(*pair).look(
                    self.run.gallery.view(play.round.pool.flatten()), play.round.pool.shape[0], play.round.generator()
                )
                for play, pair in zip(self.plays, self.pairs, strict=True)
            ]

    @cached_property
    def untrained(self) -> list[Strokes]:
        """What senders that never learned draw of the same photos (another seed's fresh weights)."""
        run = self.run
        if isinstance(self.game, Pictionary):
            return [play.strokes for play in self.strangers]
        fresh = run.build_community(run.config.seed + 1)
        drawn = []
        with torch.no_grad():
            for play, (sender, _) in zip(self.plays, self.pairs, strict=True):
                pair = fresh.pair(sender, 0, run.biases, run.step, training=False)
                drawn.append(pair.draw(play.photo, play.round.generator()))
        return drawn

    @cached_property
    def strangers(self) -> list[Play]:
        """The same rounds played with senders that never learned by the receivers that did."""
        run = self.run
        fresh = run.build_community(run.config.seed + 1)
        played = []
        with torch.no_grad():
            for play, (sender, receiver) in zip(self.plays, self.pairs, strict=True):
                stranger = fresh.pair(sender, receiver, run.biases, run.step, training=False)
                pair = replace(stranger, receiver=run.pair(sender, receiver).receiver)
                played.append(self.game.play(pair, play.round, run.gallery, run.config.canvas, run.step))
        return played

    @cached_property
    def _answers(self) -> dict[str, list[Float[Tensor, "b k"]]]:
        """The receivers' scores under each control, pool by pool."""
        run, ceiling = self.run, []
        with torch.no_grad():
            for play, pair, photos in zip(self.plays, self.pairs, self.looked, strict=True):
                round = play.round
                ceiling.append(run.pair(*pair).guess_photo(play.photo, photos, round.pool_of, round.generator()))
        controls: tuple[Control, ...] = ("blank", "shuffled", "untrained", "random")
        return {
            name: self._scores(lambda number, _, name=name: self.sketches.canvases(name)[number])  # type: ignore[misc]
            for name in controls
        } | {"ceiling": ceiling}

    def scores(self) -> dict[str, list[Float[Tensor, "b k"]]]:
        """The receivers' scores pool by pool: of the drawings, and under each control by its name."""
        return {"drawings": [play.scores for play in self.plays]} | self._answers

    def controls(self) -> dict[str, float]:
        """The rate's controls: chance, blank canvas, shuffled sketches, untrained sender, random strokes, ceiling.

        ``shuffled`` gives each game a drawing that was made for a game on another pool, ``random`` as many random
        strokes of as much ink as its own; ``ceiling`` gives the receiver the sender's photo itself, through its own
        eye. Photos are more like each other than like drawings, for which the threshold of several targets was
        learned: the ceiling has the one threshold that suits it best.
        """

        def rate(scores: list[Tensor]) -> float:
            return _mean(self._right(scores))

        return {"chance": self.chance} | {
            name: self._at_best(rate, each) if name == "ceiling" else rate(each) for name, each in self._answers.items()
        }

    def _at_best(self, measure: Callable[[list[Tensor]], float], scores: list[Float[Tensor, "b k"]]) -> float:
        """A measure of scores; where they are judged against a threshold, at that which makes it largest."""
        if self.plays[0].round.targets is None:
            return measure(scores)
        levels = torch.cat([each.flatten() for each in scores]).unique()  # sorted
        between = (levels[1:] + levels[:-1]) / 2
        some = between[:: max(1, len(between) // _THRESHOLDS)]
        return max(measure([each - threshold for each in scores]) for threshold in [*some, torch.zeros(())])

    def balanced_rate(self) -> float | None:
        """Balanced accuracy of all judgements of candidates; None where one candidate is to be taken."""
        if self.plays[0].round.targets is None:
            return None
        return _balanced([play.taken for play in self.plays], [play.round.meant for play in self.plays])

    def balanced(self) -> Finding | None:
        """Balanced accuracy of all judgements of candidates beside the same controls; None where one is to be taken.

        The mean of the rates of targets that were taken and of distractors that were not, so that saying no to all, or
        anything else that does not look at the drawing, gets 0.5. ``n`` counts judgements.
        """
        value = self.balanced_rate()
        if value is None:
            return None
        rounds = [play.round for play in self.plays]
        meant = [round.meant for round in rounds]

        def judged(scores: list[Tensor]) -> float:
            return _balanced([taken(each, round) for each, round in zip(scores, rounds, strict=True)], meant)

        low, high = _balanced_interval([play.taken for play in self.plays], meant)
        controls = {
            name: self._at_best(judged, each) if name == "ceiling" else judged(each)
            for name, each in self._answers.items()
        }
        count = sum(each.numel() for each in meant)
        return Finding(value, low, high, count, 0.5, {"chance": 0.5} | controls)


def pairs_in_turn(matrix: Float[Tensor, "s r"]) -> list[tuple[int, int]]:
    """Every pair that can meet, in the order in which they are measured: senders take turns, each with its receivers in
    turn, so that the first pairs are as many different agents as can be.

    >>> pairs_in_turn(torch.ones(2, 2))
    [(0, 0), (1, 1), (0, 1), (1, 0)]
    """
    partners = [row.nonzero()[:, 0].tolist() for row in matrix]
    rounds = range(max(len(each) for each in partners))
    return [
        (sender, each[(turn + sender) % len(each)])
        for turn in rounds
        for sender, each in enumerate(partners)
        if turn < len(each)
    ]


def gather(run: Run, game: Game, split: str, pools: int, seed: int = 0) -> Evidence:
    """Play ``pools`` rounds of one pool each, without learning.

    The rounds depend on ``seed``, the split and the game alone, so every run and every moment of a run is
    measured on the same ones.

    Args:
        run: who plays.
        game: a part of the run's game.
        split: of the gallery.
        pools: how many pools; each has as many games as candidates, every candidate the target once, or with several
            targets a game for each concept.
        seed: of the dealing.
    """
    generator = torch.Generator().manual_seed(seed)
    who = pairs_in_turn(run.community.matrix)
    plays, pairs = [], []
    with torch.no_grad():
        for number in range(pools):
            assert isinstance(game, Referential | Pictionary)
            round = game.deal_pool(run.gallery, split, generator).to(run.gallery.device)
            sender, receiver = who[number % len(who)]
            plays.append(game.play(run.pair(sender, receiver), round, run.gallery, run.config.canvas, run.step))
            pairs.append((sender, receiver))
    return Evidence(run, game, split, plays, pairs)


def _mean(pools: list[Bool[Tensor, " b"]]) -> float:
    return float(torch.cat(pools).double().mean())


def _balanced(taken: list[Bool[Tensor, "b k"]], meant: list[Bool[Tensor, "b k"]]) -> float:
    return float(balanced_accuracy(torch.cat(taken), torch.cat(meant)))


def _balanced_interval(
    taken: list[Bool[Tensor, "b k"]], meant: list[Bool[Tensor, "b k"]], seed: int = 0
) -> tuple[float, float]:
    """95 % interval of balanced accuracy by a percentile bootstrap that resamples whole pools."""
    counts = np.array(
        [
            [float(each.sum()) for each in (took & is_target, is_target, ~took & ~is_target, ~is_target)]
            for took, is_target in zip(taken, meant, strict=True)
        ]
    )  # [pools, 4]
    chosen = np.random.default_rng(seed).integers(0, len(counts), (10_000, len(counts)))
    found, targets, left, distractors = counts[chosen].sum(1).T
    low, high = np.nanquantile((found / targets + left / distractors) / 2, [0.025, 0.975])
    return float(low), float(high)
