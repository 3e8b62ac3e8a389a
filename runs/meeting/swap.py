"""The swap matrix: every sender's drawings before every receiver, on the same rounds."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import torch

from agents import Community, Pair
from agents.topologies import same_place
from games import Referential, Round
from raster import Strokes
from raster.shapes import Bool, Float, Int, Tensor
from runs.meeting.people import Party

RESAMPLES = 10_000
FEW = 5
"""Below so many communities their bootstrap is rough: told beside every interval."""
CONTROLS = ("untrained", "shuffled", "blank", "ceiling")


@dataclass(frozen=True)
class Estimate:
    """A mean over communities.

    Attributes:
        value: the estimate; None where there is nothing to take it of.
        low: lower end of its 95 % interval (bootstrap over communities); None of fewer than three.
        high: upper end.
        n: communities it rests on.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int


@dataclass
class Drawn:
    """What everybody drew, round by round (one pool of K candidates each, every one the target once).

    Attributes:
        rounds: as they were dealt.
        strokes: what each sender drew in each, [rounds][senders], K drawings each.
        choices: which candidate each receiver took of each drawing, [rounds] of [S, R, K] on the CPU.
    """

    rounds: list[Round] = field(default_factory=list)
    strokes: list[list[Strokes]] = field(default_factory=list)
    choices: list[Int[Tensor, "s r k"]] = field(default_factory=list)


@dataclass(frozen=True)
class Swap:
    """Rates of all pairs, and of votes.

    Attributes:
        senders: (party, slot) of each row.
        receivers: (party, slot) of each column.
        rates: part of games won, [S, R], float64.
        controls: the same with other drawings: ``untrained`` senders', ``shuffled`` (those of
            the round before), ``blank``, and ``ceiling``: the sender's photo; [S, R] or [1, R].
        votes: rate of each sender's drawings before all receivers of a party at once, by rule: [S, parties].
        n: games a pair played.
        chance: 1 / K.
    """

    senders: list[tuple[int, int]]
    receivers: list[tuple[int, int]]
    rates: Float[Tensor, "s r"]
    controls: dict[str, Float[Tensor, "_ r"]]
    votes: dict[str, Float[Tensor, "s p"]]
    n: int
    chance: float

    def of(self, matrix: Float[Tensor, "_ r"], one: int, other: int) -> Float[Tensor, "_ _"]:
        """The part of a matrix in which party ``one`` draws and party ``other`` looks."""
        looks = torch.tensor([party == other for party, _ in self.receivers])
        if len(matrix) == 1:
            return matrix[:, looks]
        return matrix[torch.tensor([party == one for party, _ in self.senders])][:, looks]


def swapped(parties: Sequence[Party], game: Referential, split: str, pools: int, seed: int = 0) -> tuple[Swap, Drawn]:
    """Play ``pools`` common rounds, every sender with every receiver, without learning.

    Each drawing is made once, each pool is looked at once by each receiver: S drawings and R looks a picture, and
    S x R comparisons. Rounds depend on ``seed``, the split and the game alone.
    """
    first = parties[0].run
    gallery, generator = first.gallery, torch.Generator().manual_seed(seed)
    senders = [(number, slot) for number, party in enumerate(parties) for slot in party.senders]
    receivers = [(number, slot) for number, party in enumerate(parties) for slot in party.receivers]
    fresh = [party.run.build_community(party.run.config.seed + 1) for party in parties]
    S, R = len(senders), len(receivers)
    right = torch.zeros(S, R, dtype=torch.float64)
    controls = {name: torch.zeros(S if name in CONTROLS[:2] else 1, R, dtype=torch.float64) for name in CONTROLS}
    rules = {"mean": _by_mean, "majority": _by_majority}
    votes = {name: torch.zeros(S, len(parties), dtype=torch.float64) for name in rules}
    drawn = Drawn()
    with torch.no_grad():
        rounds = [game.deal_pool(gallery, split, generator).to(gallery.device) for _ in range(pools)]

        def draws(round: Round) -> tuple[list[Strokes], Float[Tensor, "s k *ink h w"]]:
            strokes = [_draws(parties[party], slot, round) for party, slot in senders]
            inked = [_ink(parties[party], each) for (party, _), each in zip(senders, strokes, strict=True)]
            return strokes, torch.stack(inked)

        _, before = draws(rounds[-1])
        for round in rounds:
            K = round.pool.shape[1]
            strokes, inks = draws(round)
            new = [_draws(parties[party], slot, round, fresh[party]) for party, slot in senders]
            others = torch.stack([_ink(parties[party], each) for (party, _), each in zip(senders, new, strict=True)])
            blank = torch.zeros_like(inks[0])
            target = round.target.cpu()
            scores = torch.zeros(S, R, K, K)
            for column, (party, slot) in enumerate(receivers):
                run = parties[party].run
                pair = run.pair(0, slot)
                guess = partial(_guess, pair, round)
                looked = pair.look(gallery.view(round.pool.flatten()), round.pool.shape[0], round.generator())

                scores[:, column] = guess(looked, inks)
                shown = pair.guess_photo(round.photo(gallery), looked, round.pool_of, round.generator())
                answers = {
                    "untrained": guess(looked, others),
                    "shuffled": guess(looked, before),
                    "blank": guess(looked, blank[None]),
                    "ceiling": shown.float().cpu()[None],
                }
                for name, each in answers.items():
                    controls[name][:, column] += _rate(each, target)
            right += _rate(scores, target)
            for name, rule in rules.items():
                for number in range(len(parties)):
                    own = torch.tensor([party == number for party, _ in receivers])
                    votes[name][:, number] += _rate(rule(scores[:, own]), target)
            before = inks
            drawn.rounds.append(round)
            drawn.strokes.append(strokes)
            drawn.choices.append(scores.argmax(dim=-1))
    K = drawn.rounds[0].pool.shape[1]
    found = Swap(
        senders,
        receivers,
        right / pools,
        {name: each / pools for name, each in controls.items()},
        {name: each / pools for name, each in votes.items()},
        pools * K,
        1.0 / K,
    )
    return found, drawn


def _guess(
    pair: Pair, round: Round, looked: Float[Tensor, "g k *places d"], inks: Float[Tensor, "n k *ink h w"]
) -> Float[Tensor, "n k k"]:
    """A receiver's scores of the drawings of N senders, on the CPU."""
    found = pair.guess(inks.flatten(0, 1), looked, round.pool_of.repeat(len(inks)))
    return found.unflatten(0, (len(inks), -1)).float().cpu()


def _draws(party: Party, slot: int, round: Round, fresh: Community | None = None) -> Strokes:
    """What a sender, or a fresh one in its slot, draws of the pictures of a round, with its own eyes and hand."""
    run = party.run
    pair = run.pair(slot, 0)
    if fresh is not None:
        pair = replace(pair, sender=fresh.pair(slot, 0, run.biases, run.step, training=False).sender)
    return pair.draw(round.photo(run.gallery), round.generator())


def _ink(party: Party, strokes: Strokes) -> Float[Tensor, "b *ink h w"]:
    return party.run.config.canvas.draw(strokes, party.run.step)


def _rate(scores: Float[Tensor, "*any b k"], target: Int[Tensor, " b"]) -> Float[Tensor, "*any"]:
    """Part of B games in which the best score is the target's."""
    return (scores.argmax(dim=-1) == target).double().mean(dim=-1)


def _by_mean(scores: Float[Tensor, "s r b k"]) -> Float[Tensor, "s b k"]:
    """Receivers vote with what they are sure of: the mean of their log-probabilities (their scales are their own)."""
    return scores.log_softmax(dim=-1).mean(dim=1)


def _by_majority(scores: Float[Tensor, "s r b k"]) -> Float[Tensor, "s b k"]:
    """Each receiver has a vote; equal numbers of votes are parted by the mean."""
    count = torch.nn.functional.one_hot(scores.argmax(dim=-1), scores.shape[-1]).sum(dim=1).double()
    return count + 0.5 * scores.softmax(dim=-1).double().mean(dim=1)


# What is made of a matrix.


def over_pairs(parties: int, value: Callable[[int, int], float]) -> Float[Tensor, "p p"]:
    """A number of every ordered pair of communities, [P, P]."""
    return torch.tensor([[value(i, j) for j in range(parties)] for i in range(parties)], dtype=torch.float64)


def across(blocks: Float[Tensor, "p p"], seed: int = 0) -> Estimate:
    """The mean over ordered pairs of different communities, with an interval that resamples communities.

    A resample takes P communities with replacement and the pairs of those of them that differ; one in which all are
    the same has none, and is drawn again.
    """
    count = len(blocks)
    off = ~np.eye(count, dtype=bool)
    table = np.where(off, blocks.numpy(), 0.0)  # what stands on the diagonal may be no number
    low, high = _interval(lambda weights: _weighted(table, np.outer(weights, weights) * off), count, seed)
    return Estimate(float(table[off].mean()), low, high, count)


def within(values: Sequence[float | None], seed: int = 0) -> Estimate:
    """The mean over communities of a number that each has, with an interval that resamples them."""
    there = np.array([each for each in values if each is not None], dtype=float)
    if not len(there):
        return Estimate(None, None, None, 0)
    low, high = _interval(lambda weights: float((there * weights).sum() / weights.sum()), len(there), seed, least=1)
    return Estimate(float(there.mean()), low, high, len(there))


def intelligibility(blocks: Float[Tensor, "p p"], own: Sequence[float], chance: float, seed: int = 0) -> Estimate:
    """Zero-shot mutual intelligibility relative to what communities understand of themselves.

    ``(ZMI - 1/K) / (ID - 1/K)``: 0 is chance, 1 as well as among themselves. *Drawing with Strangers* (arXiv
    2606.10582) defines ZMI in words; this ratio is ours. None where communities do not understand themselves; no
    interval where some resample does not.

    Args:
        blocks: rates of every ordered pair of communities, [P, P].
        own: ID, the rate of each among those who meet.
        chance: 1 / K.
        seed: of the resampling, which takes communities.
    """
    count, table, inside = len(blocks), blocks.numpy(), np.array(own)
    off = ~np.eye(count, dtype=bool)

    def ratio(weights: np.ndarray) -> float:
        zmi = _weighted(table, np.outer(weights, weights) * off)
        above = (inside * weights).sum() / weights.sum() - chance
        return float((zmi - chance) / above) if above > 0 else math.nan

    value = ratio(np.ones(count))
    low, high = _interval(ratio, count, seed)
    if low is not None and not math.isfinite(low):
        low = high = None
    return Estimate(value if math.isfinite(value) else None, low, high, count)


def _weighted(table: np.ndarray, weights: np.ndarray) -> float:
    return float((table * weights).sum() / weights.sum())


def _interval(
    statistic: Callable[[np.ndarray], float], count: int, seed: int, least: int = 2
) -> tuple[float, float] | tuple[None, None]:
    """95 % percentile interval of a statistic of how often each community was drawn; none of fewer than three.

    Resamples with fewer than ``least`` different communities are drawn again.
    """
    if count < 3:
        return None, None
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), RESAMPLES)
    several = drawn[(drawn > 0).sum(axis=1) >= least]
    # Few communities have few different resamples: each is worked out once.
    unique, times = np.unique(several, axis=0, return_counts=True)
    values = np.repeat([statistic(each.astype(float)) for each in unique], times)
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def partners(party: Party) -> Bool[Tensor, "s r"]:
    """Which of a party's pairs live at one place: a sender and its own receiver."""
    community = party.run.config.community
    return same_place(community.senders, community.receivers)[party.senders][:, party.receivers]


def own_advantage(block: Float[Tensor, "s r"], own: Bool[Tensor, "s r"]) -> float | None:
    """How much better partners do than the other pairs of their community; None where there are no others."""
    if own.all() or not own.any():
        return None
    return float(block[own].mean() - block[~own].mean())
