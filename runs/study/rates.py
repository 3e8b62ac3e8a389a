"""Rates of people and agents on the same trials, with intervals."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from runs.study.key import KeyRow
from runs.study.results import Answer, Participant

__all__ = ["Group", "Rate", "group", "wilson"]

_RESAMPLES = 4000

Pair = tuple[Participant, Answer]


@dataclass(frozen=True)
class Rate:
    """A rate of ``n`` answers, with two 95 % intervals.

    ``low`` and ``high`` are Wilson's, as if answers were independent. ``cluster_low`` and ``cluster_high`` resample
    whole participants (percentile bootstrap), for one person's answers are not; ``None`` with fewer than two
    participants, or where all have the same rate and resampling shows no spread.
    """

    value: float
    low: float
    high: float
    n: int
    cluster_low: float | None = None
    cluster_high: float | None = None


@dataclass(frozen=True)
class Group:
    """Some participants' answers beside the agents' on the same trials.

    Attributes:
        participants: how many.
        people: rate of right answers, "cannot tell" counted as wrong.
        people_told: the same with "cannot tell" left out (``None`` if nobody told).
        people_class: right if the chosen picture is of the target's class, "cannot tell" counted as wrong.
        cannot_tell: part of the answers that were "cannot tell".
        agents: the receiver's rate on the trials that were answered, each counted once.
        chance: what blind guessing among the candidates gives.
        above_chance: one-sided p of ``people`` against chance (binomial, answers taken as independent).
        difference: people minus agents over the same answers; its interval resamples participants.
        seconds: median time of an answer (``None`` if no time was logged).
        by_class: for each class of target, people's rate and the agents'.
        by_sender: for each sender, likewise.
    """

    participants: int
    people: Rate
    people_told: Rate | None
    people_class: Rate
    cannot_tell: float
    agents: Rate
    chance: float
    above_chance: float | None
    difference: tuple[float, float | None, float | None]
    seconds: float | None
    by_class: dict[str, dict[str, float | int]]
    by_sender: dict[str, dict[str, float | int]]


def wilson(right: int, n: int) -> tuple[float, float]:
    """95 % Wilson interval of ``right`` out of ``n``, at least one.

    >>> [round(end, 3) for end in wilson(8, 10)]
    [0.49, 0.943]
    """
    interval = stats.binomtest(right, n).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)


def group(people: Sequence[Participant], key: dict[str, KeyRow], seed: int = 0) -> Group | None:
    """All rates of these participants; ``None`` if there are none. Attention checks are not counted."""
    pairs = [(person, answer) for person in people for answer in person.answers if answer.kind == "pick"]
    if not pairs:
        return None
    told = [pair for pair in pairs if pair[1].response is not None]
    sums = _by_participant(pairs, lambda answer: _right(answer, key) - _agent(answer, key))
    low, high = _bootstrap(sums, seed)
    trials = sorted({answer.trial for _, answer in pairs})
    agent_right = sum(key[trial].agent_choice == key[trial].target for trial in trials)
    chances = [1 / len(key[answer.trial].names) for _, answer in pairs]
    rate = _rate(pairs, lambda answer: _right(answer, key), seed)
    times = [answer.rt for _, answer in pairs if answer.rt is not None]
    return Group(
        participants=len(people),
        people=rate,
        people_told=_rate(told, lambda answer: _right(answer, key), seed) if told else None,
        people_class=_rate(pairs, lambda answer: _right_class(answer, key), seed),
        cannot_tell=1 - len(told) / len(pairs),
        agents=Rate(agent_right / len(trials), *wilson(agent_right, len(trials)), len(trials)),
        chance=float(np.mean(chances)),
        above_chance=_above(rate, chances),
        difference=(float(sums[:, 0].sum() / sums[:, 1].sum()), low, high),
        seconds=float(np.median(times)) / 1000 if times else None,
        by_class=_table(pairs, key, lambda row: row.target_class),
        by_sender=_table(pairs, key, lambda row: row.sender),
    )


def _right(answer: Answer, key: dict[str, KeyRow]) -> int:
    return int(answer.response == key[answer.trial].target)


def _right_class(answer: Answer, key: dict[str, KeyRow]) -> int:
    row = key[answer.trial]
    return int(answer.response is not None and row.classes[answer.response] == row.target_class)


def _agent(answer: Answer, key: dict[str, KeyRow]) -> int:
    return int(key[answer.trial].agent_choice == key[answer.trial].target)


def _rate(pairs: Sequence[Pair], right: Callable[[Answer], int], seed: int) -> Rate:
    sums = _by_participant(pairs, right)
    hits = int(sums[:, 0].sum())
    return Rate(hits / len(pairs), *wilson(hits, len(pairs)), len(pairs), *_bootstrap(sums, seed))


def _by_participant(pairs: Sequence[Pair], value: Callable[[Answer], int]) -> NDArray[np.int64]:
    """[participants, 2]: the sum of a value over one's answers, and how many they are."""
    found: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for person, answer in pairs:
        found[person.id][0] += value(answer)
        found[person.id][1] += 1
    return np.array(list(found.values()), dtype=np.int64)


def _bootstrap(sums: NDArray[np.int64], seed: int) -> tuple[float | None, float | None]:
    means = sums[:, 0] / sums[:, 1]
    if len(sums) < 2 or np.ptp(means) == 0:
        return None, None
    rng = np.random.default_rng(seed)
    drawn = np.stack([sums[rng.integers(0, len(sums), len(sums))].sum(0) for _ in range(_RESAMPLES)])
    low, high = np.quantile(drawn[:, 0] / drawn[:, 1], [0.025, 0.975])
    return float(low), float(high)


def _above(rate: Rate, chances: Sequence[float]) -> float | None:
    if len(set(chances)) > 1:  # pools of different sizes: no single binomial
        return None
    return float(stats.binomtest(round(rate.value * rate.n), rate.n, chances[0], alternative="greater").pvalue)


def _table(
    pairs: Sequence[Pair], key: dict[str, KeyRow], of: Callable[[KeyRow], str]
) -> dict[str, dict[str, float | int]]:
    parts: dict[str, list[Answer]] = defaultdict(list)
    for _, answer in pairs:
        parts[of(key[answer.trial])].append(answer)
    return {
        name: {
            "n": len(answers),
            "people": sum(_right(answer, key) for answer in answers) / len(answers),
            "agents": sum(_agent(answer, key) for answer in answers) / len(answers),
        }
        for name, answers in sorted(parts.items())
    }
