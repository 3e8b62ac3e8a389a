"""Rates of people and agents on the same trials, with intervals: in all, and by what the drawings differ in."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from scipy import stats

from runs.spread import wilson
from runs.study.intervals import Crossed, Mean, Rate, above_chance, contrast, crossed, mean, rate
from runs.study.rows import Row

__all__ = ["Difference", "Group", "Line", "by", "differences", "group", "table_of"]


@dataclass(frozen=True)
class Group:
    """Some answers to questions of one kind, beside the agents' on the same trials.

    Attributes:
        participants: how many answered.
        sketches: different trials.
        people: rate of right answers, "cannot tell" counted as wrong.
        people_told: the same with "cannot tell" left out (``None`` if nobody told).
        people_class: right if the answer is of the target's class, "cannot tell" counted as wrong.
        cannot_tell: part of the answers that were "cannot tell".
        agents: the receiver's rate on the trials that were answered, each counted once, its interval Wilson's: among
            the same choices (pick, class), else in its own game (name); ``None`` where no agent answered.
        chance: what blind guessing among the choices gives; ``None`` where there are none (names).
        above_chance: one-sided p of ``people`` against chance, exact, answers taken as independent.
        above_chance_participants: one-sided p of the participants' own rates against chance (t test over them), which
            takes people, not answers, as independent; ``None`` with fewer than three, or no spread.
        difference: people minus agents over the same answers; ``None`` where the agents had not the same choices.
        seconds: median time of an answer (``None`` if no time was logged).
    """

    participants: int
    sketches: int
    people: Rate
    people_told: Rate | None
    people_class: Rate
    cannot_tell: float
    agents: Rate | None
    chance: float | None
    above_chance: float | None
    above_chance_participants: float | None
    difference: Mean | None
    seconds: float | None


@dataclass(frozen=True)
class Line:
    """One line of a table by class, sender or number of strokes: people beside agents."""

    people: Rate
    agents: float | None
    participants: int
    sketches: int


@dataclass(frozen=True)
class Difference:
    """Right answers to one condition's drawings minus another's, of the same people."""

    one: str
    other: str
    people: Mean


def table_of(rows: Iterable[Row], value: Callable[[Row], float | bool | None], people: Sequence[str] = ()) -> Crossed:
    """A value of each row by participant and trial; rows without one are left out."""
    found = [(row.participant, row.answer.trial, float(each)) for row in rows if (each := value(row)) is not None]
    return crossed([row[0] for row in found], [row[1] for row in found], [row[2] for row in found], people)


def group(rows: Sequence[Row], seed: int = 0) -> Group | None:
    """All rates of these answers; ``None`` if nothing in them is right or wrong."""
    rows = [row for row in rows if row.correct is not None]
    if not rows:
        return None
    told = [row for row in rows if row.told]
    people = rate(table_of(rows, _right), seed)
    # Of a name the agent was right in its own game: another task, whose rate is no pair of this one.
    paired = [row for row in rows if row.key.agent_choice is not None]
    chances = [row.chance for row in rows if row.chance is not None]
    times = [row.answer.rt for row in rows if row.answer.rt is not None]
    return Group(
        participants=len({row.participant for row in rows}),
        sketches=len({row.answer.trial for row in rows}),
        people=people,
        people_told=rate(table_of(told, _right), seed) if told else None,
        people_class=rate(table_of(rows, lambda row: row.correct_class), seed),
        cannot_tell=1 - len(told) / len(rows),
        agents=_agents(rows),
        chance=float(np.mean(chances)) if chances else None,
        above_chance=above_chance(sum(map(bool, map(_right, rows))), chances) if len(chances) == len(rows) else None,
        above_chance_participants=_over_people(rows) if len(chances) == len(rows) else None,
        difference=mean(table_of(paired, _less_agent), seed) if paired else None,
        seconds=float(np.median(times)) / 1000 if times else None,
    )


def by(rows: Sequence[Row], of: Callable[[Row], str | int | None], seed: int = 0) -> dict[str, Line]:
    """Rates for each value of something, in its order; rows that have none are left out."""
    parts: dict[str | int, list[Row]] = defaultdict(list)
    for row in rows:
        value = of(row)
        if row.correct is not None and value is not None and value != "":
            parts[value].append(row)
    return {
        str(value): Line(
            people=rate(table_of(part, _right), seed),
            agents=agents.value if (agents := _agents(part)) else None,
            participants=len({row.participant for row in part}),
            sketches=len({row.answer.trial for row in part}),
        )
        for value, part in sorted(parts.items(), key=lambda item: (isinstance(item[0], str), item[0]))
    }


def differences(
    rows: Sequence[Row], value: Callable[[Row], float | bool | None], seed: int = 0
) -> tuple[Difference, ...]:
    """Every pair of conditions, compared over the same people."""
    rows = [row for row in rows if value(row) is not None]
    people = sorted({row.participant for row in rows})
    tables = {
        name: table_of([row for row in rows if row.key.condition == name], value, people)
        for name in sorted({row.key.condition for row in rows if row.key.condition})
    }
    names = list(tables)
    return tuple(
        Difference(one, other, contrast(tables[one], tables[other], seed))
        for number, one in enumerate(names)
        for other in names[number + 1 :]
    )


def _right(row: Row) -> bool | None:
    return row.correct


def _less_agent(row: Row) -> float:
    return float(bool(row.correct)) - float(bool(row.key.agent_correct))


def _agents(rows: Sequence[Row]) -> Rate | None:
    """The receivers' rate on these trials, each once."""
    trials = {row.answer.trial: row.key.agent_correct for row in rows if row.key.agent_correct is not None}
    if not trials:
        return None
    right = sum(trials.values())
    low, high = wilson(right, len(trials))
    return Rate(right / len(trials), len(trials), low=low, high=high)


def _over_people(rows: Sequence[Row]) -> float | None:
    """One-sided p of a t test: each participant's rate of right answers less what chance gave them."""
    gains: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        gains[row.participant].append(float(bool(row.correct)) - cast(float, row.chance))
    means = np.array([np.mean(each) for each in gains.values()])
    if len(means) < 3 or np.ptp(means) < 1e-12:
        return None
    return float(stats.ttest_1samp(means, 0.0, alternative="greater").pvalue)
