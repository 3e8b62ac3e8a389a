"""How easily a language is learned: newcomers among natives who learn no more."""

from dataclasses import dataclass, replace
from typing import Literal

import torch

from agents import Community, Pair, Receiver, Sender
from games import Referential
from raster.shapes import Float, Tensor
from runs.meeting.people import Party

POINTS = 8
"""Times that a newcomer is measured, beside the beginning."""
POOLS = 4
"""Validation pools of each."""


@dataclass(frozen=True)
class Ease:
    """How newcomers of one side learned from the natives of a community.

    Attributes:
        side: who is new.
        games: games a newcomer had played when it was measured, from 0.
        rates: its rate with natives then, mean over newcomers.
        area: the area under that curve over its width: the mean rate while learning, one a newcomer.
        untrained: the same area where the natives are agents that never learned.
        natives: the rate of natives among themselves on the same rounds.
    """

    side: Literal["receiver", "sender"]
    games: list[int]
    rates: list[float]
    area: list[float]
    untrained: list[float]
    natives: float


def ease_of(party: Party, game: Referential, side: Literal["receiver", "sender"], newcomers: int, steps: int) -> Ease:
    """Let ``newcomers`` learn for ``steps`` steps among frozen natives, each playing with any of them by turns.

    A newcomer has its community's architecture, step size and eyes and hand (biases that change what is seen or
    drawn); what biases cost is left out: it learns by the game alone.
    """
    run = party.run
    blank = run.build_community(run.config.seed + 1)
    curves, areas, untrained = [], [], []
    games: list[int] = []
    for number in range(newcomers):
        seed = run.config.seed + 1000 + number
        games, curve = _curve(party, game, side, run.community, seed, steps)
        curves.append(curve)
        areas.append(_area(games, curve))
        untrained.append(_area(*_curve(party, game, side, blank, seed, steps)))
    rates = torch.tensor(curves).mean(dim=0).tolist()
    natives = _rate(party, game, [run.pair(s, r) for s, r in _pairs(party)])
    return Ease(side, games, rates, areas, untrained, natives)


def _pairs(party: Party) -> list[tuple[int, int]]:
    most = max(len(party.senders), len(party.receivers))
    return [(party.senders[n % len(party.senders)], party.receivers[n % len(party.receivers)]) for n in range(most)]


def _curve(
    party: Party, game: Referential, side: str, natives: Community, seed: int, steps: int
) -> tuple[list[int], list[float]]:
    """Games played and the rate then, of one newcomer."""
    run, train = party.run, party.run.config.train
    slots = party.senders if side == "receiver" else party.receivers
    home = (party.receivers if side == "receiver" else party.senders)[0]
    new = natives.newborn(f"{side}s", home, seed)

    def pair(native: int, training: bool) -> Pair:
        if side == "receiver":
            made = natives.pair(native, home, run.biases, run.step, training)
            assert isinstance(new, Receiver)
            return replace(made, receiver=new, cut=True)
        assert isinstance(new, Sender)
        return replace(natives.pair(home, native, run.biases, run.step, training), sender=new)

    optimiser = torch.optim.AdamW(new.parameters(), lr=train.lr, weight_decay=train.weight_decay)
    dealing = torch.Generator().manual_seed(seed)
    every = max(1, steps // POINTS)
    games, rates = [0], [_rate(party, game, [pair(slot, False) for slot in slots])]
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = train.lr * min(1.0, (step + 1) / max(1, min(train.warmup, steps // 4)))
        round = game.deal(run.gallery, run.gallery.training_splits[0], train.games, dealing).to(run.gallery.device)
        native = slots[int(torch.randint(len(slots), (1,), generator=dealing))]
        loss = game.play(pair(native, True), round, run.gallery, run.config.canvas, run.step).loss.mean()
        gradients = torch.autograd.grad(loss, list(new.parameters()), allow_unused=True)
        for parameter, gradient in zip(new.parameters(), gradients, strict=True):
            parameter.grad = gradient
        torch.nn.utils.clip_grad_norm_(new.parameters(), train.clip)
        optimiser.step()
        if (step + 1) % every == 0:
            games.append((step + 1) * train.games)
            rates.append(_rate(party, game, [pair(slot, False) for slot in slots]))
    return games, rates


def _rate(party: Party, game: Referential, pairs: list[Pair]) -> float:
    """The rate on fixed pools of validation, or of the test where nothing was held out for it; pairs by turns."""
    run = party.run
    split = "validation" if "validation" in run.gallery.splits else "test"
    generator = torch.Generator().manual_seed(0)
    right = []
    with torch.no_grad():
        for number in range(max(POOLS, len(pairs))):
            round = game.deal_pool(run.gallery, split, generator).to(run.gallery.device)
            played = game.play(pairs[number % len(pairs)], round, run.gallery, run.config.canvas, run.step)
            right.append(played.correct.double())
    return float(torch.cat(right).mean())


def _area(games: list[int], rates: list[float]) -> float:
    """Mean height of a curve (trapezoids).

    >>> _area([0, 10, 20], [0.0, 1.0, 1.0])
    0.75
    """
    if len(games) < 2:
        return rates[0]
    height: Float[Tensor, ""] = torch.trapezoid(
        torch.tensor(rates, dtype=torch.float64), torch.tensor(games, dtype=torch.float64)
    )
    return float(height / (games[-1] - games[0]))
