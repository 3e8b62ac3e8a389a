"""Which of two drawings people chose: strengths of the sides after Bradley and Terry, and plain shares."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runs.study.intervals import RESAMPLES, Interval, between

__all__ = ["Contest", "Strength", "bradley_terry", "strengths"]


@dataclass(frozen=True)
class Contest:
    """One choice between two drawings: by whom, between whose, and which won (0 or 1; None: could not tell)."""

    participant: str
    sides: tuple[str, str]
    won: int | None


@dataclass(frozen=True)
class Strength:
    """How one side (a run, a bias) fared.

    Attributes:
        name: the side.
        share: part of its contests that it won, "cannot tell" counted as half a win for either.
        interval: of the share, whole participants resampled.
        strength: Bradley and Terry's log-strength (natural log of the odds against an average side, mean 0); None where
            the contests do not tie all sides together.
        strength_interval: likewise.
        n: contests.
    """

    name: str
    share: float
    interval: Interval
    strength: float | None
    strength_interval: Interval
    n: int


def bradley_terry(wins: NDArray[np.float64], rounds: int = 500) -> NDArray[np.float64] | None:
    """Log-strengths [K] of sides from ``wins`` [K, K] (row beat column), mean 0, by Hunter's iteration (2004, eq. 3).

    A side that never loses would be infinitely strong: each pair that met gets half a win more either way (a Jeffreys
    prior on two sides), which shrinks strengths a little. None where the sides fall into groups that never met.

    >>> bradley_terry(np.array([[0.0, 30.0], [10.0, 0.0]])).round(3)
    array([ 0.533, -0.533])
    """
    met = wins + wins.T
    if not len(wins) or not _connected(met > 0):
        return None
    padded = wins + 0.5 * (met > 0)
    total, won = padded + padded.T, padded.sum(1)
    p = np.ones(len(wins))
    for _ in range(rounds):
        new = won / (total / (p[:, None] + p[None, :])).sum(1) if len(p) > 1 else p
        new = new / np.exp(np.log(new).mean())
        if np.abs(np.log(new) - np.log(p)).max() < 1e-9:
            p = new
            break
        p = new
    return np.log(p)


def _connected(met: NDArray[np.bool_]) -> bool:
    seen, todo = {0}, [0]
    while todo:
        for other in np.flatnonzero(met[todo.pop()]):
            if int(other) not in seen:
                seen.add(int(other))
                todo.append(int(other))
    return len(seen) == len(met)


def strengths(contests: Sequence[Contest], seed: int = 0, resamples: int = RESAMPLES // 4) -> list[Strength]:
    """Share and strength of every side, the strongest first, with bootstraps over participants.

    Contests between two drawings of one side tell nothing of sides and are left out.
    """
    contests = [each for each in contests if each.sides[0] != each.sides[1]]
    names = sorted({side for each in contests for side in each.sides})
    people = sorted({each.participant for each in contests})
    if not contests:
        return []
    at, of = ({name: number for number, name in enumerate(group)} for group in (names, people))
    wins = np.zeros((len(people), len(names), len(names)))
    for each in contests:
        a, b = at[each.sides[0]], at[each.sides[1]]
        won = 0.5 if each.won is None else float(each.won == 0)
        wins[of[each.participant], a, b] += won
        wins[of[each.participant], b, a] += 1 - won
    whole = wins.sum(0)
    shares, levels = _shares(whole), bradley_terry(whole)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(people), np.full(len(people), 1 / len(people)), size=resamples).astype(np.float64)
    again = np.tensordot(drawn, wins, axes=1)  # [R, K, K]
    share_spread = np.stack([_shares(each) for each in again])
    level_spread = [level for each in again if (level := bradley_terry(each)) is not None]
    found = []
    for number, name in enumerate(names):
        spread = share_spread[:, number]
        levels_of = np.array([level[number] for level in level_spread])
        found.append(
            Strength(
                name=name,
                share=float(shares[number]),
                interval=between(spread[~np.isnan(spread)]) if len(people) > 1 else None,
                strength=None if levels is None else float(levels[number]),
                strength_interval=between(levels_of) if len(people) > 1 and levels is not None else None,
                n=round(whole[number].sum() + whole[:, number].sum()),
            )
        )
    return sorted(found, key=lambda each: (-each.share, each.name))


def _shares(wins: NDArray[np.float64]) -> NDArray[np.float64]:
    met = wins.sum(1) + wins.sum(0)
    return np.where(met > 0, wins.sum(1) / np.where(met > 0, met, 1), np.nan)
